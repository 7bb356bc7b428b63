//! The app's own "not now": a lock (flock(2)) that it holds on `update.lock`.

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use titania_core::names::Generation;
use titania_core::spec::Spec;

use super::error::VolumesError;
use super::paths::{Place, data_source, key};
use super::tree::{self, Meta};

/// Name of the file, at the top of the app's first state or data volume.
pub const LOCK_FILE: &str = "update.lock";

/// Whether the app of `generation` holds its lock. A file that nobody locks holds nothing, nor does a link, a pipe,
/// a folder of that name.
///
/// # Errors
/// The disk's.
pub fn is_held(place: &Place, spec: &Spec, generation: Generation) -> Result<bool, VolumesError> {
    let volumes = &spec.definition.shape.volumes;
    let folder = match (volumes.state.first(), volumes.data.first()) {
        (Some(path), _) => place.fork(generation).join(key(path)?),
        (None, Some(volume)) => data_source(place, volume)?,
        (None, None) => return Ok(false),
    };
    if !Meta::at(&folder)?.is_some_and(|meta| meta.is_folder()) {
        return Ok(false);
    }
    let path = folder.join(LOCK_FILE);
    let failed = || VolumesError::io("look at", &path);
    let folder = tree::open_folder(&folder)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&folder, LOCK_FILE, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Ok(false),
        Err(e) => return Err(failed()(e)),
    };
    if Meta::of(&file).map_err(failed())?.kind != rustix::fs::FileType::RegularFile {
        return Ok(false);
    }
    // Exclusive, for a moment: a shared lock of the app counts as well, and only that would show it.
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(false), // given back when the file is closed
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(e) => Err(failed()(e)),
    }
}

#[cfg(test)]
mod tests;
