//! When a fault strikes: at rest, at the boundary of a step, or so long after the update was asked for.
//!
//! The boundaries are what the agent logs right before it takes a step. Which there are is not written down here:
//! an update that nothing disturbs shows them.

use crate::vm::Chance;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a log that are read at once.
const LOG_BYTES_MAX: u64 = 1024 * 1024;
/// Steps that are no boundaries of an update: how often they come is chance.
const IRREGULAR: [&str; 1] = ["prune"];

/// See the head of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instant {
    /// Before the update is asked for.
    Rest,
    /// Right before a step is taken for the nth time (from 0).
    Boundary {
        /// The step, `start new`.
        word: String,
        /// Which of them.
        nth: usize,
    },
    /// So long after the update was asked for.
    After(Duration),
}

impl Display for Instant {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Rest => out.write_str("at rest"),
            Self::Boundary { word, nth: 0 } => write!(out, "at {word}"),
            Self::Boundary { word, nth } => write!(out, "at {word} ({})", nth + 1),
            Self::After(span) => write!(out, "at {:.2} s", span.as_secs_f64()),
        }
    }
}

/// When an update that nothing disturbed took which step.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// Each step and when it was begun, in order.
    pub steps: Vec<(Duration, String)>,
    /// Until it had ended.
    pub length: Duration,
}

impl Timeline {
    /// An instant: a boundary as often as any moment. From the first step of this name on.
    pub fn draw(&self, from: Option<&str>, chance: &mut Chance) -> Instant {
        let first = from.and_then(|word| self.steps.iter().position(|(_, step)| step == word));
        let first = first.unwrap_or(0);
        let left = self.steps.len().saturating_sub(first);
        let begin = self.steps.get(first).map_or(Duration::ZERO, |(at, _)| *at);
        if left == 0 || chance.is_once_in(2) {
            let rest = self.length.saturating_sub(begin).mul_f64(1.1);
            let micros = u64::try_from(rest.as_micros()).unwrap_or(u64::MAX);
            return Instant::After(begin + Duration::from_micros(chance.below(micros)));
        }
        let at = first + usize::try_from(chance.below(left as u64)).unwrap_or(0);
        let word = self.steps[at].1.clone();
        let nth = self.steps[..at].iter().filter(|(_, step)| *step == word).count();
        Instant::Boundary { word, nth }
    }
}

impl Display for Timeline {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        for (at, step) in &self.steps {
            write!(out, "{:.2} {step}, ", at.as_secs_f64())?;
        }
        write!(out, "{:.2} s in all", self.length.as_secs_f64())
    }
}

/// The agent's log from some moment on, read for the steps of one app.
pub struct Steps {
    log: PathBuf,
    from: u64,
    prefix: String,
    current: u64,
    counts: BTreeMap<String, usize>,
    last: String,
}

impl Steps {
    /// From now on; generations up to `current` are old.
    pub fn from_now(log: &Path, app: &str, current: u64) -> Self {
        let from = std::fs::metadata(log).map_or(0, |meta| meta.len());
        let prefix = format!("debug: {app}: ");
        let (counts, last) = (BTreeMap::new(), String::new());
        Self { log: log.to_owned(), from, prefix, current, counts, last }
    }

    /// Steps that were begun since the last look.
    pub fn fresh(&mut self) -> Vec<String> {
        let mut text = Vec::new();
        let read = std::fs::File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.take(LOG_BYTES_MAX).read_to_end(&mut text)
        });
        if read.is_err() {
            return Vec::new();
        }
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.from += whole as u64;
        let text = String::from_utf8_lossy(&text[..whole]).into_owned();
        let steps: Vec<String> = text.lines().filter_map(|line| self.step(line)).collect();
        for step in &steps {
            *self.counts.entry(step.clone()).or_default() += 1;
            self.last.clone_from(step);
        }
        steps
    }

    /// How often a step was begun so far.
    pub fn count(&self, word: &str) -> usize {
        self.counts.get(word).copied().unwrap_or(0)
    }

    /// The one begun last; empty before any.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// `start g7` as `start new`; None for lines that tell of no step.
    fn step(&self, line: &str) -> Option<String> {
        let told = line.strip_prefix(&self.prefix)?;
        if IRREGULAR.iter().any(|word| told.starts_with(word)) {
            return None;
        }
        let words = told.split(' ').map(|word| {
            let number = word.strip_prefix('g').and_then(|digits| digits.parse::<u64>().ok());
            match number {
                Some(number) if number <= self.current => "old",
                Some(_) => "new",
                None => word,
            }
        });
        // A count or a reason behind it does not belong to its name.
        let words = words.take(3).filter(|word| word.parse::<u64>().is_err());
        Some(words.collect::<Vec<_>>().join(" ").trim_end_matches(':').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_whole_lines_and_named_by_whose_they_are() {
        let log = std::env::temp_dir().join(format!("titania-steps-{}", std::process::id()));
        std::fs::write(&log, "debug: wallet: start g1\n").unwrap();
        let mut steps = Steps::from_now(&log, "wallet", 4);
        let text = "debug: wallet: start g1\ndebug: wallet: stop g4\ninfo: wallet: start g5\n\
                    debug: other: start g5\ndebug: wallet: mark g5 failed: exited\n\
                    debug: wallet: prune 1 forks, 0 images\ndebug: wallet: write bo";
        std::fs::write(&log, text).unwrap();
        assert_eq!(steps.fresh(), ["stop old", "mark new failed"]);
        assert_eq!((steps.count("stop old"), steps.last()), (1, "mark new failed"));
        std::fs::write(&log, text.to_owned() + "ots\n").unwrap();
        assert_eq!(steps.fresh(), ["write boots"]);
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn an_instant_is_not_before_the_step_that_it_needs() {
        let steps = [("begin", 0), ("create", 2), ("start", 3), ("create", 4)];
        let steps = steps.map(|(word, at)| (Duration::from_secs(at), word.to_owned()));
        let timeline = Timeline { steps: steps.to_vec(), length: Duration::from_secs(5) };
        let mut chance = Chance::of(1);
        for _ in 0..200 {
            match timeline.draw(Some("create"), &mut chance) {
                Instant::After(at) => assert!(at >= Duration::from_secs(2)),
                Instant::Boundary { word, nth } => {
                    assert!(word != "begin" && (nth == 0 || word == "create"));
                }
                Instant::Rest => panic!("drawn at rest"),
            }
        }
    }
}
