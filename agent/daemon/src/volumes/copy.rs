//! The copy of a fork: one pass over the parent's folder into the new one's, which is empty.
//!
//! Promise: owner, mode, times, extended attributes (access control lists among them), links and hard links, pipes and
//! holes are as in the parent, and all is on disk before the copy is said to be done; the parent is only read. Keys that the new specification does not have are copied
//! as well, so that one that has them again finds them. Sockets, devices and what is mounted inside are left out with a
//! note. Nothing of a copy that failed is left.
//! Distrusts: everything in the parent: its links are copied, never followed.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use titania_core::names::Generation;

use super::error::VolumesError;
use super::notes::{Notes, shown};
use super::paths::{Place, ensure_root, state_keys};
use super::tree::{self, DEPTH_MAX, Meta};
use super::{attributes, bytes, files, forks};
use crate::workers::Cancel;

/// Hard-linked files whose first copy is remembered; further ones are copied each for itself, with a note. With
/// [`LINK_BYTES_MAX`] it bounds memory.
const LINKS_MAX: usize = 50_000;

/// Bytes of the paths of these.
const LINK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files, links, pipes and folders.
    pub entries: u64,
    /// Bytes of files' contents.
    pub bytes: u64,
    /// What was left out.
    pub notes: Notes,
}

/// Copies the parent's fork, as the fork's file names it, into this one's folder; without a parent makes that empty.
/// What lies there is set aside. First act of every fork step, also of one that is done again. The marker stays.
///
/// # Errors
/// [`VolumesError::NoForkFile`], [`VolumesError::NoParent`], [`VolumesError::TooDeep`], the disk's. The folder is
/// then empty again.
pub fn copy(
    place: &Place,
    generation: Generation,
    cancel: &Cancel,
) -> Result<Copied, VolumesError> {
    ensure_root(place)?;
    let file = files::need(place, generation)?;
    let keys = state_keys(&file.spec)?;
    let parent = match file.parent {
        Some(parent) => Some(parent_folder(place, generation, parent)?),
        None => None,
    };
    files::put_marker(place, &place.unfinished(generation))?;
    forks::clear_way(place, generation)?;
    forks::make_fork(place, generation, &[])?;
    let Some(parent) = parent else {
        forks::make_fork(place, generation, &keys)?;
        return Ok(Copied::default());
    };
    let fork = place.fork(generation);
    remove_empty_folders(&fork)?;
    let copied = Copier::between(&parent, &fork, cancel).and_then(Copier::run);
    if copied.is_err() {
        // A half copy counts for nothing, and takes the room that the old one needs.
        let emptied = tree::empty(&fork, &Cancel::default());
        if let Err(e) = emptied.and_then(|()| forks::make_fork(place, generation, &keys)) {
            log::warn!("{}: {e}", place.app());
        }
    }
    let copied = copied?;
    forks::make_fork(place, generation, &keys)?;
    Ok(copied)
}

fn parent_folder(
    place: &Place,
    generation: Generation,
    parent: Generation,
) -> Result<PathBuf, VolumesError> {
    let folder = place.fork(parent);
    let is_folder = Meta::at(&folder)?.is_some_and(|seen| seen.is_folder());
    if parent == generation || !is_folder || files::has_marker(&place.unfinished(parent))? {
        return Err(VolumesError::NoParent { app: place.app().clone(), parent });
    }
    Ok(folder)
}

/// Makes way for the parent's keys. The system refuses to remove a folder that holds something.
fn remove_empty_folders(fork: &Path) -> Result<(), VolumesError> {
    let failed = || VolumesError::io("clear", fork);
    let mut folder = Dir::new(tree::open_folder(fork)?).map_err(failed())?;
    while let Some(name) = tree::next_name(&mut folder) {
        let at = folder.fd().map_err(failed())?;
        rustix::fs::unlinkat(at, name.map_err(failed())?, AtFlags::REMOVEDIR).map_err(failed())?;
    }
    Ok(())
}

/// One folder that is being copied.
struct Level {
    from: Dir,
    to: OwnedFd,
    meta: Meta,
    name: CString,
}

struct Copier<'a> {
    from: &'a Path,
    to: &'a Path,
    cancel: &'a Cancel,
    disk: u64,
    levels: Vec<Level>,
    /// First copies of hard-linked files, by inode: the names on the way to them.
    links: BTreeMap<u64, Vec<CString>>,
    link_bytes: usize,
    copied: Copied,
}

