//! Walks trees that strangers have made: by file descriptor, never following a link, never leaving the disk it
//! began on, with bounded depth and memory.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, RawMode, ResolveFlags, Timespec, Timestamps,
    Uid,
};
use rustix::io::Errno;
use rustix::path::Arg;
use titania_core::names::Owner;

use super::error::VolumesError;
use crate::store::durable;
use crate::workers::Cancel;

/// Deepest folder walked. Each level holds up to two open files in a copy, and 1,024 is the usual limit of a
/// process; programs' own trees are below 50.
pub const DEPTH_MAX: usize = 200;

/// From this depth on what is removed is moved up first: names and numbers of a thousand folders are kept in mind.
const LIFTED_DEPTH: usize = 1000;

/// Folders that one look finds, when they are removed: a look at a large folder takes milliseconds.
const NAMES_AT_ONCE_MAX: usize = 1000;

/// All names that are waiting to be removed, on all levels: at most 300 bytes each.
const NAMES_MAX: usize = 4000;

/// What the system tells of one thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub kind: FileType,
    /// The twelve bits.
    pub mode: u32,
    pub owner: Owner,
    pub disk: u64,
    pub inode: u64,
    pub links: u64,
    pub bytes: u64,
    pub bytes_on_disk: u64,
    pub times: Times,
}

/// Last access and last modification, seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub access: (i64, u32),
    pub modification: (i64, u32),
}

impl Times {
    pub fn stamps(self) -> Timestamps {
        let spec = |(seconds, nanoseconds): (i64, u32)| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds.into(),
        };
        Timestamps { last_access: spec(self.access), last_modification: spec(self.modification) }
    }
}

impl Meta {
    /// Of what `fd` refers to.
    // The fields of `stat` have other widths on other platforms.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        clippy::unnecessary_cast
    )]
    pub fn of(fd: impl AsFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(fd)?;
        Ok(Self {
            kind: FileType::from_raw_mode(stat.st_mode as RawMode),
            mode: stat.st_mode as u32 & 0o7777,
            owner: Owner { uid: stat.st_uid, gid: stat.st_gid },
            disk: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            links: stat.st_nlink as u64,
            bytes: stat.st_size as u64,
            bytes_on_disk: (stat.st_blocks as u64).saturating_mul(512),
            times: Times {
                access: (stat.st_atime as i64, stat.st_atime_nsec as u32),
                modification: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            },
        })
    }

    /// Of what lies at `path`, a link itself; null when there is nothing.
    pub fn at(path: &Path) -> Result<Option<Self>, VolumesError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Self::of(fd).map(Some).map_err(VolumesError::io("look at", path)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(e) => Err(VolumesError::io("look at", path)(e)),
        }
    }

    pub fn is_folder(&self) -> bool {
        self.kind == FileType::Directory
    }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder for reading; its last part is no link.
pub(super) fn open_folder(path: &Path) -> Result<OwnedFd, VolumesError> {
    rustix::fs::open(path, FOLDER, Mode::empty()).map_err(VolumesError::io("open", path))
}

/// Opens a folder that lies in `folder`; no link.
pub(super) fn open_folder_in(folder: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, name, FOLDER, Mode::empty())
}

/// The same, but never across a mount, be it a folder of the same disk: no number of a device tells that.
fn open_folder_within(folder: impl AsFd, name: impl Arg + Copy) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat2(&folder, name, FOLDER, Mode::empty(), ResolveFlags::NO_XDEV) {
        // Before Linux 5.6, or under a filter that does not know it: the table of mounts was looked at before.
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::openat(folder, name, FOLDER, Mode::empty()),
        opened => opened,
    }
}

