//! Disks: what is free on those that matter.

use std::path::{Path, PathBuf};

use titania_core::status::Disk;

/// A disk that matters: what for, and a path on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `volumes`, `engine`, `state`.
    pub role: &'static str,
    /// A path on it; where it is missing the nearest folder above counts.
    pub path: PathBuf,
}

/// Bytes that the agent itself could still write at `path` (`f_bavail`; root also has `f_bfree`, which
/// is kept for the system). `None` where nothing can be asked.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let found = path.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The disks as they are now.
pub fn look(places: &[Place], reserve_bytes: u64) -> Vec<Disk> {
    let look = |place: &Place| {
        let free = free_bytes(&place.path)?;
        Some(Disk {
            role: place.role.to_owned(),
            path: place.path.display().to_string(),
            free_bytes: free,
            reserve_bytes,
            low: free < reserve_bytes,
        })
    };
    places.iter().filter_map(look).collect()
}