impl<'a> Copier<'a> {
    fn between(from: &'a Path, to: &'a Path, cancel: &'a Cancel) -> Result<Self, VolumesError> {
        let source = tree::open_folder(from)?;
        let meta = Meta::of(&source).map_err(VolumesError::io("read", from))?;
        let top = Level {
            from: Dir::new(source).map_err(VolumesError::io("read", from))?,
            to: tree::open_folder(to)?,
            meta,
            name: CString::default(),
        };
        Ok(Self {
            from,
            to,
            cancel,
            disk: meta.disk,
            levels: vec![top],
            links: BTreeMap::new(),
            link_bytes: 0,
            copied: Copied::default(),
        })
    }

    fn run(mut self) -> Result<Copied, VolumesError> {
        while let Some(level) = self.levels.last_mut() {
            if self.cancel.is_cancelled() {
                return Err(VolumesError::Cancelled);
            }
            match tree::next_name(&mut level.from) {
                Some(Ok(name)) => self.entry(name)?,
                Some(Err(e)) => return Err(self.failed("read", self.from, None)(e)),
                None => self.close_folder()?,
            }
        }
        let above = self.to.parent().unwrap_or(self.to);
        let above = tree::open_folder(above)?;
        rustix::fs::fsync(above).map_err(VolumesError::io("sync", self.to))?;
        Ok(self.copied)
    }

    /// Path of what is at hand, for messages alone.
    fn path(&self, top: &Path, name: Option<&CString>) -> PathBuf {
        let names = self.levels.iter().skip(1).map(|level| &level.name);
        names.chain(name).fold(top.to_owned(), |path, name| tree::joined(&path, name))
    }

    fn failed(
        &self,
        act: &'static str,
        top: &Path,
        name: Option<&CString>,
    ) -> impl FnOnce(Errno) -> VolumesError + use<> {
        VolumesError::io(act, self.path(top, name))
    }

    fn leave_out(&mut self, name: &CString, why: &str) {
        let path = self.path(self.from, Some(name));
        let note = || format!("{} was not copied: {why}", shown(&path));
        self.copied.notes.add(note);
    }

    fn entry(&mut self, name: CString) -> Result<(), VolumesError> {
        let reading = self.failed("read", self.from, Some(&name));
        let copying = self.failed("copy", self.from, Some(&name));
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        let source = level.from.fd().and_then(|folder| tree::touch(folder, &name));
        let seen = source.and_then(|source| Ok((Meta::of(&source)?, source)));
        let (meta, source) = match seen {
            Ok(seen) => seen,
            Err(Errno::NOENT) => return Ok(()), // gone since it was listed
            Err(e) => return Err(reading(e)),
        };
        if meta.disk != self.disk {
            self.leave_out(&name, "another disk is mounted there");
            return Ok(());
        }
        let done = match meta.kind {
            FileType::Directory => return self.open_level(name, &source, meta),
            FileType::RegularFile => return self.file(name, meta),
            FileType::Symlink => link(level, &name, &source, &meta),
            FileType::Fifo => pipe(level, &name, &meta),
            FileType::Socket => {
                self.leave_out(&name, "it is a socket");
                return Ok(());
            }
            _ => {
                self.leave_out(&name, "it is a device");
                return Ok(());
            }
        };
        done.map_err(copying)?;
        self.copied.entries += 1;
        Ok(())
    }

    fn open_level(
        &mut self,
        name: CString,
        source: &OwnedFd,
        meta: Meta,
    ) -> Result<(), VolumesError> {
        if self.levels.len() > DEPTH_MAX {
            return Err(VolumesError::TooDeep {
                path: self.path(self.from, Some(&name)),
                depth_max: DEPTH_MAX,
            });
        }
        let failed = self.failed("make", self.to, Some(&name));
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        let opened = || {
            rustix::fs::mkdirat(&level.to, &name, Mode::RWXU)?;
            let to = tree::open_folder_in(&level.to, &name)?;
            // The very folder that was looked at, whatever its name leads to by now.
            let from = Dir::new(tree::open_folder_in(source, c".")?)?;
            Ok((from, to))
        };
        let (from, to) = opened().map_err(failed)?;
        self.levels.push(Level { from, to, meta, name });
        Ok(())
    }

    /// Owner, mode and times of a folder come last: what is made in it changes its times.
    fn close_folder(&mut self) -> Result<(), VolumesError> {
        let failed = self.failed("finish", self.to, None);
        let Some(level) = self.levels.pop() else {
            return Ok(());
        };
        let finished = (|| {
            let missed = dress_from(level.from.fd()?, &level.to, &level.meta)?;
            rustix::fs::fsync(&level.to)?;
            Ok(missed)
        })();
        let missed = finished.map_err(failed)?;
        self.copied.entries += 1;
        self.tell_missed(&level.name, &missed);
        Ok(())
    }

