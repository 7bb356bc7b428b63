//! What a purge takes, what it leaves, and what a crash in it leaves for the next one.

use std::fs;

use super::*;
use crate::volumes::forks;
use crate::volumes::testing::{Board, data, source, spec};

fn purged(board: &Board) -> Result<(), VolumesError> {
    purge(&board.place, &board.system(), &Cancel::default())
}

#[test]
fn p2_a_purge_takes_the_apps_own_folder_and_nothing_else() {
    let board = Board::new();
    let usb = board.outside().join("usb");
    fs::create_dir(&usb).unwrap();
    fs::write(usb.join("song"), "of others").unwrap();
    let spec = spec(&["/wallet"], &[data("/data"), source("/media", &usb)]);
    board.reserve_with(1, None, spec);
    fs::write(board.place.fork(titania_core::names::Generation(1)).join("wallet/key"), "k")
        .unwrap();
    std::os::unix::fs::symlink(&usb, board.place.data().join("data/link")).unwrap();
    let other = board.place.root().join("tor");
    fs::create_dir(&other).unwrap();
    purged(&board).unwrap();
    assert!(!board.place.folder().exists() && !nameless(&board.place).exists());
    assert_eq!(fs::read(usb.join("song")).unwrap(), b"of others");
    assert!(other.exists());
    assert_eq!(forks::apps(board.place.root()).unwrap().len(), 1, "the other");
    purged(&board).unwrap();
}

#[test]
fn p2_a_purge_cut_off_after_the_rename_is_finished_by_the_next() {
    let board = Board::new();
    board.complete(1);
    durable::set_aside(&board.place.folder(), &nameless(&board.place)).unwrap();
    assert_eq!(forks::apps(board.place.root()).unwrap(), [], "it is no app's any more");
    board.complete(1); // defined again meanwhile
    purged(&board).unwrap();
    assert!(!board.place.folder().exists() && !nameless(&board.place).exists());
}

#[test]
fn p2_nothing_is_purged_without_the_volume_root() {
    let board = Board::new();
    board.complete(1);
    fs::remove_file(board.place.root().join(crate::volumes::root::ID_FILE)).unwrap();
    assert!(purged(&board).is_err());
    assert!(board.place.folder().exists());
}

#[test]
fn p2_a_disk_that_is_mounted_inside_is_told_before_anything_goes() {
    let board = Board::new();
    let file = board.complete(1).join("key");
    fs::write(&file, "k").unwrap();
    let disk = Meta::at(&board.place.folder()).unwrap().unwrap().disk;
    assert!(of_one_disk(&board.place.state(), disk).is_ok());
    let error = of_one_disk(&board.place.state(), disk + 1).unwrap_err();
    assert!(error.to_string().contains("state"), "{error}");
    assert!(file.exists());
}

#[test]
fn p2_a_folder_of_the_same_disk_that_is_mounted_inside_is_spared_and_named() {
    let board = Board::new();
    let key = board.complete(1).join("key");
    fs::write(&key, "k").unwrap();
    let deep = board.place.data().join("chain/blocks");
    let table = format!("36 25 8:1 /srv/chain {} rw - ext4 /dev/sda1 rw\n", deep.display());
    fs::write(board.system().mountinfo, table).unwrap();
    let error = purged(&board).unwrap_err();
    assert!(error.to_string().contains("chain/blocks"), "{error}");
    assert!(error.hint().contains("umount"), "{}", error.hint());
    assert!(key.exists() && board.place.folder().exists(), "nothing went");
    // One beside it, whose name begins alike, is none of its.
    let beside = format!("{}-other/data", board.place.folder().display());
    fs::write(board.system().mountinfo, format!("36 25 8:1 / {beside} rw - ext4 /dev/sda1 rw\n"))
        .unwrap();
    purged(&board).unwrap();
    assert!(!board.place.folder().exists());
}
