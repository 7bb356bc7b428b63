//! Files that survive a power cut: the only place of the tree that renames.
//!
//! Promise: when a function here answers Ok, what it did is on disk; after a power cut in the middle a file
//! holds the old bytes or the new, never a mix, and a folder lies under the old name or the new one. What is made
//! belongs to whom its folder belongs: root's at the volume root, the agent's own in the state folder, whatever uid
//! the agent runs under.
//! Trusts: the folders it writes in, which only root can write. Distrusts: what lies at the paths themselves
//! (links are never followed), and the disk, which may be full.

use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FallocateFlags, OFlags, RenameFlags};

/// Bytes kept free for a write that must not fail: a record with two specifications and a full
/// quarantine is under 32 KiB, and its successor is written beside it.
pub const ROOM_BYTES: u64 = 64 * 1024;

/// Replaces `path` whole: after a power cut it holds the old bytes or the new, never a mix.
///
/// # Errors
/// The disk's. The old bytes are then still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = beside(path, ".new");
    write_fresh(&fresh, bytes, mode)?;
    commit(&fresh, path)?; // the bytes were synced before a name points at them
    sync_folder(parent(path)?)
}

/// The same, and what `path` held before is kept as `former`, by a hard link made before the rename.
///
/// There is no moment without a whole file at `path`, nor, once there was one, at `former`.
///
/// # Errors
/// The disk's. `path` then still holds the old bytes.
pub fn replace_keeping(path: &Path, former: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = beside(path, ".new");
    write_fresh(&fresh, bytes, mode)?;
    keep(path, former, mode)?;
    commit(&fresh, path)?;
    sync_folder(parent(path)?)
}

/// Makes an empty file; one that is there already stays as it is.
///
/// # Errors
/// The disk's.
pub fn create_marker(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path);
    match made {
        Ok(file) => {
            belong(&file, parent(path)?)?;
            file.sync_all()?;
        }
        // Synced again: an earlier call may have died before its own sync.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e),
    }
    sync_folder(parent(path)?)
}

/// Removes a file; true when there was one.
///
/// # Errors
/// The disk's.
pub fn remove(path: &Path) -> io::Result<bool> {
    let was_there = match fs::remove_file(path) {
        Ok(()) => true,
        Err(e) if e.kind() == io::ErrorKind::NotFound => false,
        Err(e) => return Err(e),
    };
    if was_there {
        sync_folder(parent(path)?)?;
    }
    Ok(was_there)
}

/// Gives what lies at `from`, a folder or anything else, the free name `to` in the same folder.
///
/// # Errors
/// `AlreadyExists` when `to` is taken; else the disk's.
pub fn set_aside(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // A file system without the flag: nobody else makes names in these folders.
        Err(rustix::io::Errno::INVAL) if fs::symlink_metadata(to).is_err() => commit(from, to)?,
        Err(e) => return Err(e.into()),
    }
    sync_folder(parent(from)?)
}

/// Puts the folder `from` in the place of the *empty* folder `to`: the system refuses when it is not empty.
/// What is in `from` must have been synced before.
///
/// # Errors
/// `DirectoryNotEmpty`; else the disk's.
pub fn move_onto_empty(from: &Path, to: &Path) -> io::Result<()> {
    commit(from, to)?;
    sync_folder(parent(to)?)?;
    sync_folder(parent(from)?)
}

/// Gives the folder `name` in `from` the free name `other` in `to`. Nothing is synced: for what is to be removed.
///
/// # Errors
/// `EXIST` or `NOTEMPTY` when the name is taken; else the disk's.
pub fn move_folder(
    from: impl AsFd,
    name: &CStr,
    to: impl AsFd,
    other: &str,
) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(&from, name, &to, other, RenameFlags::NOREPLACE) {
        // A file system without the flag: there a folder takes the place of an empty one alone.
        Err(rustix::io::Errno::INVAL) => rustix::fs::renameat(&from, name, &to, other),
        done => done,
    }
}

/// Writes a folder's names to disk.
///
/// # Errors
/// The disk's, or it is no folder.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder, unless it is there, and syncs the one it lies in. The mode is not subject to the umask.
///
/// # Errors
/// The disk's, or something else than a folder lies there, a link to one included.
pub fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {
            belong(&File::open(path)?, parent(path)?)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            sync_folder(parent(path)?)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            if fs::symlink_metadata(path)?.is_dir() {
                Ok(())
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            }
        }
        Err(e) => Err(e),
    }
}

/// Keeps [`ROOM_BYTES`] of the disk in the file `room`, unless it has them already.
///
/// # Errors
/// The disk's: no room.
pub fn ensure_room(room: &Path) -> io::Result<()> {
    match fs::symlink_metadata(room) {
        Ok(seen) if seen.is_file() && seen.len() >= ROOM_BYTES => return Ok(()),
        _ => {}
    }
    let fresh = beside(room, ".new");
    if let Err(e) = open_fresh(&fresh, 0o600).and_then(allocate) {
        let _already_failing = fs::remove_file(&fresh);
        return Err(e);
    }
    commit(&fresh, room)?;
    sync_folder(parent(room)?)
}

fn allocate(mut file: File) -> io::Result<()> {
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ROOM_BYTES) {
        Ok(()) => {}
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            // Zeros would be a hole to a file system that compresses: a pattern is not.
            let mut word = 0x9e37_79b9_7f4a_7c15_u64;
            for _ in 0..ROOM_BYTES / 8 {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                file.write_all(&word.to_le_bytes())?;
            }
        }
        Err(e) => return Err(e.into()),
    }
    file.sync_all()
}

/// Does `act`; when the disk is full the file `room` is given up and it is done once more.
///
/// # Errors
/// Those of `act`.
pub fn with_room<T>(room: &Path, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match act() {
        Err(e) if is_full(&e) && remove(room)? => act(),
        result => result,
    }
}

/// Whether a write failed because the disk, or the user's share of it, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn keep(path: &Path, former: &Path, mode: u32) -> io::Result<()> {
    let link = beside(former, ".new");
    remove_leftover(&link)?;
    match fs::hard_link(path, &link) {
        Ok(()) => commit(&link, former),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()), // the first one has no former
        // A file system without hard links: a copy does as well.
        Err(_) => replace(former, &fs::read(path)?, mode),
    }
}

fn write_fresh(fresh: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let written = open_fresh(fresh, mode).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if written.is_err() {
        // On a full disk its blocks are needed by whoever comes next.
        let _already_failing = fs::remove_file(fresh);
    }
    written
}

fn open_fresh(fresh: &Path, mode: u32) -> io::Result<File> {
    remove_leftover(fresh)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(no_follow())
        .open(fresh)?;
    belong(&file, parent(fresh)?)?; // before the mode: a new owner takes bits from it
    file.set_permissions(fs::Permissions::from_mode(mode))?; // whatever the umask
    Ok(file)
}

/// Gives what was just made to the owner and group of `folder`, unless it has them.
fn belong(made: &File, folder: &Path) -> io::Result<()> {
    let (own, wanted) = (made.metadata()?, fs::metadata(folder)?);
    if (own.uid(), own.gid()) == (wanted.uid(), wanted.gid()) {
        return Ok(());
    }
    fchown(made, Some(wanted.uid()), Some(wanted.gid()))
}

/// A crash leaves one such file, which goes the next time.
fn remove_leftover(fresh: &Path) -> io::Result<()> {
    match fs::remove_file(fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[allow(clippy::disallowed_methods)] // This is the one place that the rule is about.
fn commit(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

#[cfg(test)]
mod tests;
