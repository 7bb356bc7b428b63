//! The command line of `agentd`, which is read by hand there: what `--help` prints, as a description.
//!
//! Promise: a help text that is not understood is an error, never half a page.

use clap::{Arg, ArgAction, Command, ValueHint};

/// One flag as the help text has it.
struct Flag {
    short: Option<char>,
    long: &'static str,
    value: Option<&'static str>,
    about: String,
}

/// Reads the help text.
///
/// # Errors
/// The line that is not understood.
pub fn command(help: &'static str) -> Result<Command, String> {
    let (head, options) =
        help.split_once("Options:\n").ok_or("the help of agentd has no options")?;
    let about = head.lines().next().unwrap_or_default().to_owned();
    let mut flags: Vec<Flag> = Vec::new();
    for line in options.lines() {
        match (flag(line), flags.last_mut()) {
            (Some(flag), _) => flags.push(flag),
            (None, Some(last)) if line.starts_with("          ") => {
                last.about.push(' ');
                last.about.push_str(line.trim());
            }
            _ => return Err(format!("a line in the help of agentd is not understood: {line}")),
        }
    }
    let command = Command::new("agentd")
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .disable_help_flag(true)
        .disable_version_flag(true);
    Ok(flags.into_iter().fold(command, |command, flag| command.arg(argument(flag))))
}

fn argument(flag: Flag) -> Arg {
    let argument = Arg::new(flag.long).long(flag.long).help(flag.about);
    let argument = match flag.short {
        Some(short) => argument.short(short),
        None => argument,
    };
    match flag.value {
        Some(value) => argument.value_name(value).value_hint(ValueHint::FilePath),
        None => argument.action(ArgAction::SetTrue),
    }
}

/// `  -h, --help           Print help`.
fn flag(line: &'static str) -> Option<Flag> {
    let (names, about) = line.strip_prefix("  ")?.split_at_checked(line.find("--")? - 2)?;
    let (name, about) = about.strip_prefix("--")?.split_once("  ")?;
    let (long, value) = match name.split_once(" <") {
        Some((long, value)) => (long, Some(value.strip_suffix('>')?)),
        None => (name, None),
    };
    let short = match names.trim().strip_prefix('-') {
        Some(short) => Some(short.strip_suffix(',')?.chars().next()?),
        None if names.trim().is_empty() => None,
        None => return None,
    };
    Some(Flag { short, long, value, about: about.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_the_daemon_is_understood() {
        let command = command(crate::DAEMON_HELP).ok();
        let names: Vec<String> = command
            .iter()
            .flat_map(Command::get_arguments)
            .map(|flag| format!("{:?} {:?}", flag.get_short(), flag.get_long()))
            .collect();
        let want = [
            "None Some(\"config\")",
            "None Some(\"check-config\")",
            "None Some(\"print-unit\")",
            "None Some(\"forget-neighbour\")",
            "Some('h') Some(\"help\")",
            "Some('V') Some(\"version\")",
        ];
        assert_eq!(names, want);
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for help in ["Usage", "a\n\nOptions:\n  bad\n", "a\n\nOptions:\n  x, --help  Print\n"] {
            assert!(command(help).is_err(), "{help}");
        }
    }
}
