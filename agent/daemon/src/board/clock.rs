//! Clocks: the boot clock, which never jumps, and the wall clock, which may.

use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use titania_core::names::BootId;
use titania_core::time::{Millis, Moment, PLAUSIBLE, Timestamp};

/// Where the kernel tells the boot id.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// There while systemd-timesyncd keeps the clock; in it `synchronized` once it has set it
/// (systemd-timesyncd.service(8)).
const TIMESYNCD: &str = "/run/systemd/timesync";

/// Now, on the boot clock (CLOCK_BOOTTIME, suspend included).
pub fn moment() -> Moment {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let rest = u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000;
    Moment(seconds.saturating_mul(1000).saturating_add(rest))
}

/// Now, on the wall clock.
pub fn wall() -> Timestamp {
    let now = clock_gettime(ClockId::Realtime);
    Timestamp(now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000))
}

/// This boot's id; empty where there is no procfs.
pub fn boot_id() -> BootId {
    BootId(
        super::identity::read_short(Path::new(BOOT_ID))
            .map(|text| text.trim().to_owned())
            .unwrap_or_default(),
    )
}

/// Whether the wall clock can be trusted: it says a plausible year, and where systemd-timesyncd keeps
/// it, that has set it in this boot. Other keepers leave no sign that could be read without a system
/// call of their own (adjtimex(2)): there the year must do.
pub fn is_synced() -> bool {
    judge(wall(), Path::new(TIMESYNCD))
}

fn judge(wall: Timestamp, timesyncd: &Path) -> bool {
    wall >= PLAUSIBLE && (!timesyncd.is_dir() || timesyncd.join("synchronized").exists())
}

/// Milliseconds since local midnight.
pub fn of_day() -> Millis {
    let now = jiff::Zoned::now();
    let seconds =
        i64::from(now.hour()) * 3600 + i64::from(now.minute()) * 60 + i64::from(now.second());
    Millis(
        u64::try_from(seconds).unwrap_or(0) * 1000 + u64::try_from(now.millisecond()).unwrap_or(0),
    )
}

/// The wall-clock time of a moment, as the clocks stand now.
pub fn wall_of(at: Moment) -> Timestamp {
    let (now, wall) = (moment(), wall());
    let ahead = i64::try_from(at.0)
        .unwrap_or(i64::MAX)
        .saturating_sub(i64::try_from(now.0).unwrap_or(i64::MAX));
    Timestamp(wall.0.saturating_add(ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_trusted_when_it_is_plausible_and_its_keeper_has_set_it() {
        let folder = std::env::temp_dir().join(format!("titania-clock-{}", std::process::id()));
        let missing = folder.join("none");
        std::fs::create_dir_all(&folder).unwrap();
        let year_1970 = Timestamp(0);
        let now = Timestamp(PLAUSIBLE.0 + 1);
        assert!(judge(now, &missing), "no keeper that tells");
        assert!(!judge(year_1970, &missing));
        assert!(!judge(now, &folder), "timesyncd keeps it and has not set it yet");
        std::fs::write(folder.join("synchronized"), "").unwrap();
        assert!(judge(now, &folder));
        assert!(!judge(year_1970, &folder));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn moments_and_wall_times_go_together() {
        let (at, wall) = (moment(), wall());
        assert!(at.0 > 0 && wall > PLAUSIBLE);
        let later = wall_of(at.after(Millis::seconds(60)));
        assert!(later.0.abs_diff(wall.0 + 60_000) < 5_000);
        assert!(of_day().0 < 24 * 60 * 60 * 1000);
        assert_eq!(boot_id().0.len(), 36, "a uuid");
    }
}
