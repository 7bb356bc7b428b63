//! A folder's content, to be compared byte for byte, with owners.

use crate::image::digest;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Every entry below a folder, and the folder itself as the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

/// What is compared of an entry: all but access and change times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mode: u32,
    uid: u32,
    gid: u32,
    /// Of files and links: a folder's moves with what is in it.
    modified: (i64, i64),
    /// Digest of a file, target of a link, else the kind.
    content: String,
}

impl Tree {
    /// Reads a folder.
    ///
    /// # Panics
    /// When it is not there or can't be read.
    #[track_caller]
    pub fn read(folder: &Path) -> Self {
        let mut entries = BTreeMap::new();
        let mut left = vec![PathBuf::new()];
        while let Some(path) = left.pop() {
            let place = folder.join(&path);
            let meta = std::fs::symlink_metadata(&place)
                .unwrap_or_else(|error| panic!("{}: {error}", place.display()));
            if meta.is_dir() {
                let list = std::fs::read_dir(&place).expect("a folder can be listed");
                left.extend(list.flatten().map(|entry| path.join(entry.file_name())));
            }
            entries.insert(path, look_at(&place, &meta));
        }
        Self { entries }
    }

    /// The same without one entry: a file that is expected to change.
    #[must_use]
    pub fn without(&self, path: &str) -> Self {
        let mut entries = self.entries.clone();
        entries.remove(Path::new(path));
        Self { entries }
    }

    /// Paths of all that is not a folder.
    pub fn files(&self) -> Vec<&Path> {
        let all = self.entries.iter();
        all.filter(|(_, entry)| entry.content != "folder").map(|(path, _)| path.as_path()).collect()
    }

    /// All owners (uid, gid) in it.
    pub fn owners(&self) -> Vec<(u32, u32)> {
        let mut owners: Vec<(u32, u32)> =
            self.entries.values().map(|one| (one.uid, one.gid)).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Fails with the list of differences, if there are any.
    ///
    /// # Panics
    /// When the two are not the same.
    #[track_caller]
    pub fn assert_same(&self, other: &Self, what: &str) {
        let mut report = String::new();
        let paths = self.entries.keys().chain(other.entries.keys());
        for path in paths.collect::<std::collections::BTreeSet<_>>() {
            let (before, after) = (self.entries.get(path), other.entries.get(path));
            if before != after {
                let show = |entry: Option<&Entry>| {
                    entry.map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                let (before, after) = (show(before), show(after));
                report += &format!("{}: {before} became {after}\n", path.display());
            }
        }
        assert!(report.is_empty(), "{what}:\n{report}");
    }
}

impl Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Self { mode, uid, gid, .. } = self;
        let (seconds, nanoseconds) = self.modified;
        let content = &self.content;
        write!(out, "{mode:o} {uid}:{gid} {seconds}.{nanoseconds} {content}")
    }
}

fn look_at(place: &Path, meta: &std::fs::Metadata) -> Entry {
    let kind = meta.file_type();
    let content = if kind.is_dir() {
        "folder".to_owned()
    } else if kind.is_symlink() {
        let target = std::fs::read_link(place).unwrap_or_default();
        format!("→ {}", target.display())
    } else if kind.is_file() {
        digest(&std::fs::read(place).expect("a file can be read"))
    } else if kind.is_fifo() {
        "fifo".to_owned()
    } else {
        "special".to_owned()
    };
    let modified = match kind.is_dir() {
        true => (0, 0),
        false => (meta.mtime(), meta.mtime_nsec()),
    };
    Entry { mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid(), modified, content }
}