    fn file(&mut self, name: CString, meta: Meta) -> Result<(), VolumesError> {
        let failed = self.failed("copy", self.from, Some(&name));
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        if meta.links > 1
            && let Some(first) = self.links.get(&meta.inode)
        {
            self.link_again(first, &level.to, &name).map_err(failed)?;
            self.copied.entries += 1;
            return Ok(());
        }
        let copied = (|| {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let from = rustix::fs::openat(level.from.fd()?, &name, flags, Mode::empty())?;
            let seen = Meta::of(&from)?;
            if (seen.inode, seen.disk, seen.kind) != (meta.inode, meta.disk, meta.kind) {
                return Err(Errno::STALE); // somebody changed it meanwhile: the copy is made anew
            }
            let to = create(&level.to, &name)?;
            let bytes = bytes::copy(&from, &to, seen.bytes, self.cancel)?;
            let missed = dress_from(&from, &to, &seen)?;
            rustix::fs::fsync(&to)?;
            Ok((bytes, missed))
        })();
        let (bytes, missed) = match copied {
            Ok(copied) => copied,
            Err(Errno::CANCELED) => return Err(VolumesError::Cancelled),
            Err(e) => return Err(failed(e)),
        };
        self.copied.bytes = self.copied.bytes.saturating_add(bytes);
        self.copied.entries += 1;
        self.tell_missed(&name, &missed);
        if meta.links > 1 {
            self.remember(name, meta.inode);
        }
        Ok(())
    }

    fn tell_missed(&mut self, name: &CString, missed: &[CString]) {
        for attribute in missed {
            let path = self.path(self.from, Some(name));
            let attribute = attribute.to_string_lossy();
            let note = || format!("{}: its attribute {attribute} could not be set", shown(&path));
            self.copied.notes.add(note);
        }
    }

    fn remember(&mut self, name: CString, inode: u64) {
        let names = self.levels.iter().skip(1).map(|level| &level.name);
        let way: Vec<CString> = names.chain([&name]).cloned().collect();
        let bytes: usize = way.iter().map(|name| name.as_bytes().len() + 24).sum();
        if self.links.len() >= LINKS_MAX || self.link_bytes + bytes > LINK_BYTES_MAX {
            let path = self.path(self.from, Some(&name));
            let note = || format!("{}: its hard links became files of their own", shown(&path));
            self.copied.notes.add(note);
            return;
        }
        self.link_bytes += bytes;
        self.links.insert(inode, way);
    }

    fn link_again(&self, first: &[CString], to: &OwnedFd, name: &CString) -> Result<(), Errno> {
        let Some((last, folders)) = first.split_last() else {
            return Err(Errno::INVAL);
        };
        let top = rustix::fs::openat(CWD, self.to, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let folder =
            folders.iter().try_fold(top, |folder, name| tree::open_folder_in(&folder, name))?;
        rustix::fs::linkat(&folder, last, to, name, AtFlags::empty())
    }
}

fn create(folder: &OwnedFd, name: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Owner, then mode (a new owner takes bits away), then times.
fn dress(to: &OwnedFd, meta: &Meta) -> Result<(), Errno> {
    tree::give(to, meta.owner)?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(meta.mode))?;
    rustix::fs::futimens(to, &meta.times.stamps())
}

/// The same with extended attributes; those that could not be set. They come before the times, which they change.
fn dress_from(from: impl AsFd, to: &OwnedFd, meta: &Meta) -> Result<Vec<CString>, Errno> {
    dress(to, meta)?;
    let missed = attributes::copy(from, to)?;
    rustix::fs::futimens(to, &meta.times.stamps())?;
    Ok(missed)
}

fn link(level: &Level, name: &CString, source: &OwnedFd, meta: &Meta) -> Result<(), Errno> {
    let target = rustix::fs::readlinkat(source, c"", Vec::new())?;
    rustix::fs::symlinkat(target, &level.to, name)?;
    tree::give(tree::touch(&level.to, name)?, meta.owner)?;
    let times = meta.times.stamps();
    rustix::fs::utimensat(&level.to, name, &times, AtFlags::SYMLINK_NOFOLLOW)
}

fn pipe(level: &Level, name: &CString, meta: &Meta) -> Result<(), Errno> {
    rustix::fs::mkfifoat(&level.to, name, Mode::RUSR | Mode::WUSR)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let to = rustix::fs::openat(&level.to, name, flags, Mode::empty())?; // without a writer this does not wait
    dress(&to, meta)
}

#[cfg(test)]
#[path = "copy/shared_tests.rs"]
mod shared_tests;
#[cfg(test)]
mod tests;
