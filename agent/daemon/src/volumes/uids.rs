//! The pool: a uid of 70000–79999 for an app whose image names none, written in `.titania-uids` at the root.
//!
//! Promise: an app keeps its uid for ever, and no other app gets it: forks' files are asked as well, so that a lost or
//! damaged list gives the same uids again. A uid that the system uses, or may give to users, is never given out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use titania_core::names::{AppName, POOL};

use super::error::VolumesError;
use super::paths::{Place, System, ensure_root};
use super::{files, forks};
use crate::store::durable;

/// The list at the root.
pub const LIST_FILE: &str = ".titania-uids";

/// Largest list read, in bytes: ten thousand names of 63 bytes.
const LIST_BYTES_MAX: u64 = 1024 * 1024;

/// Largest file of users read, in bytes: a hundred thousand lines.
const USERS_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Format of the list.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct List {
    schema: u32,
    uids: BTreeMap<AppName, u32>,
}

fn path(root: &Path) -> PathBuf {
    root.join(LIST_FILE)
}

/// The app's uid; null when it has none of the pool.
///
/// # Errors
/// The disk's; [`VolumesError::Newer`].
pub fn assigned(place: &Place) -> Result<Option<u32>, VolumesError> {
    match load(place.root())?.get(place.app()) {
        Some(uid) => Ok(Some(*uid)),
        None => of_forks(place),
    }
}

/// The app's uid, given out now if it has none. On disk before this answers.
///
/// # Errors
/// [`VolumesError::PoolEmpty`]; the disk's; [`VolumesError::Newer`].
pub fn assign(place: &Place, system: &System) -> Result<u32, VolumesError> {
    ensure_root(place)?;
    let root = place.root();
    let mut uids = load(root)?;
    if let Some(uid) = uids.get(place.app()) {
        return Ok(*uid);
    }
    // What the forks know goes into the list again, this app's and the others'.
    for app in forks::apps(root)? {
        if let Some(uid) = of_forks(&Place::new(root, &app))? {
            uids.entry(app).or_insert(uid);
        }
    }
    let uid = match uids.get(place.app()) {
        Some(uid) => *uid,
        None => free(&uids, system)?,
    };
    uids.insert(place.app().clone(), uid);
    save(place, uids)?;
    Ok(uid)
}

fn free(uids: &BTreeMap<AppName, u32>, system: &System) -> Result<u32, VolumesError> {
    let mut taken: BTreeSet<u32> = uids.values().copied().collect();
    for file in &system.passwd {
        taken.extend(numbers(file)?);
    }
    let mut ranges = Vec::new();
    for file in &system.ranges {
        ranges.extend(ranges_of(file)?);
    }
    POOL.into_iter()
        .find(|uid| !taken.contains(uid) && !ranges.iter().any(|range| range.contains(uid)))
        .ok_or(VolumesError::PoolEmpty)
}

/// The uid of the pool in the newest of the app's fork files that has one.
fn of_forks(place: &Place) -> Result<Option<u32>, VolumesError> {
    for generation in forks::numbers(place)?.into_keys().rev() {
        let uids = files::uids(place, generation)?;
        if let Some(uid) = uids.into_iter().flatten().find(|uid| POOL.contains(uid)) {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}

fn load(root: &Path) -> Result<BTreeMap<AppName, u32>, VolumesError> {
    let path = path(root);
    let Some(bytes) = files::read(&path, LIST_BYTES_MAX)? else {
        return Ok(BTreeMap::new());
    };
    match serde_json::from_slice::<List>(&bytes) {
        Ok(List { schema, .. }) if schema > SCHEMA => Err(VolumesError::Newer { path, schema }),
        Ok(List { uids, .. }) => Ok(uids),
        Err(e) => {
            log::warn!("{} can't be read, so the forks are asked: {e}", path.display());
            Ok(BTreeMap::new())
        }
    }
}

fn save(place: &Place, uids: BTreeMap<AppName, u32>) -> Result<(), VolumesError> {
    let path = path(place.root());
    let list = List { schema: SCHEMA, uids };
    let mut bytes = serde_json::to_vec(&list)
        .map_err(|e| VolumesError::std("write", &path)(std::io::Error::other(e)))?;
    bytes.push(b'\n');
    durable::with_room(&place.room(), || durable::replace(&path, &bytes, 0o644))
        .map_err(VolumesError::std("write", &path))
}

fn lines(file: &Path) -> Result<Vec<Vec<String>>, VolumesError> {
    let bytes = files::read_followed(file, USERS_BYTES_MAX)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let fields = |line: &str| line.split(':').map(|field| field.trim().to_owned()).collect();
    Ok(text.lines().map(fields).collect())
}

/// Third fields: uids of passwd(5), gids of group(5).
fn numbers(file: &Path) -> Result<Vec<u32>, VolumesError> {
    let lines = lines(file)?;
    Ok(lines.iter().filter_map(|line| line.get(2)?.parse().ok()).collect())
}

/// Ranges of subuid(5), `name:first:count`.
fn ranges_of(file: &Path) -> Result<Vec<std::ops::Range<u32>>, VolumesError> {
    let lines = lines(file)?;
    Ok(lines
        .iter()
        .filter_map(|line| {
            let first: u32 = line.get(1)?.parse().ok()?;
            let count: u32 = line.get(2)?.parse().ok()?;
            Some(first..first.saturating_add(count))
        })
        .collect())
}

#[cfg(test)]
mod tests;
