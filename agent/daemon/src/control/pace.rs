//! How often something may happen, over all peers together.
//!
//! Promise: nothing is refused, it waits for its turn; who waits longest goes first; who gives up costs nobody a turn.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// See the head of this file.
pub(super) struct Pace {
    /// Held by the one whose turn is next; the others queue at the lock, which is fair.
    bucket: Mutex<Bucket>,
}

/// A token bucket, kept as the moment at which it will be full again (GCRA, ITU-T I.371).
struct Bucket {
    every: Duration,
    /// What may be lacking from a full bucket when a turn is given.
    slack: Duration,
    full_at: Instant,
}

impl Pace {
    /// `burst` turns at once, then `a_second`; at least one of each.
    pub(super) fn new(burst: u32, a_second: u32) -> Self {
        Self { bucket: Mutex::new(Bucket::new(burst, a_second, Instant::now())) }
    }

    /// Waits for a turn and takes it.
    pub(super) async fn turn(&self) {
        let mut bucket = self.bucket.lock().await;
        let wait = bucket.wait(Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
        bucket.take(Instant::now());
    }
}

impl Bucket {
    fn new(burst: u32, a_second: u32, full_at: Instant) -> Self {
        let every = Duration::from_secs(1) / a_second.max(1);
        Self { every, slack: every * burst.saturating_sub(1), full_at }
    }

    /// How long from `now` to the next turn.
    fn wait(&self, now: Instant) -> Duration {
        self.full_at.saturating_duration_since(now).saturating_sub(self.slack)
    }

    fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.every;
    }
}

#[cfg(test)]
mod tests;
