//! Files after a crash at each point, and on a full disk.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::scratch::{Scratch, fill};

#[test]
fn p1_a_file_is_replaced_whole_and_with_its_mode() {
    let scratch = Scratch::new();
    let path = scratch.path().join("file");
    replace(&path, b"old", 0o600).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    replace(&path, b"new", 0o640).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn p1_a_leftover_of_a_power_cut_is_no_obstacle_and_a_link_is_not_written_through() {
    let scratch = Scratch::new();
    let (path, victim) = (scratch.path().join("file"), scratch.path().join("victim"));
    fs::write(&victim, "untouched").unwrap();
    fs::write(scratch.path().join("file.new"), "half").unwrap();
    replace(&path, b"one", 0o600).unwrap();
    symlink(&victim, scratch.path().join("file.new")).unwrap();
    replace(&path, b"two", 0o600).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&victim, &path).unwrap();
    replace(&path, b"three", 0o600).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    assert_eq!(fs::read(&path).unwrap(), b"three");
}

#[test]
fn p1_the_former_file_is_kept_at_every_instant() {
    let scratch = Scratch::new();
    let (path, former) = (scratch.path().join("r"), scratch.path().join("r.1"));
    replace_keeping(&path, &former, b"1", 0o600).unwrap();
    assert!(!former.exists());
    replace_keeping(&path, &former, b"2", 0o600).unwrap();
    assert_eq!(fs::read(&former).unwrap(), b"1");
    // A power cut between the two renames: both names are links of one file.
    fs::hard_link(&path, scratch.path().join("r.1.new")).unwrap();
    commit(&scratch.path().join("r.1.new"), &former).unwrap();
    fs::write(scratch.path().join("r.new"), b"3, cut o").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"2");
    replace_keeping(&path, &former, b"3", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"3");
    assert_eq!(fs::read(&former).unwrap(), b"2");
}

#[test]
fn p1_a_full_disk_leaves_the_old_file_and_no_leftover() {
    let disk = Scratch::disk(256 * 1024);
    let path = disk.path().join("file");
    replace(&path, b"old", 0o600).unwrap();
    fill(disk.path());
    let error = replace(&path, &[b'n'; 8192], 0o600).unwrap_err();
    assert!(is_full(&error), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(!disk.path().join("file.new").exists());
}

#[test]
fn p1_room_is_given_up_once_for_a_write_on_a_full_disk_and_made_again() {
    let disk = Scratch::disk(512 * 1024);
    let (path, room) = (disk.path().join("file"), disk.path().join("room"));
    ensure_room(&room).unwrap();
    assert_eq!(fs::metadata(&room).unwrap().blocks() * 512, ROOM_BYTES);
    fill(disk.path());
    let write = || replace(&path, &[b'n'; 60_000], 0o600);
    with_room(&room, write).unwrap();
    assert!(!room.exists());
    fill(disk.path());
    let again = with_room(&room, || replace(&path, &[b'm'; 60_000], 0o600));
    assert!(is_full(&again.unwrap_err()), "no room was left to give up");
    assert!(ensure_room(&room).is_err());
    assert!(!disk.path().join("room.new").exists());
    fs::remove_file(disk.path().join("filler")).unwrap();
    ensure_room(&room).unwrap();
    assert!(room.exists());
}

#[test]
fn p2_set_aside_never_replaces_and_a_folder_moves_only_onto_an_empty_one() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name);
    for name in ["a", "b", "taken", "empty"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("taken").join("precious"), "x").unwrap();
    let error = set_aside(&at("a"), &at("b")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    set_aside(&at("a"), &at("a.old-1")).unwrap();
    assert!(at("a.old-1").is_dir() && !at("a").exists());
    let error = move_onto_empty(&at("b"), &at("taken")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
    assert!(at("taken").join("precious").exists());
    move_onto_empty(&at("b"), &at("empty")).unwrap();
    assert!(at("empty").is_dir() && !at("b").exists());
}

#[test]
fn a_marker_and_a_folder_can_be_made_again_but_not_over_something_else() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name);
    for _ in 0..2 {
        create_marker(&at("marker")).unwrap();
        create_folder(&at("folder"), 0o711).unwrap();
    }
    assert_eq!(fs::metadata(at("folder")).unwrap().mode() & 0o7777, 0o711);
    assert!(remove(&at("marker")).unwrap());
    assert!(!remove(&at("marker")).unwrap());
    symlink(at("folder"), at("link")).unwrap();
    assert!(create_folder(&at("link"), 0o711).is_err());
}
