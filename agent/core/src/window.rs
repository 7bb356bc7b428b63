//! When cutover is allowed: a span of the local day.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// Minutes of the local day, `from` inclusive, `to` exclusive; may cross midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First minute of the day, 0 to 1439.
    pub from: u16,
    /// First minute after it, 0 to 1439.
    pub to: u16,
}

const DAY: u64 = 24 * 60 * 60 * 1000;

impl Window {
    /// Milliseconds from `now` (since local midnight) until it opens; zero while it is open.
    pub fn opens_in(self, now: Millis) -> Millis {
        let now = now.0 % DAY;
        let from = u64::from(self.from) * 60_000;
        let to = u64::from(self.to) * 60_000;
        let open = if from <= to { (from..to).contains(&now) } else { now >= from || now < to };
        if open { Millis(0) } else { Millis((from + DAY - now) % DAY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_cross_midnight() {
        let at = |hour: u64, minute: u64| Millis((hour * 60 + minute) * 60_000);
        let night = Window { from: 22 * 60, to: 5 * 60 };
        let early = Window { from: 2 * 60, to: 5 * 60 };
        for (window, now, wait) in [
            (night, at(23, 0), 0),
            (night, at(4, 59), 0),
            (night, at(5, 0), 17 * 60),
            (early, at(2, 0), 0),
            (early, at(1, 59), 1),
            (early, at(5, 0), 21 * 60),
        ] {
            assert_eq!(window.opens_in(now), Millis(wait * 60_000), "{window:?} {now:?}");
        }
    }
}
