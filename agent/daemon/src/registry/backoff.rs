//! When a host is to be left alone.

use titania_core::time::{Millis, Moment};

/// First wait after a failure; it doubles with each further one.
pub(super) const WAIT_MIN: Millis = Millis::seconds(10);

/// Longest wait of our own.
pub(super) const WAIT_MAX: Millis = Millis::seconds(6 * 3600);

/// Longest wait while the board's clock is at fault: who sets it tells nobody.
pub(super) const CLOCK_WAIT_MAX: Millis = Millis::seconds(60);

/// Longest `Retry-After` that is honoured: a mistake of a registry must not silence a board for a year.
pub(super) const RETRY_AFTER_MAX: Millis = Millis::seconds(24 * 3600);

/// A host wants, or gets, a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBefore {
    /// Its end.
    pub at: Moment,
    /// Asked for by the host (`Retry-After`): binds an operator's request, too.
    pub ordered: bool,
}

/// What is remembered of a host's failures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    not_before: Option<NotBefore>,
}

impl Backoff {
    /// The host failed as a whole. What it asks for wins over our own wait, at most `longest`, but is never less than the
    /// first one.
    pub(super) fn failed(&mut self, now: Moment, retry_after: Option<Millis>, longest: Millis) {
        let doubled = WAIT_MIN.0.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let wait = retry_after
            .map_or(doubled.min(longest.0), |asked| asked.0.clamp(WAIT_MIN.0, RETRY_AFTER_MAX.0));
        self.not_before =
            Some(NotBefore { at: now.after(Millis(wait)), ordered: retry_after.is_some() });
    }

    /// The host answered.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// The pause, if one was set since its last answer; it may be over.
    pub(super) fn not_before(&self) -> Option<NotBefore> {
        self.not_before
    }

    /// What is left at `now` of a pause that the host asked for.
    pub(super) fn ordered(&self, now: Moment) -> Option<Millis> {
        self.not_before
            .filter(|pause| pause.ordered && pause.at > now)
            .map(|pause| pause.at.since(now))
    }
}
