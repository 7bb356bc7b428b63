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

/// Files whose time of change systemd's manager sets a clock to that is behind it: its own program, built then, and
/// one that a system may bring (systemd(1)). On a board without a clock it is 2025 then, not 1970.
const EPOCHS: [&str; 2] = ["/lib/systemd/systemd", "/usr/lib/clock-epoch"];

/// Longest from power-on until the manager does so.
const MANAGER_AFTER: Millis = Millis::seconds(10 * 60);

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
/// call of their own (adjtimex(2)): there it must not be what the manager made of it at boot.
pub fn is_synced() -> bool {
    let found = Found { wall: wall(), booted: wall_of(Moment(0)) };
    judge(&found, Path::new(TIMESYNCD), &EPOCHS.map(Path::new))
}

/// What the clocks say.
struct Found {
    wall: Timestamp,
    /// Of the board's start, by the wall clock as it is now: moves only when that is set.
    booted: Timestamp,
}

fn judge(found: &Found, timesyncd: &Path, epochs: &[&Path]) -> bool {
    match found.wall >= PLAUSIBLE {
        true if timesyncd.is_dir() => timesyncd.join("synchronized").exists(),
        true => !epochs.iter().any(|file| began_at(file, found.booted)),
        false => false,
    }
}

/// Whether the wall clock was set to this file's time soon after the board's start, and has only run since. No board
/// that knows the time starts in the minutes before its own manager was built.
fn began_at(file: &Path, booted: Timestamp) -> bool {
    const ROUNDED: i64 = 1000;
    let changed = std::fs::metadata(file).and_then(|meta| meta.modified());
    let age = changed.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let epoch = age.and_then(|age| i64::try_from(age.as_millis()).ok());
    epoch.is_some_and(|epoch| {
        let after = epoch.saturating_sub(booted.0);
        (-ROUNDED..=i64::try_from(MANAGER_AFTER.0).unwrap_or(i64::MAX)).contains(&after)
    })
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
    use std::time::Duration;

    #[test]
    fn a_clock_is_trusted_when_it_is_plausible_and_its_keeper_has_set_it() {
        let folder = std::env::temp_dir().join(format!("titania-clock-{}", std::process::id()));
        let missing = folder.join("none");
        std::fs::create_dir_all(&folder).unwrap();
        let judge = |wall: i64, timesyncd: &Path| {
            judge(
                &Found { wall: Timestamp(wall), booted: Timestamp(wall - 60_000) },
                timesyncd,
                &[],
            )
        };
        let now = PLAUSIBLE.0 + 1;
        assert!(judge(now, &missing), "no keeper that tells");
        assert!(!judge(0, &missing));
        assert!(!judge(now, &folder), "timesyncd keeps it and has not set it yet");
        std::fs::write(folder.join("synchronized"), "").unwrap();
        assert!(judge(now, &folder));
        assert!(!judge(0, &folder));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_clock_that_the_manager_set_to_its_own_build_is_not_trusted_however_long_it_runs() {
        const BUILT: i64 = 1_748_538_242_000; // 2025-05-29
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let folder = std::env::temp_dir().join(format!("titania-epoch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (manager, missing) = (folder.join("systemd"), folder.join("none"));
        let file = std::fs::File::create(&manager).unwrap();
        let built = Duration::from_millis(BUILT.unsigned_abs());
        file.set_modified(std::time::UNIX_EPOCH + built).unwrap();
        // It came to do so 4 s after power-on; what the clock says at boot and after a time.
        for (booted, ran, is_trusted, why) in [
            (BUILT - 4_000, 4_000, false, "just set"),
            (BUILT - 4_000, 40 * DAY, false, "and ran on"),
            (BUILT, 4_000, false, "at once, to the second"),
            (BUILT + 30_000, DAY, true, "a board that was started after its manager was built"),
            (BUILT - DAY, 3 * DAY, true, "and one that was given a new manager as it ran"),
            (BUILT + 365 * DAY, DAY, true, "set by whoever keeps it"),
        ] {
            let found = Found { wall: Timestamp(booted + ran), booted: Timestamp(booted) };
            for files in [&[&*manager, &*missing], &[&*missing, &*manager]] {
                assert_eq!(judge(&found, &missing, files), is_trusted, "{why}");
            }
            assert!(judge(&found, &missing, &[&missing]), "another manager: {why}");
            std::fs::write(folder.join("synchronized"), "").unwrap();
            assert!(judge(&found, &folder, &[&manager]), "timesyncd knows better: {why}");
        }
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
