//! When to try the broker again. Pure: time and the board's id come in, a duration goes out.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::settings::Backoff;

/// A connection that held so long was a good one: the next failure counts as the first. Shorter ones don't, so that
/// two boards with one id, which push each other out, do it more and more seldom.
pub(super) const STEADY: Duration = Duration::from_secs(60);

/// How long to wait after so many failures in a row (from 1), 20 % more or less by `board`, so that a whole fleet
/// does not come back to a broker in one second.
pub(super) fn wait(rule: Backoff, failures: u32, board: &str) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let plain = rule.first.saturating_mul(1 << doublings).min(rule.longest);
    let mut hasher = DefaultHasher::new();
    (board, failures).hash(&mut hasher);
    let percent = u32::try_from(hasher.finish() % 41).unwrap_or(0) + 80;
    (plain * percent / 100).min(rule.longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_10_s_to_15_min_give_or_take_a_fifth() {
        let rule = Backoff::default();
        let mut plain = 10.0;
        for failures in 1..40 {
            let waited = wait(rule, failures, "board-7").as_secs_f64();
            assert!(
                (plain * 0.8..=plain * 1.2).contains(&waited) && waited <= 900.0,
                "{failures}: {waited} s, about {plain} s wanted"
            );
            plain = f64::min(plain * 2.0, 900.0);
        }
    }

    #[test]
    fn boards_do_not_come_back_together() {
        let rule = Backoff::default();
        let waits: std::collections::BTreeSet<Duration> =
            (0..50).map(|board| wait(rule, 1, &format!("board-{board}"))).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
