//! Ownership, against an app that changes its volume while it is walked, and one that fills it.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags};

use super::*;
use crate::volumes::{copy, forks, purge};

/// Root.
const ROOT: Owner = Owner { uid: 0, gid: 0 };

/// Swaps that each race must have seen, and walks.
const SWAPS: u64 = 5_000;
const WALKS: u64 = 50;

/// Rounds of the race with a removal; each must have seen a swap.
const REMOVALS: u64 = 100;

/// Far above what a race takes: one that sees no swaps fails, it does not hang.
const RACE_MAX: Duration = Duration::from_secs(120);

/// Ends the other side of a race, also where this one fails: the scope waits for it.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What lies beside the volume root, and must stay as it is: a folder with a file in it.
struct Canary {
    folder: PathBuf,
    secret: PathBuf,
}

impl Canary {
    fn beside(board: &Board) -> Self {
        let folder = board.outside().join("etc");
        let secret = folder.join("shadow");
        fs::create_dir(&folder).unwrap();
        fs::write(&secret, "secret").unwrap();
        Self { folder, secret }
    }

    fn assert_untouched(&self) {
        assert_eq!((owner(&self.folder), owner(&self.secret)), (ROOT, ROOT));
        assert_eq!(fs::read(&self.secret).unwrap(), b"secret");
        assert_eq!(fs::read_dir(&self.folder).unwrap().count(), 1);
    }
}

/// In `top`: a folder and a link to the canary's, a file and a link to the canary's, a file and a pipe; two and two
/// change places all the time while `act` is called, until enough swaps were made.
fn race(top: &Path, canary: &Canary, mut act: impl FnMut()) {
    let (folder, file, other) = (top.join("folder"), top.join("file"), top.join("other"));
    let (trap, bait, pipe) = (top.join("trap"), top.join("bait"), top.join("pipe"));
    fs::create_dir_all(folder.join("deeper")).unwrap();
    fs::write(folder.join("deeper/shadow"), "own").unwrap();
    fs::write(&file, "own").unwrap();
    fs::write(&other, "own").unwrap();
    symlink(&canary.folder, &trap).unwrap();
    symlink(&canary.secret, &bait).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let (swaps, ends) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let pairs = [(&folder, &trap), (&file, &bait), (&other, &pipe)];
            for (a, b) in pairs.iter().cycle() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                match rustix::fs::renameat_with(CWD, *a, CWD, *b, RenameFlags::EXCHANGE) {
                    Ok(()) => drop(swaps.fetch_add(1, Ordering::Relaxed)),
                    // What `act` removes can't be swapped any more.
                    Err(_) => std::thread::yield_now(),
                }
            }
        });
        let _ends = Ends(&ends);
        let (mut walks, begun) = (0, Instant::now());
        while walks < WALKS || swaps.load(Ordering::Relaxed) < SWAPS {
            act();
            walks += 1;
            assert!(begun.elapsed() < RACE_MAX, "{swaps:?} swaps in {walks} walks");
            canary.assert_untouched();
        }
    });
}

#[test]
fn p6_nothing_outside_changes_hands_while_folders_and_files_are_swapped_with_links() {
    let board = Board::new();
    board.reserve(1, None);
    let canary = Canary::beside(&board);
    let (mut changed, mut whose) = (0, OWNER);
    race(&top(&board), &canary, || {
        let owned = own(
            &board.place,
            &wallet(),
            Generation(1),
            whose,
            &Stubborn::default(),
            &Cancel::default(),
        );
        changed += owned.unwrap().changed;
        whose = if whose == OWNER { OTHER } else { OWNER };
    });
    assert!(changed > WALKS, "{changed}: it walked meanwhile");
}

#[test]
fn p10_nothing_outside_is_read_into_a_copy_while_folders_and_files_are_swapped_with_links() {
    let board = Board::new();
    board.complete(1);
    let canary = Canary::beside(&board);
    board.reserve(2, Some(1));
    let mut entries = 0;
    race(&top(&board), &canary, || {
        // A file that changed meanwhile ends a copy; it is then made anew.
        let copied = copy::copy(&board.place, Generation(2), &Cancel::default());
        entries += copied.map_or(0, |copied| copied.entries);
        let fork = board.place.fork(Generation(2));
        for name in crate::volumes::testing::names(&fork) {
            let path = fork.join(name);
            if fs::symlink_metadata(&path).unwrap().is_file() {
                assert_ne!(fs::read(&path).unwrap(), b"secret", "{path:?}");
            }
        }
        crate::volumes::prune::prune_set_aside(&board.place, &board.system(), &Cancel::default())
            .unwrap();
    });
    assert!(entries > 0, "it copied meanwhile");
}

