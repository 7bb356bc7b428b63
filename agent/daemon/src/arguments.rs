//! The command line of `agentd`: five flags, read by hand. A library for that would be a fortieth of the program.
//!
//! Promise: a mistake is told with what was meant to stand there.

use std::ffi::OsString;
use std::path::PathBuf;

use titania_agentd::board::files::CONFIG;

/// What `--help` prints; the manual page and the completions are made from the same text.
pub const HELP: &str = include_str!("help.txt");

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Run, with the settings in this file.
    Run(PathBuf),
    /// Check that file and the definitions.
    Check(PathBuf),
    /// Print the unit's drop-in for that file and the definitions.
    PrintUnit(PathBuf),
    /// Take away the neighbour entry of the address that comes on standard input.
    ForgetNeighbour,
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// Reads the words behind the program's name.
///
/// # Errors
/// What is wrong, in words.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut words = words.into_iter();
    let (mut config, mut is_check, mut is_unit) = (None, false, false);
    while let Some(word) = words.next() {
        let shown = word.to_string_lossy().into_owned();
        let (flag, value) = match shown.split_once('=') {
            Some((flag, value)) => (flag, Some(OsString::from(value))),
            None => (shown.as_str(), None),
        };
        match flag {
            "--config" if config.is_some() => return Err("--config is given twice".to_owned()),
            "--config" => {
                let file = value.or_else(|| words.next()).filter(|file| !file.is_empty());
                config = Some(file.ok_or("--config wants a file behind it")?);
            }
            "--check-config" if value.is_none() => is_check = true,
            "--print-unit" if value.is_none() => is_unit = true,
            "--forget-neighbour" if value.is_none() => return Ok(Asked::ForgetNeighbour),
            "-h" | "--help" if value.is_none() => return Ok(Asked::Help),
            "-V" | "--version" if value.is_none() => return Ok(Asked::Version),
            _ => return Err(format!("unexpected argument '{shown}'")),
        }
    }
    let config = config.map_or_else(|| CONFIG.into(), PathBuf::from);
    match (is_check, is_unit) {
        (false, false) => Ok(Asked::Run(config)),
        (true, false) => Ok(Asked::Check(config)),
        (false, true) => Ok(Asked::PrintUnit(config)),
        (true, true) => Err("--check-config and --print-unit exclude each other".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn each_flag_is_read_and_each_mistake_is_told() {
        let well = |asked| Ok::<Asked, String>(asked);
        for (line, want) in [
            ("", well(Asked::Run(CONFIG.into()))),
            ("--config a.toml", well(Asked::Run("a.toml".into()))),
            ("--config=a=b.toml --check-config", well(Asked::Check("a=b.toml".into()))),
            ("--check-config", well(Asked::Check(CONFIG.into()))),
            ("--config a.toml --help", well(Asked::Help)),
            ("--print-unit --config a.toml", well(Asked::PrintUnit("a.toml".into()))),
            (
                "--print-unit --check-config",
                Err("--check-config and --print-unit exclude each other".to_owned()),
            ),
            ("--forget-neighbour", well(Asked::ForgetNeighbour)),
            ("-V", well(Asked::Version)),
            ("--config", Err("--config wants a file behind it".to_owned())),
            ("--config=", Err("--config wants a file behind it".to_owned())),
            ("--config a --config b", Err("--config is given twice".to_owned())),
            ("--check-config=yes", Err("unexpected argument '--check-config=yes'".to_owned())),
            ("a.toml", Err("unexpected argument 'a.toml'".to_owned())),
        ] {
            assert_eq!(asked(line), want, "{line}");
        }
        assert!(HELP.contains(CONFIG));
    }
}
