//! Records: `apps/<app>.json`, the one before as `.json.1`, and the room kept for the next.
//!
//! Promise: a record is read whole or not at all; what can't be read falls back to the one before, then to none,
//! and never stops the agent. A record of a newer agent is reported and never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use titania_core::names::AppName;
use titania_core::record::{Record, SCHEMA};
use titania_core::world::RecordFrom;

use super::error::StoreError;
use super::{bounded, durable};

/// Largest record read, in bytes: a hundred times what two specifications and a long quarantine take.
pub const RECORD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most names read of the folder of records.
const ENTRIES_MAX: usize = 10_000;

/// A record, or what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The record; an empty one where there is none.
    pub record: Record,
    /// Where it came from.
    pub from: RecordFrom,
    /// What was wrong with the file that should have been read; null when nothing was.
    pub damage: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    schema: u32, // required: cut-off or foreign JSON must not pass for an empty record
}

enum Read {
    Whole(Box<Record>),
    Nothing,
    Damaged(String),
}

fn folder(state: &Path) -> PathBuf {
    state.join("apps")
}

/// Path of an app's record.
pub fn path(state: &Path, app: &AppName) -> PathBuf {
    folder(state).join(format!("{app}.json"))
}

/// Path of the record before.
pub fn former_path(state: &Path, app: &AppName) -> PathBuf {
    folder(state).join(format!("{app}.json.1"))
}

/// Path of the room kept for the next record.
pub fn room_path(state: &Path, app: &AppName) -> PathBuf {
    folder(state).join(format!("{app}.room"))
}

/// Apps that have a record, or one before, sorted.
///
/// # Errors
/// The folder can't be read.
pub fn apps(state: &Path) -> Result<Vec<AppName>, StoreError> {
    let folder = folder(state);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("list", &folder)(e)),
    };
    let mut apps = Vec::new();
    for entry in entries.take(ENTRIES_MAX) {
        let name = entry.map_err(StoreError::io("list", &folder))?.file_name();
        let stem = name
            .to_str()
            .and_then(|name| name.strip_suffix(".json").or_else(|| name.strip_suffix(".json.1")));
        if let Some(Ok(app)) = stem.map(str::parse::<AppName>) {
            apps.push(app);
        }
    }
    apps.sort();
    apps.dedup();
    Ok(apps)
}

/// Reads the app's record, or what is left of it.
///
/// # Errors
/// [`StoreError::Newer`] when the record, or the one before, is of a newer agent.
pub fn load(state: &Path, app: &AppName) -> Result<Loaded, StoreError> {
    let main = read(&path(state, app))?;
    let former = read(&former_path(state, app))?;
    let (record, from, damage) = match (main, former) {
        (Read::Whole(record), _) => (*record, RecordFrom::File, None),
        (Read::Nothing, Read::Whole(record)) => (*record, RecordFrom::Former, None),
        (Read::Damaged(why), Read::Whole(record)) => (*record, RecordFrom::Former, Some(why)),
        (Read::Damaged(why), _) | (_, Read::Damaged(why)) => {
            (Record::default(), RecordFrom::Nowhere, Some(why))
        }
        (Read::Nothing, Read::Nothing) => (Record::default(), RecordFrom::Nowhere, None),
    };
    Ok(Loaded { record, from, damage })
}

/// Writes the app's record whole. The one before is kept, unless it can't be read: then the one before that
/// stays. When the disk is full the app's room is given up.
///
/// # Errors
/// The disk's; the record before is then still whole. [`StoreError::Newer`] as [`load`].
pub fn save(state: &Path, app: &AppName, record: &Record) -> Result<(), StoreError> {
    let (main, former) = (path(state, app), former_path(state, app));
    let keeps = matches!(read(&main)?, Read::Whole(_));
    read(&former)?; // a newer one would be lost
    let mut bytes = serde_json::to_vec(record)
        .map_err(|e| StoreError::Unwritable { path: main.clone(), why: e.to_string() })?;
    bytes.push(b'\n');
    make_folder(state)?;
    durable::with_room(&room_path(state, app), || {
        if keeps {
            durable::replace_keeping(&main, &former, &bytes, 0o600)
        } else {
            durable::replace(&main, &bytes, 0o600)
        }
    })
    .map_err(StoreError::io("write", &main))
}

/// Makes the app's room again, where it was given up.
///
/// # Errors
/// The disk's.
pub fn ensure_room(state: &Path, app: &AppName) -> Result<(), StoreError> {
    make_folder(state)?;
    let room = room_path(state, app);
    durable::ensure_room(&room).map_err(StoreError::io("keep room in", &room))
}

/// Removes the app's record, the one before and the room. The record goes last: while it is there it counts.
///
/// # Errors
/// The disk's; what is left can be removed by another call.
pub fn forget(state: &Path, app: &AppName) -> Result<(), StoreError> {
    for path in [room_path(state, app), former_path(state, app), path(state, app)] {
        durable::remove(&path).map_err(StoreError::io("remove", &path))?;
    }
    Ok(())
}

fn make_folder(state: &Path) -> Result<(), StoreError> {
    let folder = folder(state);
    durable::create_folder(&folder, 0o700).map_err(StoreError::io("make", &folder))
}

fn read(path: &Path) -> Result<Read, StoreError> {
    let bytes = match bounded::read(path, RECORD_BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Read::Nothing),
        Err(e) => return Ok(Read::Damaged(e.to_string())),
    };
    let damaged = |why: String| Ok(Read::Damaged(format!("{}: {why}", path.display())));
    match serde_json::from_slice::<Head>(&bytes) {
        Ok(Head { schema }) if schema > SCHEMA => {
            Err(StoreError::Newer { path: path.to_owned(), schema })
        }
        Ok(Head { schema: 0 }) => damaged("schema 0 is none".to_owned()),
        Ok(_) => match serde_json::from_slice(&bytes) {
            Ok(record) => Ok(Read::Whole(Box::new(record))),
            Err(e) => damaged(e.to_string()),
        },
        Err(e) => damaged(e.to_string()),
    }
}

#[cfg(test)]
mod tests;
