//! An engine that maps users (`userns-remap`), without a user or a range being added to the machine.
//!
//! Promise: the ranges are seen by the board's own programs alone.

use crate::namespace;
use std::path::{Path, PathBuf};

/// What uid 0 of a container is on the board.
pub const MAPPED_UID: u32 = 300_000;
/// What gid 0 is: another number, so that whoever takes one for the other is found out.
pub const MAPPED_GID: u32 = 400_000;
/// How many numbers are mapped: the usual count (subuid(5)).
const IDS: u32 = 65_536;

/// Puts the ranges in place; the argument for dockerd. User and group that Debian always has lend their names.
pub fn prepare(folder: &Path) -> String {
    for (file, first) in [("subuid", MAPPED_UID), ("subgid", MAPPED_GID)] {
        let own = folder.join(file);
        // Engines look for the group's range under its own name, or under the user's.
        let text = ["nobody", "nogroup"].map(|name| format!("{name}:{first}:{IDS}\n")).concat();
        std::fs::write(&own, text).expect("a file for the engine");
        namespace::bind(&own, &Path::new("/etc").join(file));
    }
    "--userns-remap=nobody:nogroup".to_owned()
}

/// The folder below its data root that an engine has for this map.
pub fn data_of(root: &Path) -> PathBuf {
    root.join(format!("{MAPPED_UID}.{MAPPED_GID}"))
}
