//! Room on disks: what an act needs, what is free, and a refusal that shows both.
//!
//! Promise: nothing is refused without its figures; what lies on one disk is added up. No IO.

use std::path::{Path, PathBuf};

use titania_core::reason::{Class, Code, Reason};
use titania_core::room::ImageRoom;

use crate::board::clock;

/// What an act needs on one disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Of an image that is to be fetched.
    pub image: ImageRoom,
    /// Of the copy of an app's state.
    pub copy: u64,
    /// What shall stay free beside them.
    pub reserve: u64,
}

impl Need {
    /// The reserve alone.
    pub fn reserve(reserve: u64) -> Self {
        Self { reserve, ..Self::default() }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.image.total().saturating_add(self.copy).saturating_add(self.reserve)
    }

    /// What it is made of, in words.
    fn words(&self) -> String {
        let parts = [
            (self.image.download, "to download"),
            (self.image.unpacked, "unpacked"),
            (self.copy, "for the copy of its state"),
            (self.reserve, "in reserve"),
        ];
        let told = parts.iter().filter(|(count, _)| *count > 0);
        told.map(|(count, word)| format!("{} {word}", bytes(*count))).collect::<Vec<_>>().join(", ")
    }
}

/// One disk: a folder on it, and what is needed there.
pub type Place = (PathBuf, Need);

/// The needs of an update, disk by disk. `engine`: its folder, and whether that lies on the disk of the volumes; null
/// where the agent does not see it.
pub fn of_update(
    volumes: &Path,
    engine: Option<(&Path, bool)>,
    copy: u64,
    image: ImageRoom,
    reserve: u64,
) -> Vec<Place> {
    match engine {
        Some((_, true)) => vec![(volumes.to_owned(), Need { image, copy, reserve })],
        Some((engine, false)) => vec![
            (volumes.to_owned(), Need { copy, ..Need::reserve(reserve) }),
            (engine.to_owned(), Need { image, ..Need::reserve(reserve) }),
        ],
        None => vec![(volumes.to_owned(), Need { copy, ..Need::reserve(reserve) })],
    }
}

/// Why there is too little room; null where there is enough.
pub fn shortage(path: &Path, need: &Need, free: u64) -> Option<Reason> {
    if free >= need.total() {
        return None;
    }
    let message = format!(
        "{} needs {} free ({}), {} are",
        path.display(),
        bytes(need.total()),
        need.words(),
        bytes_free(free)
    );
    let hint = format!("make room on the disk of {}", path.display());
    Some(Reason::new(Code::DiskLow, Class::Environment, message, hint, clock::wall()))
}

/// Bytes as a person reads them, rounded up.
pub fn bytes(count: u64) -> String {
    let mebibytes = count.div_ceil(MIB);
    if count < MIB {
        format!("{} KiB", count.div_ceil(KIB))
    } else if mebibytes < 10 * KIB {
        format!("{mebibytes} MiB")
    } else {
        format!("{} GiB", mebibytes / KIB)
    }
}

/// The same of what is free, rounded down: it must not read as if it were enough.
pub fn bytes_free(count: u64) -> String {
    let unit = if count < MIB { KIB } else { MIB };
    bytes(count / unit * unit)
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

#[cfg(test)]
mod tests;
