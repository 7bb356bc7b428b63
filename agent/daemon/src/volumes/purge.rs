//! Purge: the one way in which data goes, and an app's volumes as a whole.
//!
//! Promise: an app's folder is there whole or it is gone, for it loses its name first, in one rename; what then has no
//! app is removed, by another call where this one was cut off. Once told as done, it stays gone through a power cut. What is mounted inside is never emptied: it is told
//! beforehand. The app keeps its uid of the pool, which files outside of the root may have.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use titania_core::names::AppName;

use super::error::VolumesError;
use super::handle::Volumes;
use super::mounted::Mounted;
use super::paths::{Place, System, ensure_root};
use super::tree::{self, Meta};
use crate::store::durable;
use crate::workers::Cancel;

/// Where an app's folder lies until it is removed. No app has such a name.
fn nameless(place: &Place) -> PathBuf {
    place.root().join(format!(".purged-{}", place.app()))
}

/// Removes all of the app's volumes. Nothing there is no error.
///
/// # Errors
/// Something is mounted inside; the disk's: what is left goes with the next call.
pub(super) fn purge(place: &Place, system: &System, cancel: &Cancel) -> Result<(), VolumesError> {
    ensure_root(place)?;
    let (folder, nameless) = (place.folder(), nameless(place));
    let mounted = Mounted::read(&system.mountinfo)?;
    if let Some(point) = mounted.below(&folder).or_else(|| mounted.below(&nameless)) {
        return Err(VolumesError::io("remove", point)(Errno::XDEV));
    }
    tree::remove(&nameless, cancel)?;
    let Some(top) = Meta::at(&folder)? else {
        return sync(place); // an earlier call may have been cut off before its own
    };
    for inside in [place.state(), place.data()] {
        of_one_disk(&inside, top.disk)?;
    }
    durable::set_aside(&folder, &nameless).map_err(VolumesError::std("remove", &folder))?;
    tree::remove(&nameless, cancel)?;
    sync(place)
}

/// Writes to disk that the app's folders are gone from the root.
fn sync(place: &Place) -> Result<(), VolumesError> {
    durable::sync_folder(place.root()).map_err(VolumesError::std("sync", place.root()))
}

/// Looks at a folder of the agent's own and what lies in it: where disks are mounted, if anywhere.
fn of_one_disk(folder: &Path, disk: u64) -> Result<(), VolumesError> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(VolumesError::std("list", folder)(e)),
    };
    let inside = listed.flatten().map(|entry| entry.path());
    for path in std::iter::once(folder.to_owned()).chain(inside) {
        if Meta::at(&path)?.is_some_and(|seen| seen.disk != disk) {
            return Err(VolumesError::io("remove", path)(Errno::XDEV));
        }
    }
    Ok(())
}

impl Volumes {
    /// Removes all of the app's volumes, its data too.
    ///
    /// # Errors
    /// Something is mounted inside; the disk refuses: what is left goes with the next call.
    pub async fn purge(&self, app: &AppName) -> Result<(), VolumesError> {
        let (place, system) = (self.place(app), self.system.clone());
        self.long(move |cancel| purge(&place, &system, cancel)).await
    }
}

#[cfg(test)]
mod tests;
