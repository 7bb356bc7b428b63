//! What the program is told to do wrong.
//!
//! Grammar: words separated by new lines or `;`, from `/behaviour.txt` of the image, then from the
//! variable `BEHAVIOUR`: `crash [code] [after ms]`, `hang`, `unhealthy`, `slow <ms>`, `deaf`,
//! `ignore-sigterm`, `slow-stop <ms>`, `fail-if-file=<path below the data folder>`, `drop <uid>` (no fault: what
//! images do that start as root).
//! An unknown word ends the program: a test with a typing error must not pass.

use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;

/// Exit code of an unknown word.
const EXIT_UNKNOWN_WORD: i32 = 15;

/// All that can go wrong; nothing by default.
#[derive(Debug, Default, Clone)]
pub struct Behaviour {
    /// Ends with this code after this time.
    pub crash: Option<(i32, Duration)>,
    /// Accepts connections and never answers.
    pub hang: bool,
    /// `/health` answers 503.
    pub unhealthy: bool,
    /// `/health` answers 503 for this long after the start.
    pub slow: Duration,
    /// Does not listen at all.
    pub deaf: bool,
    /// SIGTERM does nothing.
    pub ignore_sigterm: bool,
    /// Time between SIGTERM and the end.
    pub slow_stop: Duration,
    /// Gives its folders to this uid, and the gid of the same number, and goes on as that.
    pub drop_to: Option<u32>,
    /// `/health` answers 503 while this file is in the data folder.
    pub fail_if_file: Option<PathBuf>,
}

impl Behaviour {
    /// Reads image and environment.
    pub fn read() -> Self {
        let image = std::fs::read_to_string("/behaviour.txt").unwrap_or_default();
        let own = std::env::var("BEHAVIOUR").unwrap_or_default();
        let mut behaviour = Self::default();
        for told in image.split(['\n', ';']).chain(own.split(['\n', ';'])) {
            let told = told.trim();
            if !told.is_empty() && !behaviour.take(told) {
                eprintln!("unknown behaviour: {told}");
                exit(EXIT_UNKNOWN_WORD);
            }
        }
        behaviour
    }

    fn take(&mut self, told: &str) -> bool {
        let mut words = told.split_whitespace();
        let word = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words.filter_map(|text| text.parse().ok()).collect();
        let span = |at: usize| Duration::from_millis(numbers.get(at).copied().unwrap_or(0));
        match word {
            "crash" => {
                let code = numbers.first().and_then(|code| i32::try_from(*code).ok()).unwrap_or(1);
                self.crash = Some((code, span(1)));
            }
            "hang" => self.hang = true,
            "unhealthy" => self.unhealthy = true,
            "slow" => self.slow = span(0),
            "deaf" => self.deaf = true,
            "ignore-sigterm" => self.ignore_sigterm = true,
            "drop" => self.drop_to = numbers.first().and_then(|id| u32::try_from(*id).ok()),
            "slow-stop" => self.slow_stop = span(0),
            other => match other.strip_prefix("fail-if-file=") {
                Some(path) => self.fail_if_file = Some(PathBuf::from(path)),
                None => return false,
            },
        }
        true
    }
}
