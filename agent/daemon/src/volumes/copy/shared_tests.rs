//! Forks on file systems that share blocks, each on a small disk of its own.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;

use super::*;
use crate::scratch::Scratch;
use crate::volumes::testing::Board;

/// Bytes of each disk: the least that mkfs.xfs takes.
const DISK_BYTES: u64 = 320 << 20;
/// A file of the state that would be seen if it took room twice.
const FILE_BYTES: usize = 32 << 20;
/// What trees and journals may take beside it.
const SPARE_BYTES: u64 = 8 << 20;

fn run(program: &str, arguments: &[&str]) {
    let ended = Command::new(program).args(arguments).output();
    let ended = ended.unwrap_or_else(|e| panic!("{program}: {e}; packaging/ci/setup installs it"));
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// A disk with a file system made by this program; its file lies in the first folder.
fn disk(mkfs: &str) -> (Scratch, Scratch) {
    let (place, disk) = (Scratch::new(), Scratch::mount_point());
    let file = place.path().join("disk");
    File::create(&file).unwrap().set_len(DISK_BYTES).unwrap();
    run(mkfs, &["-q", file.to_str().unwrap()]);
    run("mount", &["-o", "loop", file.to_str().unwrap(), disk.path().to_str().unwrap()]);
    (place, disk)
}

fn free(disk: &Path) -> u64 {
    rustix::fs::syncfs(File::open(disk).unwrap()).unwrap();
    let seen = rustix::fs::statvfs(disk).unwrap();
    seen.f_bavail * seen.f_frsize
}

fn is_shared_on(mkfs: &str) {
    let (_place, disk) = disk(mkfs);
    let root = disk.path().to_owned();
    let board = Board::on(disk);
    let state = board.complete(1);
    // Of no length that fits blocks, and nothing that can be packed.
    let noise: Vec<u8> = (0..FILE_BYTES as u64 / 8 + 1)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    let mut large = File::create(state.join("large")).unwrap();
    large.write_all(&noise).unwrap();
    let sparse = File::create(state.join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    sparse.write_all_at(b"middle", 32 << 20).unwrap();
    board.reserve(2, Some(1));
    let before = free(&root);
    copy(&board.place, Generation(2), &Cancel::default()).unwrap();
    let taken = before.saturating_sub(free(&root));
    assert!(taken < SPARE_BYTES, "{mkfs}: the copy took {taken} bytes");
    let new = board.place.fork(Generation(2)).join("wallet");
    assert!(fs::read(new.join("large")).unwrap() == noise, "{mkfs}");
    let seen = fs::metadata(new.join("sparse")).unwrap();
    assert!(seen.len() == 64 << 20 && seen.blocks() * 512 < 1 << 20, "{mkfs}: {}", seen.blocks());
    // What the new one writes is its own.
    let file = File::options().write(true).open(new.join("large")).unwrap();
    file.write_all_at(b"written by the new one", 4096).unwrap();
    file.sync_all().unwrap();
    assert!(fs::read(state.join("large")).unwrap() == noise, "{mkfs}: the old fork");
}

#[test]
fn p2_a_fork_on_xfs_shares_its_blocks_until_it_is_written_to() {
    is_shared_on("mkfs.xfs");
}

#[test]
fn p2_a_fork_on_btrfs_shares_its_blocks_until_it_is_written_to() {
    is_shared_on("mkfs.btrfs");
}