#[test]
fn p10_nothing_outside_is_removed_while_folders_and_files_are_swapped_with_links() {
    let board = Board::new();
    let canary = Canary::beside(&board);
    let top = board.outside().join("top");
    let (mut removed, mut round) = (0, 0);
    let swaps = AtomicU64::new(0);
    fs::create_dir(&top).unwrap();
    while round < REMOVALS {
        round += 1;
        let (folder, trap) = (top.join("folder"), top.join("trap"));
        fs::create_dir_all(folder.join("deeper")).unwrap();
        fs::write(folder.join("deeper/shadow"), "own").unwrap();
        symlink(&canary.folder, &trap).unwrap();
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let flags = RenameFlags::EXCHANGE;
                    // What is removed by then can't be swapped any more.
                    if rustix::fs::renameat_with(CWD, &folder, CWD, &trap, flags).is_ok() {
                        swaps.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            let _ends = Ends(&ends);
            // The other side is at it by now.
            let (before, begun) = (swaps.load(Ordering::Relaxed), Instant::now());
            while swaps.load(Ordering::Relaxed) == before {
                assert!(begun.elapsed() < RACE_MAX, "nothing is swapped");
                std::thread::yield_now();
            }
            // It may be refused, then it is made again.
            removed += u32::from(tree::empty(&top, &Cancel::default()).is_ok());
        });
        canary.assert_untouched();
        tree::empty(&top, &Cancel::default()).unwrap();
        assert!(tree::is_empty(&top).unwrap());
    }
    assert!(removed > 0, "some were not refused");
    let swaps = swaps.into_inner();
    assert!(swaps >= REMOVALS, "{swaps}: it was swapped in every round");
}

/// Folders with the longest names, so that the path to the last is longer than any call takes.
fn long(top: &Path, depth: usize) -> OwnedFd {
    let name = CString::new(vec![b'n'; 255]).unwrap();
    let mut folder = tree::open_folder(top).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&folder, &name, Mode::RWXU).unwrap();
        folder = tree::open_folder_in(&folder, &name).unwrap();
    }
    folder
}

#[test]
fn a_path_longer_than_any_call_takes_is_owned_copied_and_removed() {
    let board = Board::new();
    board.complete(1);
    let last = long(&top(&board), tree::DEPTH_MAX - 1);
    run(&board, &wallet());
    assert_eq!(Meta::of(&last).unwrap().owner, OWNER);
    board.reserve(2, Some(1));
    let copied = copy::copy(&board.place, Generation(2), &Cancel::default()).unwrap();
    assert_eq!(copied.entries, 2 + tree::DEPTH_MAX as u64 - 1, "{copied:?}");
    purge::purge(&board.place, &board.system(), &Cancel::default()).unwrap();
    assert!(!board.place.folder().exists());
}

#[test]
fn a_hundred_thousand_files_with_several_names_are_owned_in_bounded_memory() {
    let board = Board::new();
    board.reserve(1, None);
    let folder = tree::open_folder(&top(&board)).unwrap();
    let inside = tree::open_folder(board.outside()).unwrap();
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let count = LINKED_MAX + 10;
    for n in 0..count {
        // The worst of all: each has a second name that is never met, so each is kept in mind.
        let name = format!("{n}");
        rustix::fs::openat(&folder, &*name, flags, Mode::RUSR).unwrap();
        rustix::fs::linkat(&folder, &*name, &inside, &*name, rustix::fs::AtFlags::empty()).unwrap();
    }
    let mut owned = Owned::default();
    let volume = top(&board);
    let mut walk = Walk::over(&volume, Belongs::to(&wallet(), OWNER), &mut owned).unwrap();
    let walked = tree::open_folder(&volume).unwrap();
    tree::walk(walked, walk.top, &Cancel::default(), &mut |seen| walk.visit(seen)).unwrap();
    assert_eq!(walk.linked.len(), LINKED_MAX);
    let with_path = walk.linked.values().filter(|linked| linked.path.is_some()).count();
    assert_eq!(with_path, crate::volumes::notes::NOTES_MAX, "the others are a number each");
    assert_eq!((owned.changed, owned.notes.first.len()), (0, 10), "{owned:?}");
    forks::unfinish(&board.place, Generation(1)).unwrap();
}
