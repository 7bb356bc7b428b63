//! History: `history/<app>.jsonl`, one outcome a line, the newest at the end.
//!
//! Promise: an outcome is there once, by its id, however often it is appended; the newest [`KEPT`] stay. A line
//! cut off by a power cut is dropped; a line that this agent can't read (a newer one's words) is kept as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::Deserialize;
use titania_core::names::AppName;
use titania_core::outcome::Outcome;
use titania_core::time::Timestamp;

use super::error::StoreError;
use super::{bounded, durable};

/// Outcomes kept of one app (DESIGN §7).
pub const KEPT: usize = 200;

/// Lines at which a file is written anew with the newest [`KEPT`]: not at each append.
const COMPACTED_AT: usize = KEPT + 56;

/// Largest file read, in bytes: 256 lines of 16 KiB, ten times what one takes.
pub const HISTORY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most files read when the history of all apps is asked for.
const FILES_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Head {
    id: String,
}

fn folder(state: &Path) -> PathBuf {
    state.join("history")
}

/// Path of an app's history.
pub fn path(state: &Path, app: &AppName) -> PathBuf {
    folder(state).join(format!("{app}.jsonl"))
}

/// Appends `outcome` unless one of its id is there; true when it was appended.
///
/// # Errors
/// The disk's; what was there before is kept.
pub fn append(state: &Path, outcome: &Outcome) -> Result<bool, StoreError> {
    let path = path(state, &outcome.app);
    let text = read(&path)?;
    let (lines, is_torn) = split(&text);
    let is_known = |line: &&str| {
        serde_json::from_slice::<Head>(line.as_bytes()).is_ok_and(|head| head.id == outcome.id)
    };
    if lines.iter().rev().any(is_known) {
        return Ok(false);
    }
    let mut line = serde_json::to_string(outcome)
        .map_err(|e| StoreError::Unwritable { path: path.clone(), why: e.to_string() })?;
    line.push('\n');
    let folder = folder(state);
    durable::create_folder(&folder, 0o700).map_err(StoreError::io("make", &folder))?;
    if is_torn || text.is_empty() || lines.len() >= COMPACTED_AT {
        let first = lines.len().saturating_sub(KEPT - 1);
        let mut whole = String::new();
        for kept in lines.iter().skip(first) {
            whole.push_str(kept);
            whole.push('\n');
        }
        whole.push_str(&line);
        durable::replace(&path, whole.as_bytes(), 0o600)
    } else {
        add(&path, &line)
    }
    .map_err(StoreError::io("write", &path))?;
    Ok(true)
}

/// Removes the app's history.
///
/// # Errors
/// The disk's.
pub fn forget(state: &Path, app: &AppName) -> Result<(), StoreError> {
    let path = path(state, app);
    durable::remove(&path).map(|_| ()).map_err(StoreError::io("remove", &path))
}

fn add(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// Outcomes of one app or of all, newest first, that ended before `before`; at most `limit`, and [`KEPT`] an app.
///
/// # Errors
/// The files can't be read.
pub fn query(
    state: &Path,
    app: Option<&AppName>,
    limit: usize,
    before: Option<Timestamp>,
) -> Result<Vec<Outcome>, StoreError> {
    let paths = match app {
        Some(app) => vec![path(state, app)],
        None => all(state)?,
    };
    let mut found = Vec::new();
    for path in &paths {
        let text = read(path)?;
        let (lines, _) = split(&text);
        let outcomes = lines
            .iter()
            .rev()
            .take(KEPT)
            .filter_map(|line| serde_json::from_slice::<Outcome>(line.as_bytes()).ok())
            .filter(|outcome| before.is_none_or(|before| outcome.ended_at < before))
            .take(limit);
        found.extend(outcomes);
        if paths.len() > 1 {
            // Of one app the order of the file counts, whatever the clock did; between apps only the clock can.
            found.sort_by_key(|outcome| std::cmp::Reverse(outcome.ended_at));
            found.truncate(limit);
        }
    }
    Ok(found)
}

fn all(state: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let folder = folder(state);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("list", &folder)(e)),
    };
    let mut paths = Vec::new();
    for entry in entries.take(FILES_MAX) {
        let path = entry.map_err(StoreError::io("list", &folder))?.path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, StoreError> {
    let bytes = match bounded::read(path, HISTORY_BYTES_MAX) {
        Ok(bytes) => bytes.unwrap_or_default(),
        // No file of ours: set aside, so that history goes on.
        Err(StoreError::TooLarge { .. }) => {
            let mut aside = path.as_os_str().to_owned();
            aside.push(".damaged");
            let aside = PathBuf::from(aside);
            durable::remove(&aside).map_err(StoreError::io("remove", &aside))?;
            durable::set_aside(path, &aside).map_err(StoreError::io("set aside", path))?;
            Vec::new()
        }
        Err(e) => return Err(e),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whole lines, and whether the last one was cut off.
fn split(text: &str) -> (Vec<&str>, bool) {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let (whole, torn) = text.split_at_checked(whole).unwrap_or((text, ""));
    // A cut-off file can also hold zeros, or half a line before a whole one.
    let is_object = |line: &&str| line.starts_with('{') && line.ends_with('}');
    let lines: Vec<&str> = whole.lines().filter(is_object).collect();
    (lines, !torn.is_empty())
}

#[cfg(test)]
mod tests;
