//! How long until something is tried again (DESIGN §5): from 10 s, doubling, to a limit.

use titania_core::time::Millis;

/// First wait.
const FIRST: Millis = Millis::seconds(10);
/// Longest wait for what costs the app nothing.
pub const SHORT_MAX: Millis = Millis::seconds(15 * 60);
/// Longest wait for a registry, and for tries that stop the app.
pub const LONG_MAX: Millis = Millis::seconds(6 * 60 * 60);
/// Longest wait for a clock: who sets it tells nobody.
pub const CLOCK_MAX: Millis = Millis::seconds(60);
/// Longest `Retry-After` that is honoured.
pub const RETRY_AFTER_MAX: Millis = Millis::seconds(24 * 60 * 60);

/// First wait before a restart of the agent's own (DESIGN §3.6).
const RESTART_FIRST: Millis = Millis::seconds(1);
/// Longest wait before one.
const RESTART_MAX: Millis = Millis::seconds(60);
/// A container that ran so long begins anew (as Docker's own restart back-off).
pub const RESTART_FORGIVEN: Millis = Millis::seconds(10);

/// The wait after the `failures`-th failure in a row, from 1.
pub fn wait(failures: u32, limit: Millis) -> Millis {
    let doublings = failures.saturating_sub(1).min(32);
    let wait = FIRST.0.saturating_mul(1_u64 << doublings);
    Millis(wait.min(limit.0))
}

/// The wait before the `exits`-th restart in a row of a container that no policy of the engine restarts (Podman).
pub fn restart(exits: u32) -> Millis {
    let doublings = exits.saturating_sub(1).min(6);
    Millis((RESTART_FIRST.0 << doublings).min(RESTART_MAX.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_without_a_policy_wait_from_a_second_to_a_minute() {
        let waits: Vec<u64> = (0..9).map(|exits| restart(exits).0 / 1000).collect();
        assert_eq!(waits, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(restart(u32::MAX), RESTART_MAX);
    }

    #[test]
    fn the_wait_doubles_from_ten_seconds_up_to_its_limit() {
        for (failures, limit, seconds) in [
            (0, SHORT_MAX, 10),
            (1, SHORT_MAX, 10),
            (2, SHORT_MAX, 20),
            (7, SHORT_MAX, 640),
            (8, SHORT_MAX, 900),
            (u32::MAX, SHORT_MAX, 900),
            (8, LONG_MAX, 1280),
            (12, LONG_MAX, 20480),
            (13, LONG_MAX, 21600),
        ] {
            assert_eq!(wait(failures, limit), Millis::seconds(seconds), "{failures} {limit:?}");
        }
    }
}
