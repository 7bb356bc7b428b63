//! A command line in the words of a manual page.

use clap::{Arg, Command};

use crate::roff::{Piece, Roff};

/// `agentctl status [--json] [APP]`, each word with its font.
pub fn synopsis(path: &str, command: &Command) -> Vec<Piece> {
    let mut pieces = vec![Piece::Bold(path.to_owned())];
    let own = command.get_arguments().filter(|own| !is_everywhere(own));
    let (positionals, flags): (Vec<&Arg>, Vec<&Arg>) = own.partition(|own| own.is_positional());
    for flag in flags {
        pieces.push(Piece::Plain(" [".to_owned()));
        pieces.push(Piece::Bold(name(flag)));
        pieces.extend(value(flag));
        pieces.push(Piece::Plain("]".to_owned()));
    }
    for word in positionals {
        let (open, close) = if word.is_required_set() { (" ", "") } else { (" [", "]") };
        pieces.push(Piece::Plain(open.to_owned()));
        pieces.push(Piece::Italic(word.get_id().as_str().to_uppercase()));
        pieces.push(Piece::Plain(close.to_owned()));
    }
    pieces
}

/// The flags and words of one command, each with its meaning.
pub fn entries(page: &mut Roff, command: &Command) {
    for own in command.get_arguments().filter(|own| !is_everywhere(own)) {
        entry(page, own);
    }
}

/// The flags that each verb has: told once.
pub fn global_entries(page: &mut Roff, command: &Command) {
    for own in command.get_arguments().filter(|own| is_everywhere(own)) {
        entry(page, own);
    }
}

fn entry(page: &mut Roff, own: &Arg) {
    let mut term = Vec::new();
    if own.is_positional() {
        term.push(Piece::Italic(own.get_id().as_str().to_uppercase()));
    } else {
        if let Some(short) = own.get_short() {
            term.push(Piece::Bold(format!("-{short}")));
            term.push(Piece::Plain(", ".to_owned()));
        }
        term.push(Piece::Bold(name(own)));
        term.extend(value(own));
    }
    page.entry(&term, &[Piece::Plain(meaning(own))]);
}

fn meaning(own: &Arg) -> String {
    let mut text = own.get_help().map(ToString::to_string).unwrap_or_default();
    let usual: Vec<String> =
        own.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if own.get_action().takes_values() && !usual.is_empty() {
        text.push_str(&format!(" [default: {}]", usual.join(" ")));
    }
    text.push('.');
    text
}

fn is_everywhere(own: &Arg) -> bool {
    own.is_global_set() || matches!(own.get_id().as_str(), "help" | "version")
}

fn name(flag: &Arg) -> String {
    match (flag.get_long(), flag.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => flag.get_id().to_string(),
    }
}

fn value(flag: &Arg) -> Vec<Piece> {
    if !flag.get_action().takes_values() {
        return Vec::new();
    }
    let names = flag.get_value_names().unwrap_or_default();
    let name =
        names.first().map_or_else(|| flag.get_id().as_str().to_uppercase(), ToString::to_string);
    vec![Piece::Plain(" ".to_owned()), Piece::Italic(name)]
}
