//! Forks in every state that a crash leaves.

use std::os::unix::fs::{MetadataExt, symlink};

use titania_core::fork::Mark;
use titania_core::names::Owner;
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

use super::*;
use crate::scratch::{Scratch, fill};
use crate::volumes::testing::{Board, OWNER, data, file, names, spec};
use crate::volumes::{prune, size};
use crate::workers::Cancel;

fn listed(board: &Board) -> Vec<Fork> {
    list(&board.place, &Stubborn::default()).unwrap()
}

fn committed(count: u64) -> Mark {
    Mark::Committed { count }
}

fn mode(path: &Path) -> (u32, u32) {
    let seen = fs::symlink_metadata(path).unwrap();
    (seen.mode() & 0o7777, seen.uid())
}

#[test]
fn a_reserved_fork_is_empty_unfinished_and_has_all_folders_that_create_needs() {
    let board = Board::new();
    let spec = spec(&["/wallet", "/etc/app"], &[data("/data/.skycoin")]);
    let made = board.reserve_with(7, Some(6), spec);
    let app = board.place.folder();
    assert_eq!(
        names(&app),
        [
            "data",
            "data/data-.skycoin",
            "state",
            "state/.room",
            "state/7",
            "state/7.json",
            "state/7.unfinished",
            "state/7/etc-app",
            "state/7/wallet",
        ]
    );
    for own in [&app, &app.join("state"), &app.join("data")] {
        assert_eq!(mode(own), (0o711, 0));
    }
    for volume in ["state/7", "state/7/wallet", "data/data-.skycoin"] {
        assert_eq!(mode(&app.join(volume)).0, 0o700);
    }
    let fork = listed(&board).remove(0);
    assert_eq!(fork.file, Some(made));
    assert!(fork.folder && fork.unfinished && !fork.owned && !fork.is_complete());
}

#[test]
fn p1_reserving_can_be_cut_off_anywhere_and_done_again() {
    let board = Board::new();
    for leftover in ["state", "state/7.unfinished", "state/7/wallet", "state/7.json"] {
        let path = board.place.folder().join(leftover);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if leftover.contains('.') {
            fs::write(&path, "").unwrap();
        } else {
            fs::create_dir_all(&path).unwrap();
        }
        board.reserve(7, None);
        assert_eq!(listed(&board).len(), 1, "{leftover}");
        assert!(listed(&board)[0].file.is_some());
        fs::remove_dir_all(board.place.folder()).unwrap();
        fs::create_dir(board.place.folder()).unwrap();
    }
}

#[test]
fn p1_a_fork_whose_copy_was_cut_off_before_its_folders_were_made_is_reserved_again() {
    let board = Board::new();
    board.reserve_with(7, None, spec(&["/wallet", "/etc/app"], &[]));
    fs::remove_dir(board.place.fork(Generation(7)).join("wallet")).unwrap();
    let fork = listed(&board).remove(0);
    assert!(
        !fork.folder && fork.unfinished,
        "else the engine refuses to make its container for ever"
    );
    reserve(&board.place, &fork.file.unwrap()).unwrap();
    assert!(listed(&board)[0].folder);
    assert!(board.place.fork(Generation(7)).join("wallet").is_dir());
}

#[test]
fn p2_what_lies_at_a_new_fork_is_set_aside_never_overwritten() {
    let board = Board::new();
    for n in 1..=2 {
        fs::create_dir_all(board.place.fork(Generation(7)).join("wallet")).unwrap();
        let keys = board.place.fork(Generation(7)).join("wallet/keys");
        fs::write(keys, format!("precious {n}")).unwrap();
        board.reserve(7, None);
        let aside = board.place.beside_fork(Generation(7), &format!("old-{n}"));
        assert_eq!(fs::read_to_string(aside.join("wallet/keys")).unwrap(), format!("precious {n}"));
    }
    assert!(tree::is_bare(&board.place.fork(Generation(7))).unwrap());
    fs::remove_dir_all(board.place.fork(Generation(7))).unwrap();
    symlink("/etc", board.place.fork(Generation(7))).unwrap();
    assert!(!listed(&board)[0].folder, "a link is no fork");
    board.reserve(7, None);
    assert!(board.place.fork(Generation(7)).join("wallet").is_dir());
    assert!(!Path::new("/etc/wallet").exists());
}

#[test]
fn p2_nothing_is_made_below_a_root_that_is_not_the_boards() {
    let board = Board::new();
    fs::remove_file(board.place.root().join(crate::volumes::root::ID_FILE)).unwrap();
    let error = reserve(&board.place, &file(1, None, spec(&["/w"], &[]))).unwrap_err();
    assert_eq!(error.reason(Timestamp(0)).code, Code::VolumesMissing);
    assert_eq!(names(board.place.root()), Vec::<String>::new());
}