/// Opens whatever lies in `folder` without touching it: no link followed, no pipe waited for.
pub(super) fn touch(folder: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Gives what `fd` refers to, opened in whatever way, to `owner`.
pub(super) fn give(fd: impl AsFd, owner: Owner) -> Result<(), Errno> {
    if owner.uid == u32::MAX || owner.gid == u32::MAX {
        return Err(Errno::INVAL); // to chown(2) it means "leave it"
    }
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    rustix::fs::chownat(fd, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}

/// Whether it is the folder's own entry, or its parent's.
pub(super) fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// The next entry of an open folder but `.` and `..`.
pub(super) fn next_name(folder: &mut Dir) -> Option<Result<CString, Errno>> {
    loop {
        match folder.read()? {
            Ok(entry) if is_dots(entry.file_name()) => {}
            Ok(entry) => return Some(Ok(entry.file_name().to_owned())),
            Err(e) => return Some(Err(e)),
        }
    }
}

/// `folder/name` for a message, or for a name of the agent's own.
pub(super) fn joined(folder: &Path, name: &CStr) -> PathBuf {
    folder.join(OsStr::from_bytes(name.to_bytes()))
}

/// Whether a folder holds nothing.
pub(super) fn is_empty(path: &Path) -> Result<bool, VolumesError> {
    let mut folder = Dir::new(open_folder(path)?).map_err(VolumesError::io("read", path))?;
    match next_name(&mut folder) {
        None => Ok(true),
        Some(Ok(_)) => Ok(false),
        Some(Err(e)) => Err(VolumesError::io("read", path)(e)),
    }
}

/// Whether a folder holds nothing but empty folders, as a fork does that was only reserved.
pub(super) fn is_bare(path: &Path) -> Result<bool, VolumesError> {
    let failed = |e| VolumesError::io("read", path)(e);
    let mut folder = Dir::new(open_folder(path)?).map_err(failed)?;
    while let Some(name) = next_name(&mut folder) {
        let name = name.map_err(failed)?;
        let within = match open_folder_in(folder.fd().map_err(failed)?, &name) {
            Ok(within) => within,
            Err(Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(false),
            Err(e) => return Err(failed(e)),
        };
        if next_name(&mut Dir::new(within).map_err(failed)?).is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One thing met on a walk.
pub(super) struct Seen<'a> {
    /// Opened with O_PATH.
    pub fd: BorrowedFd<'a>,
    pub meta: Meta,
    /// Folders between it and the top.
    pub depth: usize,
    name: &'a CStr,
    frames: &'a [Frame],
    top: &'a Path,
}

impl Seen<'_> {
    /// Its path, for messages alone.
    pub fn path(&self) -> PathBuf {
        joined(&path_of(self.top, self.frames), self.name)
    }
}

/// Shall the walk go into a folder?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    In,
    Past,
}

struct Frame {
    folder: Dir,
    name: CString,
}

fn path_of(top: &Path, frames: &[Frame]) -> PathBuf {
    let names = frames.iter().skip(1);
    names.fold(top.to_owned(), |path, frame| joined(&path, &frame.name))
}

/// Visits all that lies below the folder `top`, a folder before what is in it. What vanishes meanwhile is passed.
///
/// # Errors
/// The visitor's, the disk's, [`VolumesError::Cancelled`], and [`VolumesError::TooDeep`] when a visitor goes on
/// below [`DEPTH_MAX`].
pub(super) fn walk(
    top: OwnedFd,
    top_path: &Path,
    cancel: &Cancel,
    visit: &mut dyn FnMut(&Seen<'_>) -> Result<Turn, VolumesError>,
) -> Result<(), VolumesError> {
    let folder = Dir::new(top).map_err(VolumesError::io("read", top_path))?;
    let mut frames = vec![Frame { folder, name: CString::default() }];
    while let Some(frame) = frames.last_mut() {
        if cancel.is_cancelled() {
            return Err(VolumesError::Cancelled);
        }
        let Some(name) = next_name(&mut frame.folder) else {
            frames.pop();
            continue;
        };
        let opened = name.and_then(|name| Ok((touch(frame.folder.fd()?, &name), name)));
        let failed = |e, frames: &[Frame]| VolumesError::io("read", path_of(top_path, frames))(e);
        let (fd, name) = match opened {
            Ok((Ok(fd), name)) => (fd, name),
            Ok((Err(Errno::NOENT), _)) => continue,
            Ok((Err(e), _)) | Err(e) => return Err(failed(e, &frames)),
        };
        let seen = Seen {
            fd: fd.as_fd(),
            meta: Meta::of(&fd).map_err(|e| failed(e, &frames))?,
            depth: frames.len() - 1,
            name: &name,
            frames: &frames,
            top: top_path,
        };
        let is_folder = seen.meta.is_folder();
        if visit(&seen)? == Turn::Past || !is_folder {
            continue;
        }
        if seen.depth >= DEPTH_MAX {
            return Err(VolumesError::TooDeep { path: seen.path(), depth_max: DEPTH_MAX });
        }
        // The very folder that was visited, whatever its name leads to by now.
        let folder = open_folder_in(&fd, c".").and_then(Dir::new);
        let folder = folder.map_err(|e| failed(e, &frames))?;
        frames.push(Frame { folder, name });
    }
    Ok(())
}

/// Removes what lies at `path`, with all that is in it; nothing there is no error. Links are removed, never
/// followed, and it does not go into what is mounted inside or there.
///
/// # Errors
/// The disk's; what is left can be removed by another call.
pub(super) fn remove(path: &Path, cancel: &Cancel) -> Result<(), VolumesError> {
    let failed = |e| VolumesError::io("remove", path)(e);
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(failed(e)),
    }
    empty(path, cancel)?;
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR).map_err(failed)
}

/// A folder on the way down to the one that is being emptied: only the last is open.
struct Above {
    /// Its folder that was gone into.
    name: CString,
    inode: u64,
    /// Others of its folders, found in the same look.
    left: Vec<CString>,
}

/// Removes all that is in the folder `path`, as [`remove`] does, at any depth.
///
/// # Errors
/// The disk's.
pub(super) fn empty(path: &Path, cancel: &Cancel) -> Result<(), VolumesError> {
    let failed = |e| VolumesError::io("remove what is in", path)(e);
    let top = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            open_folder_within(open_folder(parent)?, name).map_err(failed)?
        }
        _ => open_folder(path)?,
    };
    let mut here = open_folder_in(&top, c".").map_err(failed)?;
    let disk = Meta::of(&here).map_err(failed)?.disk;
    let (mut above, mut left): (Vec<Above>, Vec<CString>) = (Vec::new(), Vec::new());
    let (mut waiting, mut lifted) = (0, 0);
    loop {
        if cancel.is_cancelled() {
            return Err(VolumesError::Cancelled);
        }
        if left.is_empty() {
            let most = NAMES_MAX.saturating_sub(waiting).clamp(1, NAMES_AT_ONCE_MAX);
            left = remove_files(&here, most).map_err(failed)?;
            waiting += left.len();
        }
        if let Some(name) = left.pop() {
            waiting -= 1;
            if above.len() >= LIFTED_DEPTH {
                lift(&here, &name, &top, &mut lifted).map_err(failed)?;
                continue;
            }
            let inode = Meta::of(&here).map_err(failed)?.inode;
            let within = open_folder_within(&here, name.as_c_str()).map_err(failed)?;
            if Meta::of(&within).map_err(failed)?.disk != disk {
                return Err(failed(Errno::XDEV));
            }
            above.push(Above { name, inode, left: std::mem::take(&mut left) });
            here = within;
            continue;
        }
        let Some(Above { name, inode, left: others }) = above.pop() else {
            return Ok(());
        };
        let parent = open_folder_in(&here, c"..").map_err(failed)?;
        let seen = Meta::of(&parent).map_err(failed)?;
        if seen.inode != inode || seen.disk != disk {
            return Err(failed(Errno::STALE)); // somebody moved it meanwhile
        }
        rustix::fs::unlinkat(&parent, &name, AtFlags::REMOVEDIR).map_err(failed)?;
        (here, left) = (parent, others);
    }
}

/// Moves a folder that lies too deep up to the top, where the next look finds it.
fn lift(here: &OwnedFd, name: &CStr, top: &OwnedFd, lifted: &mut u64) -> Result<(), Errno> {
    loop {
        *lifted += 1;
        let at_top = format!(".deep-{lifted}");
        match durable::move_folder(here, name, top, &at_top) {
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            moved => return moved,
        }
    }
}

/// Removes what is no folder; the names of the first folders met, or none when `here` is empty.
fn remove_files(here: &OwnedFd, most: usize) -> Result<Vec<CString>, Errno> {
    let mut folder = Dir::new(open_folder_in(here, c".")?)?;
    let mut folders = Vec::new();
    while folders.len() < most
        && let Some(name) = next_name(&mut folder)
    {
        let name = name?;
        match rustix::fs::unlinkat(here, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            // Linux says EISDIR of a folder; EPERM is also an immutable file, which is no folder.
            Err(Errno::ISDIR) => folders.push(name),
            Err(Errno::PERM) if Meta::of(touch(here, &name)?)?.is_folder() => folders.push(name),
            Err(e) => return Err(e),
        }
    }
    Ok(folders)
}

#[cfg(test)]
pub(in crate::volumes) mod tests;
