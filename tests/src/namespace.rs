//! A network and a tree of mounts of a board's own.
//!
//! Promise: the calling thread, the threads and the programs that it starts live in them; the rest
//! of the machine sees neither addresses, firewall rules nor mounts. Left when dropped.

use crate::process::run;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Entered by one thread and bound to it.
pub struct Namespace {
    home_network: File,
    home_mounts: File,
    inode: u64,
    bound_to_thread: PhantomData<*const ()>,
}

impl Namespace {
    /// Moves the calling thread into fresh namespaces with loopback up and a `/run` of its own.
    ///
    /// # Panics
    /// When the machine does not allow it (root is needed).
    pub fn enter() -> Self {
        let home_network = File::open("/proc/thread-self/ns/net").expect("/proc is there");
        let home_mounts = File::open("/proc/thread-self/ns/mnt").expect("/proc is there");
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .expect("end-to-end cases run as root: they make network and mount namespaces");
        let nothing: Option<&str> = None;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(nothing, "/", nothing, private, nothing).expect("mounts can be made private");
        // Engine and containerd leave sockets and locks below /run, wherever their folders are.
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .expect("a tmpfs over /run");
        run("ip", &["link", "set", "lo", "up"]);
        let inode = std::fs::metadata("/proc/thread-self/ns/net").expect("/proc is there");
        Self { home_network, home_mounts, inode: inode.ino(), bound_to_thread: PhantomData }
    }

    /// Number of the network namespace, as `/proc/<pid>/ns/net` shows it.
    pub fn inode(&self) -> u64 {
        self.inode
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A thread of a test ends after this; only the main thread of `--test-threads=1` goes on.
        let _ = setns(&self.home_network, CloneFlags::CLONE_NEWNET);
        let _ = setns(&self.home_mounts, CloneFlags::CLONE_NEWNS);
    }
}

/// Puts `source` over `target`, in this board's tree of mounts only.
pub fn bind(source: &Path, target: &Path) {
    let nothing: Option<&str> = None;
    mount(Some(source), target, nothing, MsFlags::MS_BIND, nothing)
        .unwrap_or_else(|error| panic!("bind {source:?} over {target:?}: {error}"));
}

/// Mounts an empty tmpfs of `bytes` at `target`, in this board's tree of mounts only.
pub fn tmpfs(target: &Path, bytes: u64) {
    let size = format!("size={bytes},mode=755");
    let kind = Some("tmpfs");
    mount(kind, target, kind, MsFlags::empty(), Some(size.as_str()))
        .unwrap_or_else(|error| panic!("tmpfs at {target:?}: {error}"));
}

/// Takes the topmost mount off `target`.
pub fn unmount(target: &Path) {
    umount2(target, MntFlags::MNT_DETACH)
        .unwrap_or_else(|error| panic!("unmount {target:?}: {error}"));
}

/// Takes off all mounts at or below `folder`, the last one first.
pub fn unmount_below(folder: &Path) {
    unmount_below_but(folder, None);
}

/// The same, but one stays.
pub fn unmount_below_but(folder: &Path, stays: Option<&Path>) {
    let table = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let mut below: Vec<PathBuf> =
        points.map(PathBuf::from).filter(|point| point.starts_with(folder)).collect();
    below.reverse();
    below.retain(|point| Some(point.as_path()) != stays);
    for point in below {
        let _ = umount2(&point, MntFlags::MNT_DETACH);
    }
}
