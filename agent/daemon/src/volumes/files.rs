//! `<fork>.json`: reading it as far as it can be read, and writing it whole, on a full disk too.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use serde::Deserialize;
use titania_core::fork::{ForkFile, Mark};
use titania_core::names::Generation;

use super::error::VolumesError;
use super::paths::Place;
use crate::store::durable;

/// Format of the files this agent writes. A newer one is never touched.
pub const SCHEMA: u32 = 1;

/// Largest fork file read, in bytes: fifty times what a long definition takes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// The bytes of a regular file, no link; null when there is none.
///
/// # Errors
/// The disk's; it is something else, or larger than `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, VolumesError> {
    read_with(path, bytes_max, OFlags::NOFOLLOW | OFlags::NONBLOCK)
}

/// The same, links followed: for files of the system's own.
///
/// # Errors
/// As [`read`].
pub(super) fn read_followed(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, VolumesError> {
    read_with(path, bytes_max, OFlags::NONBLOCK)
}

fn read_with(path: &Path, bytes_max: u64, flags: OFlags) -> Result<Option<Vec<u8>>, VolumesError> {
    let failed = || VolumesError::std("read", path);
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed()(e)),
    };
    if !file.metadata().map_err(failed())?.is_file() {
        return Err(failed()(io::Error::other("it is no regular file")));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed())?;
    if bytes.len() as u64 > bytes_max {
        return Err(failed()(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(bytes))
}

/// The fork's file; null when missing, or when it can't be read as one of this fork.
///
/// # Errors
/// [`VolumesError::Newer`].
pub(super) fn load(
    place: &Place,
    generation: Generation,
) -> Result<Option<ForkFile>, VolumesError> {
    let path = place.fork_file(generation);
    let bytes = match read(&path, FILE_BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(e) => {
            log::warn!("{}: {e}", place.app());
            return Ok(None);
        }
    };
    match serde_json::from_slice::<Head>(&bytes) {
        Ok(Head { schema }) if schema > SCHEMA => return Err(VolumesError::Newer { path, schema }),
        _ => {}
    }
    match serde_json::from_slice::<ForkFile>(&bytes) {
        Ok(file) if file.generation == generation => Ok(Some(file)),
        Ok(file) => {
            let path = path.display();
            log::warn!("{path} is of fork {}, so it does not count", file.generation);
            Ok(None)
        }
        Err(e) => {
            log::warn!("{} can't be read, so it does not count: {e}", path.display());
            Ok(None)
        }
    }
}

/// The uids in a fork's file of whatever format, that of the specification first: the other is the one on the board,
/// which an engine may map. Null where there is none, or no file.
///
/// # Errors
/// The disk's.
pub(super) fn uids(
    place: &Place,
    generation: Generation,
) -> Result<[Option<u32>; 2], VolumesError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Uid {
        uid: Option<u32>,
        spec: Option<User>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct User {
        user: Option<Box<Uid>>,
    }
    let bytes = read(&place.fork_file(generation), FILE_BYTES_MAX)?.unwrap_or_default();
    let file = serde_json::from_slice::<Uid>(&bytes).unwrap_or_default();
    let user = file.spec.and_then(|spec| spec.user).and_then(|user| user.uid);
    Ok([user, file.uid])
}

/// The fork's file, which must be there.
///
/// # Errors
/// [`VolumesError::NoForkFile`], [`VolumesError::Newer`].
pub(super) fn need(place: &Place, generation: Generation) -> Result<ForkFile, VolumesError> {
    load(place, generation)?
        .ok_or_else(|| VolumesError::NoForkFile { app: place.app().clone(), generation })
}

/// Writes the fork's file whole; on a full disk the room is given up for it.
///
/// # Errors
/// The disk's: the file before is then still whole.
pub(super) fn save(place: &Place, file: &ForkFile) -> Result<(), VolumesError> {
    let path = place.fork_file(file.generation);
    let mut bytes = serde_json::to_vec(file)
        .map_err(|e| VolumesError::std("write", &path)(io::Error::other(e)))?;
    bytes.push(b'\n');
    durable::with_room(&place.room(), || durable::replace(&path, &bytes, 0o600))
        .map_err(VolumesError::std("write", &path))
}

/// Writes the mark into the fork's file.
///
/// # Errors
/// As [`need`] and [`save`].
pub(super) fn mark(place: &Place, generation: Generation, mark: Mark) -> Result<(), VolumesError> {
    let mut file = need(place, generation)?;
    file.mark = Some(mark);
    save(place, &file)
}

/// Puts a marker down; on a full disk the room is given up for it.
///
/// # Errors
/// The disk's.
pub(super) fn put_marker(place: &Place, path: &Path) -> Result<(), VolumesError> {
    durable::with_room(&place.room(), || durable::create_marker(path))
        .map_err(VolumesError::std("make", path))
}

/// Takes a marker away.
///
/// # Errors
/// The disk's.
pub(super) fn take_marker(path: &Path) -> Result<(), VolumesError> {
    durable::remove(path).map(|_| ()).map_err(VolumesError::std("remove", path))
}

/// Whether a marker is there.
///
/// # Errors
/// The disk's.
pub(super) fn has_marker(path: &Path) -> Result<bool, VolumesError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(VolumesError::std("look at", path)(e)),
    }
}
