//! Free space, and which disk is whose.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::VolumesError;
use super::handle::Volumes;

impl Volumes {
    /// Where paths really lie, links followed; those that do not exist are left out.
    ///
    /// # Errors
    /// A disk hangs.
    pub async fn real_paths(
        &self,
        paths: Vec<PathBuf>,
    ) -> Result<Vec<(PathBuf, PathBuf)>, VolumesError> {
        let real = |path: PathBuf| std::fs::canonicalize(&path).ok().map(|real| (path, real));
        self.quick("look at paths", move || Ok(paths.into_iter().filter_map(real).collect())).await
    }

    /// The number of the disk of `path` (`st_dev`), or of the nearest folder above it that exists, and the bytes that are
    /// free for the agent there.
    ///
    /// # Errors
    /// The disk can't be asked.
    pub async fn disk(&self, path: PathBuf) -> Result<(u64, u64), VolumesError> {
        self.quick("look at a disk", move || Ok((number(&path)?, free_bytes(&path)?))).await
    }

    /// How large the disk of `path` is, with all that lies on it, in bytes.
    ///
    /// # Errors
    /// The disk can't be asked.
    pub async fn disk_bytes(&self, path: PathBuf) -> Result<u64, VolumesError> {
        self.quick("ask how large a disk is", move || all_bytes(&path)).await
    }
}

/// Bytes of the whole disk of `path`, or of the nearest folder above it that exists.
fn all_bytes(path: &Path) -> Result<u64, VolumesError> {
    let there = nearest(path)?;
    let disk = rustix::fs::statvfs(there).map_err(VolumesError::io("ask for its size", path))?;
    Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
}

/// Bytes free for the agent on the disk of `path`, or of the nearest folder above it that exists.
///
/// # Errors
/// The disk can't be asked.
pub fn free_bytes(path: &Path) -> Result<u64, VolumesError> {
    let there = nearest(path)?;
    let disk = rustix::fs::statvfs(there).map_err(VolumesError::io("ask for free space", path))?;
    // Not what is kept back for root: apps can't use it, and filling it up harms the system.
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether both lie on one disk; where one does not exist, the nearest folder above it counts.
///
/// # Errors
/// One can't be looked at.
pub fn is_same_disk(a: &Path, b: &Path) -> Result<bool, VolumesError> {
    Ok(number(a)? == number(b)?)
}

fn number(path: &Path) -> Result<u64, VolumesError> {
    let there = nearest(path)?;
    let seen = std::fs::metadata(there).map_err(VolumesError::std("look at", path))?;
    Ok(seen.dev())
}

fn nearest(path: &Path) -> Result<&Path, VolumesError> {
    for above in path.ancestors() {
        match std::fs::metadata(above) {
            Ok(_) => return Ok(above),
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => return Err(VolumesError::std("look at", path)(e)),
        }
    }
    Ok(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn free_space_is_that_of_the_nearest_folder_that_exists() {
        let disk = Scratch::disk(1024 * 1024);
        let free = free_bytes(&disk.path().join("not/there/yet")).unwrap();
        assert!(free <= 1024 * 1024 && free > 900_000, "{free}");
        std::fs::write(disk.path().join("file"), vec![b'x'; 500_000]).unwrap();
        let less = free_bytes(disk.path()).unwrap();
        assert!(less + 500_000 <= free, "{less}");
    }

    #[test]
    fn disks_are_told_apart() {
        let (disk, other) = (Scratch::disk(1024 * 1024), Scratch::new());
        assert!(is_same_disk(disk.path(), &disk.path().join("a/b")).unwrap());
        assert!(!is_same_disk(disk.path(), other.path()).unwrap());
    }
}
