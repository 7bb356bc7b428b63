//! How large a fork is: the estimate for the copy that an update will make.

use std::collections::BTreeSet;

use titania_core::names::Generation;

use super::error::VolumesError;
use super::paths::Place;
use super::tree::{self, Meta, Turn};
use crate::workers::Cancel;

/// Entries counted: some seconds on a slow card. Whoever has more state than that has too much.
pub const ENTRIES_MAX: u64 = 200_000;

/// What a fork takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes on disk, each hard-linked file once.
    pub bytes: u64,
    /// Files, folders, links.
    pub entries: u64,
    /// Counting ended at [`ENTRIES_MAX`]: there is more.
    pub is_more: bool,
}

/// The size of a fork's folder; zero when it is not there.
///
/// # Errors
/// The disk's; folders too deep.
pub fn of_fork(
    place: &Place,
    generation: Generation,
    cancel: &Cancel,
) -> Result<Size, VolumesError> {
    let fork = place.fork(generation);
    let mut size = Size::default();
    if !Meta::at(&fork)?.is_some_and(|seen| seen.is_folder()) {
        return Ok(size);
    }
    let mut linked = BTreeSet::new();
    tree::walk(tree::open_folder(&fork)?, &fork, cancel, &mut |seen| {
        if size.entries >= ENTRIES_MAX {
            size.is_more = true;
            return Ok(Turn::Past);
        }
        size.entries += 1;
        let is_counted =
            seen.meta.links > 1 && !seen.meta.is_folder() && !linked.insert(seen.meta.inode);
        if !is_counted {
            size.bytes = size.bytes.saturating_add(seen.meta.bytes_on_disk);
        }
        Ok(Turn::In)
    })?;
    Ok(size)
}
