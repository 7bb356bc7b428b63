//! The system's own files, below a root that is another one in tests.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest of these files read, in bytes: a table of mounts or users of a large machine.
const BYTES_MAX: u64 = 1024 * 1024;

/// Where the system's files are.
pub(super) struct System {
    root: PathBuf,
    /// The kernel's word for the machine (`armv7l`).
    pub(super) machine: String,
    /// Root may look everywhere.
    pub(super) is_root: bool,
}

impl System {
    /// This board.
    pub(super) fn here() -> Self {
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        Self { root: "/".into(), machine, is_root: rustix::process::geteuid().is_root() }
    }

    #[cfg(test)]
    pub(super) fn at(root: &Path, machine: &str) -> Self {
        Self { root: root.into(), machine: machine.into(), is_root: true }
    }

    /// Where `path` really lies.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file, cut at a megabyte.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(self.path(path))?.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of a file, empty where there is none to be read.
    pub(super) fn text_or_empty(&self, path: impl AsRef<Path>) -> String {
        self.text(path).unwrap_or_default()
    }
}
