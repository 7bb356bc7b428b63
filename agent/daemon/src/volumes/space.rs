//! Free space, and which disk is whose.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::VolumesError;
use super::handle::Volumes;

/// Folders that the service manager may hide from the agent (systemd.exec(5), `ProtectHome=`).
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

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

    /// Whether homes hide `path` from the agent (`ProtectHome=`): what is told of the folders above it is then told of
    /// something that systemd put there, not of the disk.
    ///
    /// # Errors
    /// The disk hangs.
    pub async fn is_hidden(&self, path: PathBuf) -> Result<bool, VolumesError> {
        self.quick("look for a folder", move || Ok(is_hidden(&path))).await
    }

    /// How large the disk of `path` is, with all that lies on it, in bytes.
    ///
    /// # Errors
    /// The disk can't be asked.
    pub async fn disk_bytes(&self, path: PathBuf) -> Result<u64, VolumesError> {
        self.quick("ask how large a disk is", move || all_bytes(&path)).await
    }
}

fn is_hidden(path: &Path) -> bool {
    HOMES.iter().any(|home| path.starts_with(home)) && std::fs::metadata(path).is_err()
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
            // A folder that may not be looked into is mostly on the disk of what it lies in.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::PermissionDenied
                ) => {}
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
    fn only_what_lies_below_homes_and_is_not_there_is_hidden() {
        for (path, want) in [
            ("/home/no-such-user/docker", true),
            ("/root/no/such/folder", true),
            ("/home", false),
            ("/root", false),
            ("/var/lib/no-such-folder", false),
            ("/homes/docker", false),
        ] {
            assert_eq!(is_hidden(Path::new(path)), want, "{path}");
        }
    }

    #[test]
    fn a_folder_that_may_not_be_looked_into_is_told_by_the_one_above_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let disk = Scratch::disk(1024 * 1024);
        let closed = disk.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
        let below = closed.join("data");
        // Of this thread alone: root's rights over files, and root's own.
        let ended = std::thread::spawn(move || {
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(70_000)).unwrap();
            let seen = std::fs::metadata(&below).map_err(|e| e.kind());
            assert!(matches!(seen, Err(io::ErrorKind::PermissionDenied)), "{seen:?}");
            free_bytes(&below).unwrap()
        });
        assert!((900_000..=1024 * 1024).contains(&ended.join().unwrap()));
    }

    #[test]
    fn disks_are_told_apart() {
        let (disk, other) = (Scratch::disk(1024 * 1024), Scratch::new());
        assert!(is_same_disk(disk.path(), &disk.path().join("a/b")).unwrap());
        assert!(!is_same_disk(disk.path(), other.path()).unwrap());
    }
}
