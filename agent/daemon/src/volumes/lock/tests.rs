//! When an app's own lock holds, and what is no lock.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use super::*;
use crate::volumes::testing::{Board, data, spec};

fn held(board: &Board, spec: &Spec) -> bool {
    is_held(&board.place, spec, Generation(1)).unwrap()
}

#[test]
fn an_app_that_holds_its_lock_is_not_updated_and_a_mere_file_holds_nothing() {
    let board = Board::new();
    let spec = spec(&["/wallet", "/other"], &[]);
    assert!(!held(&board, &spec), "no folder");
    let folder = board.complete(1);
    assert!(!held(&board, &spec), "no file");
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).unwrap();
    assert!(!held(&board, &spec), "nobody locks it");
    for operation in [FlockOperation::LockExclusive, FlockOperation::LockShared] {
        rustix::fs::flock(&file, operation).unwrap();
        assert!(held(&board, &spec));
        rustix::fs::flock(&file, FlockOperation::Unlock).unwrap();
        assert!(!held(&board, &spec));
        // What was looked at is not left locked.
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        rustix::fs::flock(&file, FlockOperation::Unlock).unwrap();
    }
}

#[test]
fn without_state_the_first_data_volume_has_the_lock() {
    let board = Board::new();
    let spec = spec(&[], &[data("/data"), data("/more")]);
    let folder = board.place.data_volume("data");
    fs::create_dir_all(&folder).unwrap();
    let file = File::create(folder.join(LOCK_FILE)).unwrap();
    rustix::fs::flock(&file, FlockOperation::LockExclusive).unwrap();
    assert!(held(&board, &spec));
    let nothing = crate::volumes::testing::spec(&[], &[]);
    assert!(!held(&board, &nothing));
}

#[test]
fn a_link_a_pipe_or_a_folder_of_that_name_holds_nothing_and_is_not_waited_for() {
    let board = Board::new();
    let spec = spec(&["/wallet"], &[]);
    let path = board.complete(1).join(LOCK_FILE);
    let victim = board.outside().join("victim");
    let file = File::create(&victim).unwrap();
    rustix::fs::flock(&file, FlockOperation::LockExclusive).unwrap();
    symlink(&victim, &path).unwrap();
    assert!(!held(&board, &spec));
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(!held(&board, &spec));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(!held(&board, &spec));
}
