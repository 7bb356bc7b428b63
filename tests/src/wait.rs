//! The one place where the harness lets time pass between two looks.

use std::fmt::Display;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Time between two looks: short against what is waited for, long enough to leave the cores alone.
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);

/// What a look can bring: a fact, or not yet (and why).
pub trait Seen {
    /// The fact that was waited for.
    type Fact;
    /// The fact, or what is still missing.
    ///
    /// # Errors
    /// Says what was seen instead.
    fn seen(self) -> Result<Self::Fact, String>;
}

impl Seen for bool {
    type Fact = ();
    fn seen(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "not so".to_owned())
    }
}

impl<T> Seen for Option<T> {
    type Fact = T;
    fn seen(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing there".to_owned())
    }
}

impl<T, E: Display> Seen for Result<T, E> {
    type Fact = T;
    fn seen(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks until the fact is there and returns it.
///
/// # Panics
/// When `limit` has passed: with `what` was waited for and what was seen last.
#[track_caller]
pub fn wait_until<S: Seen>(limit: Duration, what: &str, look: impl FnMut() -> S) -> S::Fact {
    wait_between(limit, BETWEEN_LOOKS, what, look)
}

/// As [`wait_until`], with another time between two looks, for those that cost something.
///
/// # Panics
/// As [`wait_until`].
#[track_caller]
pub fn wait_between<S: Seen>(
    limit: Duration,
    pause: Duration,
    what: &str,
    mut look: impl FnMut() -> S,
) -> S::Fact {
    let begun = Instant::now();
    let (_kept, never) = mpsc::channel::<()>();
    loop {
        match look().seen() {
            Ok(fact) => return fact,
            Err(last) if begun.elapsed() >= limit => {
                panic!("waited {limit:?} for {what}; seen last: {last}")
            }
            Err(_) => {
                let _ = never.recv_timeout(pause);
            }
        }
    }
}
