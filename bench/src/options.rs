//! What a run measures, and for how long.

use std::time::Duration;

/// Parts of a run.
const PARTS: [&str; 4] = ["size", "rest", "down", "fork"];
const USAGE: &str = "\
Measures the product against its budgets; needs root, as the end-to-end cases do.

bench [--long] [--rounds N] [--apps N] [--only PART]…

  --long       10 min of rest instead of 100 s, and rest with one app as well
  --rounds N   rounds of each kind of down time, and of fork (5; 30 with --long)
  --apps N     apps for the growth by app (20; 40 with --long)
  --only PART  size, rest, down or fork; may be given more than once";

/// What was asked for.
pub struct Options {
    /// Longer spans.
    pub long: bool,
    /// Rounds of each kind of down time.
    pub rounds: usize,
    /// Apps for the growth by app.
    pub apps: usize,
    only: Vec<String>,
}

impl Options {
    /// Reads the command line; ends the program when it is wrong, or asks for help.
    pub fn read() -> Self {
        match Self::parse(std::env::args().skip(1)) {
            Ok(options) => options,
            Err(wrong) => {
                let is_help = wrong.is_empty();
                if !is_help {
                    eprintln!("{wrong}\n");
                }
                eprintln!("{USAGE}");
                std::process::exit(if is_help { 0 } else { 2 });
            }
        }
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut long, mut rounds, mut apps, mut only) = (false, None, None, Vec::new());
        while let Some(word) = words.next() {
            let mut number = |least: usize| {
                let text = words.next().unwrap_or_default();
                let number = text.parse().ok().filter(|number| *number >= least);
                number.ok_or(format!("{word} wants a number of at least {least}"))
            };
            match word.as_str() {
                "--long" => long = true,
                "--rounds" => rounds = Some(number(1)?),
                "--apps" => apps = Some(number(crate::rest::APPS + 1)?),
                "--only" => {
                    let part = words.next().unwrap_or_default();
                    if !PARTS.contains(&part.as_str()) {
                        return Err(format!("--only wants one of {}", PARTS.join(", ")));
                    }
                    only.push(part);
                }
                "--help" | "-h" => return Err(String::new()),
                other => return Err(format!("{other}?")),
            }
        }
        Ok(Self {
            long,
            rounds: rounds.unwrap_or(if long { 30 } else { 5 }),
            apps: apps.unwrap_or(if long { 40 } else { 20 }),
            only,
        })
    }

    /// Whether a part is wanted.
    pub fn does(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == part)
    }

    /// The idle span that CPU, writes and traffic are counted over.
    pub fn rest(&self) -> Duration {
        Duration::from_secs(if self.long { 600 } else { 100 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_is_read_and_a_wrong_one_is_told() {
        let options = parse("--long --rounds 7 --only down").ok();
        let options = options.map(|o| (o.long, o.rounds, o.apps, o.does("down"), o.does("rest")));
        assert_eq!(options, Some((true, 7, 40, true, false)));
        for wrong in ["--rounds", "--rounds 0", "--apps 5", "--only all", "--fast"] {
            assert!(parse(wrong).is_err_and(|text| !text.is_empty()), "{wrong}");
        }
    }
}