#[test]
fn p1_a_marked_fork_is_never_reserved_again() {
    let board = Board::new();
    let folder = board.complete(7);
    fs::write(folder.join("keys"), "precious").unwrap();
    files::mark(&board.place, Generation(7), committed(1)).unwrap();
    let again = reserve(&board.place, &file(7, None, spec(&["/wallet"], &[])));
    assert!(matches!(again, Err(VolumesError::Marked { .. })));
    assert!(listed(&board)[0].is_complete());
    assert_eq!(fs::read(folder.join("keys")).unwrap(), b"precious");
}

#[test]
fn a_fork_is_finished_marked_and_unfinished() {
    let board = Board::new();
    let made = board.reserve(7, None);
    let started = Some(StartedAt("2026-11-23T21:00:00.123456789Z".to_owned()));
    finish(&board.place, Generation(7), started.clone(), made.spec, OWNER).unwrap();
    let fork = listed(&board).remove(0);
    assert!(fork.is_complete());
    let written = fork.file.as_ref().unwrap();
    assert_eq!(written.parent_started_at, started);
    assert_eq!(written.owner(), Some(OWNER));
    let mark = Mark::Failed {
        reason: Reason::new(Code::Exited, Class::Release, "it exited", "", Timestamp(5)),
        ran: true,
        step: titania_core::status::StepName::Probation,
        word: None,
    };
    for mark in [mark, committed(3)] {
        files::mark(&board.place, Generation(7), mark.clone()).unwrap();
        assert_eq!(listed(&board)[0].file.as_ref().unwrap().mark, Some(mark));
    }
    unfinish(&board.place, Generation(7)).unwrap();
    assert!(!listed(&board)[0].is_complete());
    assert_eq!(listed(&board)[0].committed(), Some(3));
}

#[test]
fn a_fork_that_a_container_ran_on_unfinished_is_set_aside_whole() {
    let board = Board::new();
    board.reserve(7, None);
    let keys = board.place.fork(Generation(7)).join("wallet/keys");
    fs::write(&keys, "written too early").unwrap();
    set_aside(&board.place, Generation(7)).unwrap();
    assert!(tree::is_bare(&board.place.fork(Generation(7))).unwrap());
    assert!(board.place.fork(Generation(7)).join("wallet").is_dir());
    assert!(board.place.beside_fork(Generation(7), "old-1").join("wallet/keys").exists());
    set_aside(&board.place, Generation(7)).unwrap();
    assert!(!board.place.beside_fork(Generation(7), "old-2").exists(), "nothing was in it");
}

#[test]
fn the_list_reads_what_it_can_and_ignores_what_is_no_fork() {
    let board = Board::new();
    board.complete(7);
    let state = board.place.state();
    for name in
        ["8.json", "9.unfinished", "007.json", "x.json", "10.json.new", "11.old-1.json", "-1"]
    {
        fs::write(state.join(name), "{\"schema\":1,\"gen").unwrap();
    }
    fs::create_dir(state.join("12")).unwrap();
    fs::create_dir(state.join("13.old-1")).unwrap();
    fs::copy(state.join("7.json"), state.join("14.json")).unwrap();
    let seen: Vec<_> = listed(&board)
        .iter()
        .map(|f| (f.generation.0, f.file.is_some(), f.folder, f.unfinished))
        .collect();
    assert_eq!(
        seen,
        [
            (7, true, true, false),
            (8, false, false, false),
            (9, false, false, true),
            (12, false, true, false),
            (14, false, false, false), // the file of another fork
        ]
    );
    fs::write(state.join("15.json"), "{\"schema\":2,\"new\":true}").unwrap();
    let error = list(&board.place, &Stubborn::default()).unwrap_err();
    assert!(matches!(error, VolumesError::Newer { schema: 2, .. }));
}

#[test]
fn a_fork_is_owned_when_it_and_the_data_belong_to_the_owner_in_its_file() {
    let board = Board::new();
    let made = board.reserve_with(7, None, spec(&["/wallet"], &[data("/data")]));
    finish(&board.place, Generation(7), None, made.spec, OWNER).unwrap();
    let fork = board.place.fork(Generation(7));
    let give = |path: &Path, owner: Owner| {
        std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).unwrap();
    };
    for path in [fork.clone(), fork.join("wallet")] {
        assert!(!listed(&board)[0].owned);
        give(&path, OWNER);
    }
    let data = board.place.data_volume("data");
    assert!(!listed(&board)[0].owned);
    give(&data, OWNER);
    assert!(listed(&board)[0].owned);
    fs::write(board.place.beside_fork(Generation(7), own::OWNING), "").unwrap();
    assert!(!listed(&board)[0].owned, "a walk was cut off");
    fs::remove_file(board.place.beside_fork(Generation(7), own::OWNING)).unwrap();
    give(&data, Owner { uid: 1, gid: 1 });
    assert!(!listed(&board)[0].owned, "another generation had the data");
}

