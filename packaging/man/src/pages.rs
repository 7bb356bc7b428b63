//! The four manual pages.

use clap::Command;

use crate::command::{entries, global_entries, synopsis};
use crate::markdown;
use crate::roff::{Piece, Roff};

/// What lies where; the same words as in the pages of both programs.
const FILES: [(&str, &str); 5] = [
    ("/etc/titania-agent/agent.toml, agent.d/*.toml", "Settings; see titania-agent.toml(5)."),
    ("/etc/titania-agent/apps.d/*.toml", "One definition an app; see titania-app(5)."),
    ("/var/lib/titania-agent/", "Records of the apps, and their history."),
    ("/var/lib/titania-volumes/", "The apps' volumes. No package and no update ever removes them."),
    ("/run/titania-agent/agent.sock", "The control socket: HTTP and JSON."),
];

/// agentctl(1).
pub fn agentctl(command: Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = Roff::new("agentctl", 1, lower(about.trim_end_matches('.')).as_str());
    page.section("synopsis");
    for verb in verbs(&command) {
        page.paragraph(&synopsis(&format!("agentctl {}", verb.get_name()), verb));
    }
    page.section("description");
    page.paragraph(&markdown::pieces(
        "`agentctl` asks `agentd`, over its socket, what it keeps running on this board, and tells it what to do. \
         What was asked for goes to standard output, everything else to standard error. Members of the group \
         `titania-agent` may look; verbs that change something need root, or the group that `[control] operators` names.",
    ));
    page.section("verbs");
    for verb in verbs(&command) {
        page.part(verb.get_name());
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        page.say(&format!("{}.", about.trim_end_matches('.')));
        let long = verb.get_long_about().map(ToString::to_string).unwrap_or_default();
        // Its first paragraph is said already.
        for paragraph in long.split("\n\n").skip(1) {
            page.say(paragraph);
        }
        entries(&mut page, verb);
    }
    page.section("options");
    global_entries(&mut page, &command);
    page.section("exit status");
    let codes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    page.say(&codes);
    files(&mut page);
    also(&mut page, &["agentd(8)", "titania-agent.toml(5)", "titania-app(5)"]);
    page.finish()
}

/// agentd(8).
pub fn agentd(command: Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = Roff::new("agentd", 8, &lower(&about));
    page.section("synopsis");
    page.paragraph(&[
        Piece::Bold("agentd".to_owned()),
        Piece::Plain(" [".to_owned()),
        Piece::Bold("--config".to_owned()),
        Piece::Plain(" ".to_owned()),
        Piece::Italic("FILE".to_owned()),
        Piece::Plain("] [".to_owned()),
        Piece::Bold("--check-config".to_owned()),
        Piece::Plain(" | ".to_owned()),
        Piece::Bold("--print-unit".to_owned()),
        Piece::Plain(" | ".to_owned()),
        Piece::Bold("--forget-neighbour".to_owned()),
        Piece::Plain("]".to_owned()),
    ]);
    page.section("description");
    for text in [
        "`agentd` keeps the apps of a board running, one container each, under Docker Engine or Podman: it takes new \
         releases by itself, lets each run on a copy of the app's state, and goes back by itself when a release is no \
         good. systemd runs it as `titania-agent.service`; the apps run on when it ends.",
        "It listens on no TCP port. `agentctl(1)` shows what it does, also while the engine or the network is away.",
    ] {
        page.paragraph(&markdown::pieces(text));
    }
    page.section("options");
    entries(&mut page, &command);
    global_entries(&mut page, &command);
    page.section("signals");
    page.entry(
        &[Piece::Bold("SIGHUP".to_owned())],
        &markdown::pieces(
            "Settings and definitions are read again. A file with a fault changes nothing; `agentctl status` shows it.",
        ),
    );
    page.entry(
        &[Piece::Bold("SIGTERM, SIGINT".to_owned())],
        &markdown::pieces("It ends. An update under way goes on when it is started again."),
    );
    page.section("exit status");
    page.say(
        "0: ended as asked, or the files are right. 1: it could not serve. 2: wrong use, or (--check-config) files with faults.",
    );
    files(&mut page);
    also(
        &mut page,
        &[
            "agentctl(1)",
            "titania-agent.toml(5)",
            "titania-app(5)",
            "systemctl(1)",
            "journalctl(1)",
        ],
    );
    page.finish()
}

/// titania-agent.toml(5).
///
/// # Errors
/// The document is not the one that is expected here.
pub fn settings(document: &str) -> Result<String, String> {
    let [intro, _, settings] = chapters(document)?;
    let mut page =
        Roff::new("titania-agent.toml", 5, "settings of the agent that keeps apps running");
    page.section("synopsis");
    page.say("/etc/titania-agent/agent.toml");
    page.say("/etc/titania-agent/agent.d/*.toml");
    page.section("description");
    markdown::append(&mut page, intro)?;
    page.section("settings");
    markdown::append(&mut page, settings)?;
    also(&mut page, &["agentd(8)", "agentctl(1)", "titania-app(5)"]);
    Ok(page.finish())
}

/// titania-app(5).
///
/// # Errors
/// The document is not the one that is expected here.
pub fn definition(document: &str) -> Result<String, String> {
    let [intro, definition, _] = chapters(document)?;
    let mut page = Roff::new("titania-app", 5, "definition of an app that the agent keeps running");
    page.section("synopsis");
    page.paragraph(&[
        Piece::Plain("/etc/titania-agent/apps.d/".to_owned()),
        Piece::Italic("app".to_owned()),
        Piece::Plain(".toml".to_owned()),
    ]);
    page.section("description");
    markdown::append(&mut page, intro)?;
    page.section("definition");
    markdown::append(&mut page, definition)?;
    also(&mut page, &["agentd(8)", "agentctl(1)", "titania-agent.toml(5)"]);
    Ok(page.finish())
}

/// What is before both chapters, and each without its heading.
fn chapters(document: &str) -> Result<[&str; 3], String> {
    let whole = document.split_once("\n").filter(|(title, _)| title.starts_with("# "));
    let parts = whole.and_then(|(_, rest)| {
        let (intro, rest) = rest.split_once("\n## A definition\n")?;
        let (definition, settings) = rest.split_once("\n## Settings\n")?;
        Some([intro, definition, settings])
    });
    parts.ok_or_else(|| {
        "docs/definitions.md has other chapters than \"A definition\" and \"Settings\"".to_owned()
    })
}

fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| verb.get_name() != "help")
}

fn lower(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_lowercase().chain(signs).collect()).unwrap_or_default()
}

fn files(page: &mut Roff) {
    page.section("files");
    for (path, what) in FILES {
        page.entry(&[Piece::Italic(path.to_owned())], &[Piece::Plain(what.to_owned())]);
    }
}

fn also(page: &mut Roff, others: &[&str]) {
    page.section("see also");
    let mut pieces = Vec::new();
    for (at, other) in others.iter().enumerate() {
        let (name, section) = other.split_once('(').unwrap_or((other, ""));
        if at > 0 {
            pieces.push(Piece::Plain(", ".to_owned()));
        }
        pieces.push(Piece::Bold(name.to_owned()));
        pieces.push(Piece::Plain(format!("({section}")));
    }
    page.paragraph(&pieces);
}

#[cfg(test)]
mod tests;
