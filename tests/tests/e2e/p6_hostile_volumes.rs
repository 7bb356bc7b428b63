//! P6, P10: whatever an app plants in its volumes, nothing outside of them changes hands, the agent stays small and
//! answers, and what could not be owned is told.

use crate::start;
use harness::{Board, SOON, run, wait_until};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Another user, so that all is walked.
const OTHER: u32 = 20_000;
/// Files of the data folder, in so many folders.
const FILES: u32 = 100_000;
const FOLDERS: u32 = 100;
/// Most memory of the agent at all, and most that a walk may add, in KiB.
const MEMORY_KIB_MAX: u64 = 64 * 1024;
const GROWTH_KIB_MAX: u64 = 16 * 1024;
/// Longest time for the status document.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// A file that nobody may change, until this is dropped.
struct Immutable(PathBuf);

impl Immutable {
    fn make(path: PathBuf) -> Self {
        fs::write(&path, "x").unwrap();
        run("chattr", &["+i", &path.to_string_lossy()]);
        Self(path)
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        run("chattr", &["-i", &self.0.to_string_lossy()]);
    }
}

fn owner(path: &Path) -> (u32, u32) {
    let seen = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    (seen.uid(), seen.gid())
}

/// Folders with the longest names, so that the path to the last is longer than any call takes.
fn plant_deep(top: &Path) {
    let name = "n".repeat(255);
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let none = rustix::fs::Mode::empty();
    let mut folder = rustix::fs::open(top, flags, none).unwrap();
    for _ in 0..40 {
        rustix::fs::mkdirat(&folder, &*name, rustix::fs::Mode::RWXU).unwrap();
        folder = rustix::fs::openat(&folder, &*name, flags, none).unwrap();
    }
}

fn plant_many(top: &Path) {
    for folder in 0..FOLDERS {
        let folder = top.join(format!("many-{folder}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..FILES / FOLDERS {
            fs::File::create(folder.join(file.to_string())).unwrap();
        }
    }
}

#[test]
fn p6_nothing_outside_changes_hands_and_the_agent_stays_small_whatever_lies_in_the_volumes() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let (state, data) = (wallet.source("/state"), wallet.source("/data"));
    let etc = board.folder().join("canary");
    let (shadow, linked) = (etc.join("shadow"), etc.join("linked"));
    fs::create_dir(&etc).unwrap();
    fs::write(&shadow, "secret").unwrap();
    fs::write(&linked, "secret").unwrap();
    for top in [&state, &data] {
        symlink(&shadow, top.join("link")).unwrap();
        symlink(&etc, top.join("folder-link")).unwrap();
        symlink("../../../../canary/shadow", top.join("relative")).unwrap();
        run("mkfifo", &[&top.join("pipe").to_string_lossy()]);
        run("mknod", &[&top.join("device").to_string_lossy(), "c", "1", "3"]);
        plant_deep(top);
    }
    fs::hard_link(&linked, data.join("trap")).unwrap();
    plant_many(&data);
    let stuck = Immutable::make(data.join("stuck"));
    let before = board.agent().resident_kib();
    start::definition(&board).user(OTHER).define();
    board.agent().reload();
    wait_until(2 * SOON, "the update to end", || {
        let asked = Instant::now();
        let status = wallet.status();
        let passed = asked.elapsed();
        assert!(passed < ANSWER_TIME_MAX, "status took {passed:?}");
        let has_ended = status["update"].is_null() && status["last"]["id"] == "wallet-g2";
        if has_ended { Ok(()) } else { Err(format!("{status:#}")) }
    });
    let status = wallet.wait_ok();
    assert_eq!(status["last"]["outcome"], "committed", "{status:#}");
    let peak = board.agent().peak_kib();
    assert!(peak < MEMORY_KIB_MAX && peak < before + GROWTH_KIB_MAX, "{before}, then {peak} KiB");
    for path in [&etc, &shadow, &linked] {
        assert_eq!(owner(path), (0, 0), "{path:?}");
    }
    let warnings = status["warnings"].as_array().unwrap();
    let told = warnings.iter().find(|one| one["code"] == "not_owned");
    let told = told.unwrap_or_else(|| panic!("{warnings:?}"))["message"].as_str().unwrap();
    for what in ["device is a device", "trap has names outside the volume", "stuck: Operation not"]
    {
        assert!(told.contains(what), "{told}");
    }
    let fork = wallet.fork(2, "state");
    for path in ["link", "folder-link", "relative", "pipe"] {
        assert_eq!(owner(&fork.join(path)), (OTHER, OTHER), "{path}");
        assert_eq!(owner(&data.join(path)), (OTHER, OTHER), "{path}");
    }
    assert!(!fork.join("device").exists(), "no copy has a device");
    let last = data.join(format!("many-{}", FOLDERS - 1)).join("0");
    assert_eq!(owner(&last), (OTHER, OTHER));
    drop(stuck);
    // All of it can be taken away again.
    board.agent().ctl_well(&["stop", "wallet"]);
    wallet.wait_state("stopped");
    board.agent().ctl_well(&["purge", "wallet", "--yes"]);
    wait_until(2 * SOON, "the volumes to be gone", || !wallet.folder().exists());
    assert_eq!(fs::read(&shadow).unwrap(), b"secret");
    assert_eq!(fs::read(&linked).unwrap(), b"secret");
    assert_eq!(owner(&etc), (0, 0));
}
