//! Where a virtual board's files are.
//!
//! Promise: gone with the board, or with the next one when the program was killed, unless it is to be
//! kept: `TITANIA_KEEP`, or a failure that wants to be looked at.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names begin so; the id of the program that made it follows.
const PREFIX: &str = "titania-virtual-";
/// A file in a folder that stays.
const KEPT: &str = "kept";

/// See the head of the module.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A fresh one, in `TITANIA_TEST_DIR`, else on a disk, unlike /tmp on some systems.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::var_os("TITANIA_TEST_DIR").map_or("/var/tmp".into(), PathBuf::from);
        sweep(&base);
        let path = base.join(format!("{PREFIX}{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let folder = Self { path };
        if std::env::var_os("TITANIA_KEEP").is_some() {
            folder.keep();
        }
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It stays.
    pub fn keep(&self) {
        let _ = std::fs::write(self.path.join(KEPT), "");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        match self.path.join(KEPT).exists() {
            true => eprintln!("kept: {}", self.path.display()),
            false => {
                let _ = std::fs::remove_dir_all(&self.path);
            }
        }
    }
}

/// Removes those of programs that were killed.
fn sweep(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let owner = rest.and_then(|(owner, _)| owner.parse::<u32>().ok());
        let is_dead = owner.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists());
        if is_dead && !entry.path().join(KEPT).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
