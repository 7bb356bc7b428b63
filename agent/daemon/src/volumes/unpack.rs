//! Unpacks a tar archive of strangers (POSIX pax, ustar, GNU) into one folder.
//!
//! Promise: whatever is in the archive, nothing is written outside the folder, no link is followed, no device made, no
//! set-uid or set-gid bit given; memory, bytes, entries and depth are bounded. Owners in it are ignored: all is root's
//! until the app's volumes are given to it. Symbolic links are kept as they are, since they lead through the
//! container, and the agent never follows one.

use std::ffi::{CString, OsStr};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use tar::{Entry, EntryType, PaxExtensions};

use super::error::VolumesError;
use super::notes::{Notes, shown};
use super::tree::{self, DEPTH_MAX, Meta};
use crate::workers::Cancel;

/// Most bytes of one seed: as much as a fork may be copied of by default (`fork_limit`).
pub const SEED_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Most entries of one seed: more than a whole distribution's base system has.
pub const SEED_ENTRIES_MAX: u64 = 100_000;

/// Longest name or attribute that stands beside an entry, in bytes: paths of Linux have 4,096.
pub const EXTENSION_BYTES_MAX: u64 = 64 * 1024;

/// Unpacks one archive.
pub(super) struct Unpack<'a> {
    top: OwnedFd,
    /// Container path, for messages; its last part is the name of the top folder in the archive.
    path: &'a str,
    cancel: &'a Cancel,
    bytes: u64,
    entries: u64,
    notes: Notes,
}