#[test]
fn pruning_takes_forks_with_all_beside_them_and_leaves_the_file_of_the_highest() {
    let board = Board::new();
    for n in [3, 4, 5] {
        let folder = board.complete(n);
        fs::write(folder.join("keys"), "x").unwrap();
        fs::create_dir(board.place.beside_fork(Generation(n), "old-1")).unwrap();
        fs::create_dir(board.place.beside_fork(Generation(n), "old-10")).unwrap();
    }
    fs::create_dir(board.place.beside_fork(Generation(3), "seed")).unwrap();
    let prune = |forks: &[u64]| {
        let forks: Vec<_> = forks.iter().copied().map(Generation).collect();
        prune::prune(&board.place, &board.system(), &forks, &Cancel::default()).unwrap();
    };
    prune(&[3, 99]);
    let left = names(&board.place.state());
    assert!(left.iter().all(|name| !name.starts_with('3')), "{left:?}");
    prune(&[5]);
    assert_eq!(
        names(&board.place.state()),
        [".room", "4", "4.json", "4.old-1", "4.old-10", "4/wallet", "4/wallet/keys", "5.json"]
    );
    assert!(listed(&board)[1].file.is_some() && !listed(&board)[1].is_complete());
    prune::prune_set_aside(&board.place, &board.system(), &Cancel::default()).unwrap();
    assert!(!board.place.beside_fork(Generation(4), "old-1").exists());
    assert!(listed(&board)[0].is_complete());
}

#[test]
fn a_pruning_cut_off_leaves_no_fork_that_counts() {
    let board = Board::new();
    board.complete(3);
    board.complete(4);
    let cancel = Cancel::default();
    cancel.cancel();
    assert!(prune::prune(&board.place, &board.system(), &[Generation(3)], &cancel).is_err());
    let fork = listed(&board).remove(0);
    assert!(fork.generation == Generation(3) && !fork.is_complete());
    prune::prune(&board.place, &board.system(), &[Generation(3)], &Cancel::default()).unwrap();
    assert_eq!(listed(&board).len(), 1);
}

#[test]
fn p1_a_mark_and_a_marker_are_written_on_a_full_disk_by_giving_up_the_room() {
    for act in ["mark", "unfinish"] {
        let board = Board::on(Scratch::disk(1024 * 1024));
        board.complete(7);
        fill(board.outside());
        match act {
            "mark" => files::mark(&board.place, Generation(7), committed(1)).unwrap(),
            _ => {
                // An empty file takes no block here: the limit is on names.
                unfinish(&board.place, Generation(7)).unwrap();
            }
        }
        let fork = listed(&board).remove(0);
        assert!(fork.committed() == Some(1) || fork.unfinished, "{act}");
        assert_eq!(board.place.room().exists(), act == "unfinish");
    }
}

#[test]
fn p1_a_mark_that_can_not_be_written_leaves_the_file_as_it_was() {
    let board = Board::on(Scratch::disk(1024 * 1024));
    board.complete(7);
    fs::remove_file(board.place.room()).unwrap();
    fill(board.outside());
    let error = files::mark(&board.place, Generation(7), committed(1)).unwrap_err();
    assert_eq!(error.reason(Timestamp(0)).code, Code::DiskLow);
    assert!(listed(&board)[0].file.as_ref().unwrap().mark.is_none());
    let again = reserve(&board.place, &file(8, Some(7), spec(&["/wallet"], &[])));
    assert!(again.unwrap_err().is_disk_full());
    fs::remove_file(board.outside().join("filler")).unwrap();
    board.reserve(8, Some(7));
    assert!(board.place.room().exists());
}

#[test]
fn the_size_counts_blocks_and_each_hard_linked_file_once() {
    let board = Board::new();
    let folder = board.complete(7);
    fs::write(folder.join("a"), vec![b'x'; 100_000]).unwrap();
    fs::hard_link(folder.join("a"), folder.join("b")).unwrap();
    fs::File::create(folder.join("hole")).unwrap().set_len(1 << 30).unwrap();
    let size = size::of_fork(&board.place, Generation(7), &Cancel::default()).unwrap();
    assert!((100_000..150_000).contains(&size.bytes), "{size:?}");
    assert_eq!((size.entries, size.is_more), (4, false));
    let none = size::of_fork(&board.place, Generation(8), &Cancel::default()).unwrap();
    assert_eq!(none.bytes, 0);
}

#[test]
fn apps_are_the_folders_of_the_root_that_are_names() {
    let board = Board::new();
    board.reserve(1, None);
    for name in ["tor", "Not An App", "lost+found", "a-g7"] {
        fs::create_dir(board.place.root().join(name)).unwrap();
    }
    let apps: Vec<_> = apps(board.place.root()).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(apps, ["tor", "wallet"]);
}
