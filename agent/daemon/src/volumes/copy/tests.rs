//! What a fork holds of its parent, and what lies in its way.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use super::*;
use crate::scratch::Scratch;
use crate::volumes::testing::{Board, OWNER, names, spec};
use crate::volumes::tree;

fn run(board: &Board) -> Result<Copied, VolumesError> {
    copy(&board.place, Generation(2), &Cancel::default())
}

fn fork(board: &Board, generation: u64) -> PathBuf {
    board.place.fork(Generation(generation))
}

/// Owner, mode and times: what is promised of each thing.
fn dressing(path: &Path) -> (u32, u32, u32, i64, i64) {
    let seen = fs::symlink_metadata(path).unwrap();
    (seen.uid(), seen.gid(), seen.mode(), seen.mtime(), seen.mtime_nsec())
}

fn age(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn p2_owner_mode_times_links_and_pipes_are_copied_and_the_parent_stays_as_it_is() {
    let board = Board::new();
    let state = board.complete(1);
    fs::create_dir_all(state.join("deep/er")).unwrap();
    fs::write(state.join("deep/keys"), "precious").unwrap();
    fs::write(state.join("deep/er/run"), "#!").unwrap();
    fs::write(state.join("empty"), "").unwrap();
    symlink("deep/keys", state.join("link")).unwrap();
    symlink("nowhere/at all", state.join("dangling")).unwrap();
    fs::hard_link(state.join("deep/keys"), state.join("twin")).unwrap();
    nix::unistd::mkfifo(&state.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    for (name, uid, mode) in [
        ("deep/keys", 1000, 0o640),
        ("deep/er/run", 2000, 0o4755),
        ("pipe", 7, 0o620),
        ("deep/er", 1000, 0o2750),
        ("deep", 3, 0o1777),
    ] {
        chown(state.join(name), Some(uid), Some(uid + 1)).unwrap();
        fs::set_permissions(state.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    rustix::fs::chownat(
        rustix::fs::CWD,
        state.join("link"),
        Some(rustix::fs::Uid::from_raw(9)),
        None,
        rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
    )
    .unwrap();
    for (n, name) in ["deep/keys", "deep/er/run", "deep/er", "deep", "."].iter().enumerate() {
        age(&state.join(name), 1_000_000 + n as u64);
    }
    let before: Vec<_> = names(&state).iter().map(|name| dressing(&state.join(name))).collect();

    board.reserve(2, Some(1));
    let copied = run(&board).unwrap();

    let new = fork(&board, 2).join("wallet");
    assert_eq!(names(&new), names(&state));
    for name in names(&state).iter().map(String::as_str).chain([""]) {
        assert_eq!(dressing(&new.join(name)), dressing(&state.join(name)), "{name}");
    }
    let after: Vec<_> = names(&state).iter().map(|name| dressing(&state.join(name))).collect();
    assert_eq!(before, after, "the parent was only read");
    assert_eq!(fs::read(new.join("deep/keys")).unwrap(), b"precious");
    assert_eq!(fs::read_link(new.join("dangling")).unwrap(), Path::new("nowhere/at all"));
    assert!(fs::metadata(new.join("pipe")).unwrap().file_type().is_fifo());
    let (a, b) =
        (fs::metadata(new.join("twin")).unwrap(), fs::metadata(new.join("deep/keys")).unwrap());
    assert_eq!((a.ino(), a.nlink()), (b.ino(), 2), "hard links stay hard links");
    assert_ne!(a.ino(), fs::metadata(state.join("twin")).unwrap().ino());
    assert_eq!((copied.entries, copied.bytes), (11, 10));
    assert!(copied.notes.is_empty());
    assert!(board.place.unfinished(Generation(2)).exists(), "it does not count yet");
}

#[test]
fn p2_attributes_and_access_control_lists_are_copied() {
    let board = Board::new();
    let state = board.complete(1);
    fs::create_dir(state.join("folder")).unwrap();
    for name in ["keys", "plain"] {
        fs::write(state.join(name), "precious").unwrap();
    }
    // Version 2; owner rw, user 1000 r, group none, mask r, others none: acl(5) as the kernel keeps it.
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, !0), (2, 4, 1000), (4, 0, !0), (0x10, 4, !0), (0x20, 0, !0)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let long = vec![b'x'; 300];
    let given: [(&str, &str, &[u8]); 5] = [
        ("keys", "user.origin", b"wallet \0 1"),
        ("keys", "user.empty", b""),
        ("keys", "system.posix_acl_access", &list),
        ("folder", "system.posix_acl_default", &list),
        ("folder", "user.long", &long),
    ];
    let none = rustix::fs::XattrFlags::empty();
    for (name, attribute, value) in given {
        rustix::fs::setxattr(state.join(name), attribute, value, none).unwrap();
    }
    let many: Vec<String> = (0..40).map(|n| format!("user.number-{n}")).collect();
    for attribute in &many {
        rustix::fs::setxattr(state.join("folder"), attribute, b"n", none).unwrap();
    }
    age(&state.join("keys"), 5);
    board.reserve(2, Some(1));
    let copied = run(&board).unwrap();
    assert!(copied.notes.is_empty(), "{:?}", copied.notes);
    let new = fork(&board, 2).join("wallet");
    let read = |path: PathBuf, attribute: &str| {
        let mut bytes = vec![0; 1024];
        rustix::fs::getxattr(path, attribute, &mut bytes[..]).map(|length| bytes[..length].to_vec())
    };
    for (name, attribute, value) in given {
        assert_eq!(read(new.join(name), attribute).as_deref(), Ok(value), "{name} {attribute}");
    }
    for attribute in &many {
        assert_eq!(read(new.join("folder"), attribute).as_deref(), Ok(b"n".as_slice()));
    }
    assert_eq!(read(new.join("plain"), "user.origin"), Err(rustix::io::Errno::NODATA));
    assert_eq!(dressing(&new.join("keys")), dressing(&state.join("keys")));
}

#[test]
fn p2_what_the_new_one_writes_does_not_reach_the_old_fork() {
    let board = Board::new();
    let state = board.complete(1);
    fs::write(state.join("keys"), "old").unwrap();
    board.reserve(2, Some(1));
    run(&board).unwrap();
    fs::write(fork(&board, 2).join("wallet/keys"), "new").unwrap();
    assert_eq!(fs::read(state.join("keys")).unwrap(), b"old");
}

#[test]
fn p2_a_half_copy_of_a_power_cut_is_set_aside_and_not_copied_over() {
    let board = Board::new();
    let state = board.complete(1);
    fs::write(state.join("keys"), "precious").unwrap();
    board.reserve(2, Some(1));
    fs::write(fork(&board, 2).join("wallet/keys"), "prec").unwrap();
    fs::write(fork(&board, 2).join("wallet/other"), "left").unwrap();
    run(&board).unwrap();
    assert_eq!(names(&fork(&board, 2)), ["wallet", "wallet/keys"]);
    let aside = board.place.beside_fork(Generation(2), "old-1");
    assert_eq!(fs::read(aside.join("wallet/other")).unwrap(), b"left");
    // Cut off again, after the old folder was moved and before the new one was made:
    fs::remove_dir_all(fork(&board, 2)).unwrap();
    run(&board).unwrap();
    assert_eq!(fs::read(fork(&board, 2).join("wallet/keys")).unwrap(), b"precious");
}

#[test]
fn p2_a_complete_fork_that_is_copied_anew_is_unfinished_first() {
    let board = Board::new();
    board.complete(1);
    let made = board.reserve(2, Some(1));
    run(&board).unwrap();
    forks::finish(&board.place, Generation(2), None, made.spec, OWNER).unwrap();
    fs::remove_dir_all(fork(&board, 1)).unwrap();
    assert!(matches!(run(&board), Err(VolumesError::NoParent { .. })));
    assert!(!board.place.unfinished(Generation(2)).exists(), "nothing was begun");
}

#[test]
fn p2_an_unfinished_or_missing_parent_is_not_copied() {
    let board = Board::new();
    board.complete(1);
    board.reserve(2, Some(1));
    forks::unfinish(&board.place, Generation(1)).unwrap();
    assert!(matches!(run(&board), Err(VolumesError::NoParent { parent: Generation(1), .. })));
    fs::remove_file(board.place.unfinished(Generation(1))).unwrap();
    fs::remove_dir_all(fork(&board, 1)).unwrap();
    symlink("/etc", fork(&board, 1)).unwrap();
    assert!(matches!(run(&board), Err(VolumesError::NoParent { .. })), "a link is no fork");
}

#[test]
fn keys_come_along_whether_the_new_specification_has_them_or_not() {
    let board = Board::new();
    let old = board.reserve_with(1, None, spec(&["/wallet", "/gone"], &[]));
    forks::finish(&board.place, Generation(1), None, old.spec, OWNER).unwrap();
    fs::write(fork(&board, 1).join("gone/file"), "x").unwrap();
    board.reserve_with(2, Some(1), spec(&["/wallet", "/new"], &[]));
    run(&board).unwrap();
    assert_eq!(names(&fork(&board, 2)), ["gone", "gone/file", "new", "wallet"]);
}

#[test]
fn without_a_parent_the_fork_is_made_empty() {
    let board = Board::new();
    board.reserve(2, None);
    fs::write(fork(&board, 2).join("wallet/half"), "seed").unwrap();
    assert_eq!(run(&board).unwrap(), Copied::default());
    assert_eq!(names(&fork(&board, 2)), ["wallet"]);
}

#[test]
fn p10_links_in_the_state_are_copied_as_links_and_nothing_outside_is_read_or_written() {
    let board = Board::new();
    let state = board.complete(1);
    let secret = board.outside().join("shadow");
    fs::write(&secret, "root:secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&secret, state.join("absolute")).unwrap();
    symlink("../../../../../shadow", state.join("relative")).unwrap();
    symlink(board.outside(), state.join("folder")).unwrap();
    symlink("self", state.join("self")).unwrap();
    board.reserve(2, Some(1));
    run(&board).unwrap();
    let new = fork(&board, 2).join("wallet");
    for name in ["absolute", "relative", "folder", "self"] {
        assert!(fs::symlink_metadata(new.join(name)).unwrap().is_symlink(), "{name}");
    }
    assert_eq!(fs::read_link(new.join("absolute")).unwrap(), secret);
    assert_eq!(dressing(&secret).2 & 0o7777, 0o600);
}

#[test]
fn sockets_devices_and_mounts_are_left_out_with_a_note() {
    let board = Board::new();
    let state = board.complete(1);
    let _socket = UnixListener::bind(state.join("socket")).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(rustix::fs::CWD, state.join("null"), FileType::CharacterDevice, mode, null)
        .unwrap();
    let disk = Scratch::disk(64 * 1024);
    fs::create_dir(state.join("mounted")).unwrap();
    let flags = nix::mount::MsFlags::MS_BIND;
    nix::mount::mount(Some(disk.path()), &state.join("mounted"), None::<&str>, flags, None::<&str>)
        .unwrap();
    fs::write(state.join("keys"), "x").unwrap();
    board.reserve(2, Some(1));
    let copied = run(&board);
    nix::mount::umount2(&state.join("mounted"), nix::mount::MntFlags::MNT_DETACH).unwrap();
    let mut notes = copied.unwrap().notes.first;
    notes.sort();
    assert_eq!(names(&fork(&board, 2).join("wallet")), ["keys"]);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].ends_with("mounted was not copied: another disk is mounted there"));
    assert!(notes[1].ends_with("null was not copied: it is a device"));
    assert!(notes[2].ends_with("socket was not copied: it is a socket"));
}

#[test]
fn p10_a_tree_that_is_too_deep_is_refused_and_leaves_nothing_behind() {
    let board = Board::new();
    let state = board.complete(1);
    // The fork and its key are two levels of their own.
    tree::tests::deep(&state, DEPTH_MAX - 1);
    board.reserve(2, Some(1));
    run(&board).unwrap();
    assert_eq!(names(&fork(&board, 2)).len(), DEPTH_MAX + 1);
    fs::remove_dir_all(&state).unwrap();
    fs::create_dir(&state).unwrap();
    tree::tests::deep(&state, DEPTH_MAX);
    assert!(matches!(run(&board), Err(VolumesError::TooDeep { .. })));
    assert_eq!(names(&fork(&board, 2)), ["wallet"]);
}

#[test]
fn p1_a_copy_that_meets_a_full_disk_gives_back_all_that_it_took() {
    let board = Board::on(Scratch::disk(4 * 1024 * 1024));
    let state = board.complete(1);
    for n in 0..10 {
        fs::write(state.join(format!("file-{n}")), vec![b'x'; 200_000]).unwrap();
    }
    board.reserve(2, Some(1));
    fs::write(board.outside().join("other"), vec![b'x'; 1_000_000]).unwrap();
    let free = crate::volumes::space::free_bytes(board.outside()).unwrap();
    let error = run(&board).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(names(&fork(&board, 2)), ["wallet"]);
    assert!(board.place.unfinished(Generation(2)).exists());
    assert_eq!(crate::volumes::space::free_bytes(board.outside()).unwrap(), free);
    fs::remove_file(board.outside().join("other")).unwrap();
    run(&board).unwrap();
    assert_eq!(names(&fork(&board, 2).join("wallet")).len(), 10);
}

#[test]
fn a_cancelled_copy_leaves_nothing() {
    let board = Board::new();
    let state = board.complete(1);
    fs::write(state.join("keys"), "x").unwrap();
    board.reserve(2, Some(1));
    let cancel = Cancel::default();
    cancel.cancel();
    let copied = copy(&board.place, Generation(2), &cancel);
    assert!(matches!(copied, Err(VolumesError::Cancelled)));
    assert_eq!(names(&fork(&board, 2)), ["wallet"]);
}

#[test]
fn a_state_of_many_hard_links_and_names_is_copied() {
    let board = Board::new();
    let state = board.complete(1);
    for n in 0..300 {
        let name = format!("{n:03}-{}", "n".repeat(200));
        fs::create_dir(state.join(&name)).unwrap();
        fs::write(state.join(&name).join("a"), name.as_bytes()).unwrap();
        fs::hard_link(state.join(&name).join("a"), state.join(format!("link-{n}"))).unwrap();
    }
    fs::write(state.join("with\nnewline"), "").unwrap();
    board.reserve(2, Some(1));
    run(&board).unwrap();
    let new = fork(&board, 2).join("wallet");
    assert_eq!(names(&new), names(&state));
    assert_eq!(fs::metadata(new.join("link-299")).unwrap().nlink(), 2);
}