/// What stood before an entry about it.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl<'a> Unpack<'a> {
    pub fn into(folder: &Path, path: &'a str, cancel: &'a Cancel) -> Result<Self, VolumesError> {
        Ok(Self {
            top: tree::open_folder(folder)?,
            path,
            cancel,
            bytes: 0,
            entries: 0,
            notes: Notes::default(),
        })
    }

    pub fn run(mut self, archive: impl Read) -> Result<Notes, VolumesError> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().map_err(|e| self.bad(e))?.raw(true);
        let mut extension = Extension::default();
        for entry in entries {
            let mut entry = entry.map_err(|e| self.bad(e))?;
            if self.cancel.is_cancelled() {
                return Err(VolumesError::Cancelled);
            }
            self.entries += 1;
            if self.entries > SEED_ENTRIES_MAX {
                return Err(self.too_large());
            }
            match entry.header().entry_type() {
                EntryType::GNULongName => extension.name = Some(self.text(&mut entry)?),
                EntryType::GNULongLink => extension.target = Some(self.text(&mut entry)?),
                EntryType::XHeader => self.attributes(&mut entry, &mut extension)?,
                EntryType::XGlobalHeader => {}
                kind => {
                    let about = std::mem::take(&mut extension);
                    self.entry(kind, &mut entry, about)?;
                }
            }
        }
        Ok(self.notes)
    }

    fn bad(&self, why: impl ToString) -> VolumesError {
        VolumesError::BadSeed { path: self.path.to_owned(), why: why.to_string() }
    }

    fn too_large(&self) -> VolumesError {
        VolumesError::SeedTooLarge { path: self.path.to_owned(), bytes_max: SEED_BYTES_MAX }
    }

    fn leave_out(&mut self, name: &[u8], why: &str) {
        let name = shown(Path::new(OsStr::from_bytes(name)));
        let path = self.path;
        self.notes.add(|| format!("{name} of {path} was left out: {why}"));
    }

    fn text(&self, entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, VolumesError> {
        if entry.size() > EXTENSION_BYTES_MAX {
            return Err(self.bad(format!("a name of {} bytes", entry.size())));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(|e| self.bad(e))?;
        Ok(text)
    }

    fn attributes(
        &self,
        entry: &mut Entry<'_, impl Read>,
        extension: &mut Extension,
    ) -> Result<(), VolumesError> {
        let text = self.text(entry)?;
        for attribute in PaxExtensions::new(&text) {
            let attribute = attribute.map_err(|e| self.bad(e))?;
            match attribute.key_bytes() {
                b"path" => extension.name = Some(attribute.value_bytes().to_vec()),
                b"linkpath" => extension.target = Some(attribute.value_bytes().to_vec()),
                // Only of files above 8 GiB, which are too large anyway.
                b"size" => return Err(self.too_large()),
                _ => {}
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        kind: EntryType,
        entry: &mut Entry<'_, impl Read>,
        about: Extension,
    ) -> Result<(), VolumesError> {
        let name = about.name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let parts = self.parts(&name)?;
        let Some((last, folders)) = parts.split_last() else {
            if kind != EntryType::Directory {
                self.leave_out(&name, "it is no folder in the image");
            }
            return Ok(());
        };
        let failed = |e: Errno| io::Error::from(e);
        let folder = self.folder(folders).map_err(|e| self.disk(failed(e)))?;
        let mode = entry.header().mode().map_err(|e| self.bad(e))?;
        let done = match kind {
            EntryType::Directory => make_folder(&folder, last, mode).map_err(failed),
            EntryType::Regular | EntryType::Continuous => {
                self.bytes = self.bytes.saturating_add(entry.size());
                if self.bytes > SEED_BYTES_MAX {
                    return Err(self.too_large());
                }
                return self.file(&folder, last, mode, entry);
            }
            EntryType::Symlink => {
                let target = target_of(entry, about.target);
                make_way(&folder, last)
                    .and_then(|()| rustix::fs::symlinkat(target.as_slice(), &folder, last))
                    .map_err(failed)
            }
            EntryType::Link => {
                let target = self.parts(&target_of(entry, about.target))?;
                self.hard_link(&target, &folder, last).map_err(failed)
            }
            EntryType::Fifo => make_way(&folder, last)
                .and_then(|()| {
                    rustix::fs::mknodat(&folder, last, FileType::Fifo, file_mode(mode), 0)
                })
                .map_err(failed),
            EntryType::Char | EntryType::Block => {
                self.leave_out(&name, "it is a device");
                Ok(())
            }
            _ => {
                self.leave_out(&name, "it is of an unknown kind");
                Ok(())
            }
        };
        done.map_err(|e| self.disk(e))
    }

    /// A full or broken disk is the disk's fault; any other entry that can't be made is the archive's.
    fn disk(&self, error: io::Error) -> VolumesError {
        let errno = Errno::from_io_error(&error);
        match errno {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS | Errno::MFILE) => {
                VolumesError::std("seed", self.path)(error)
            }
            _ => self.bad(error),
        }
    }

    /// Parts of a name below the top folder. Docker puts the folder's own name before all; Podman a mere `/`.
    fn parts(&self, name: &[u8]) -> Result<Vec<CString>, VolumesError> {
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        let below_slash = name.starts_with(b"/");
        let mut parts = Vec::new();
        for part in name.split(|c| *c == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Err(self.bad("a name with ..")),
                part => parts.push(CString::new(part).map_err(|_| self.bad("a name with NUL"))?),
            }
        }
        let top = self.path.rsplit('/').next().unwrap_or_default();
        if !below_slash && parts.first().is_some_and(|part| part.as_bytes() == top.as_bytes()) {
            parts.remove(0);
        }
        if parts.len() > DEPTH_MAX {
            return Err(self.bad(format!("more than {DEPTH_MAX} folders deep")));
        }
        Ok(parts)
    }

    /// Opens a folder below the top, part by part, and makes what is missing.
    fn folder(&self, parts: &[CString]) -> Result<OwnedFd, Errno> {
        let mut folder = tree::open_folder_in(&self.top, c".")?;
        for part in parts {
            folder = match tree::open_folder_in(&folder, part) {
                Err(Errno::NOENT) => {
                    make_folder(&folder, part, 0o755)?;
                    tree::open_folder_in(&folder, part)?
                }
                opened => opened?,
            };
        }
        Ok(folder)
    }

    fn file(
        &mut self,
        folder: &OwnedFd,
        name: &CString,
        mode: u32,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), VolumesError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = make_way(folder, name)
            .and_then(|()| rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR));
        let opened = opened.map_err(|e| self.disk(e.into()))?;
        let mut file = std::fs::File::from(opened);
        let size = entry.size();
        let mut source = Source { entry, has_failed: false };
        match io::copy(&mut source, &mut file) {
            Ok(bytes) if bytes == size => {}
            Ok(_) => return Err(self.bad("it was cut off")),
            Err(e) if source.has_failed => return Err(self.bad(e)),
            Err(e) => return Err(self.disk(e)),
        }
        let seconds = entry.header().mtime().unwrap_or(0);
        let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::fchmod(&file, file_mode(mode))
            .and_then(|()| rustix::fs::futimens(&file, &times))
            .map_err(|e| self.disk(e.into()))
    }

    fn hard_link(&self, target: &[CString], folder: &OwnedFd, name: &CString) -> Result<(), Errno> {
        let (last, folders) = target.split_last().ok_or(Errno::INVAL)?;
        let mut from = tree::open_folder_in(&self.top, c".")?;
        for part in folders {
            from = tree::open_folder_in(&from, part)?;
        }
        let seen = Meta::of(tree::touch(&from, last)?)?;
        if seen.kind != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        make_way(folder, name)?;
        rustix::fs::linkat(&from, last, folder, name, AtFlags::empty())
    }
}

/// Tells an archive that can't be read from a disk that can't be written.
struct Source<'a, R> {
    entry: &'a mut R,
    has_failed: bool,
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.entry.read(buffer);
        self.has_failed = result.is_err();
        result
    }
}

fn target_of(entry: &Entry<'_, impl Read>, long: Option<Vec<u8>>) -> Vec<u8> {
    let mut target = long.unwrap_or_else(|| {
        let short = entry.link_name_bytes();
        short.map(std::borrow::Cow::into_owned).unwrap_or_default()
    });
    if target.last() == Some(&0) {
        target.pop();
    }
    target
}

fn file_mode(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o777)
}

/// A later entry of a name takes the place of an earlier one, as in tar(1); a folder stays.
fn make_way(folder: &OwnedFd, name: &CString) -> Result<(), Errno> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e),
    }
}

fn make_folder(folder: &OwnedFd, name: &CString, mode: u32) -> Result<(), Errno> {
    match rustix::fs::mkdirat(folder, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(e),
    }
    let made = tree::open_folder_in(folder, name)?;
    rustix::fs::fchmod(made, Mode::from_raw_mode(mode & 0o1777))
}

#[cfg(test)]
mod tests;
