//! Outbox: events that the broker may not have yet, `outbox/<first number>.jsonl`, one a line.
//!
//! Promise: an event that was appended is read again after a restart, in order, until it is forgotten; a line cut off
//! by a power cut is dropped alone. On a full disk the room that was kept is given up, for some hundred events. A file is
//! written by one run of the agent and removed whole: an event costs one appended line, its acknowledgement no write of
//! its own. What was given up is counted in `outbox/dropped.json`, before it is told; from then on none of it is read
//! again though its file stays for others.
//! How much is kept is the caller's to say, by what it forgets; no more than [`FILES_MAX`] files are ever read.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use titania_core::event::{Delivery, Dropped, Event};

use super::error::StoreError;
use super::handle::Store;
use super::{bounded, durable};

/// Events in one file: so many may be told twice after a restart.
const FILE_EVENTS: u64 = 64;
/// Bytes at which a file is ended.
const FILE_BYTES: u64 = 64 * 1024;
/// Largest file read: a full one and the longest event in it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most files read: more than events are kept, of which each may have one after many restarts.
const FILES_MAX: usize = 1_100;
/// Largest `dropped.json`: some numbers and a time.
const DROPPED_BYTES_MAX: u64 = 4 * 1024;

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: u64,
    last: u64,
    events: u64,
    bytes: u64,
    /// Begun by this run: nothing is appended to what an earlier one, perhaps cut off, left.
    is_ours: bool,
}

/// What `dropped.json` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct GivenUp {
    /// Up to this number all were acknowledged, or given up and told of: none of them is read again.
    #[serde(default)]
    told: u64,
    /// What was given up after that and not told of yet.
    #[serde(flatten)]
    dropped: Option<Dropped>,
}

/// The events on disk.
pub struct Outbox {
    store: Store,
    parts: VecDeque<Part>,
    on_disk: GivenUp,
    /// As it is by what was heard last. Not written at once.
    now: GivenUp,
}

/// What an earlier run left.
#[derive(Debug, Default, PartialEq)]
pub struct Left {
    /// Events, in order.
    pub events: Vec<Event>,
    /// Events given up before these and not told of yet.
    pub dropped: Option<Dropped>,
}

impl Outbox {
    /// Opens the outbox and returns what is in it.
    ///
    /// # Errors
    /// The folder can't be made or read.
    pub async fn open(store: &Store) -> Result<(Self, Left), StoreError> {
        let (parts, on_disk, left) = store.run(read_all).await?;
        Ok((Self { store: store.clone(), parts, on_disk, now: on_disk }, left))
    }

    /// Appends one event; when this answers it is on disk. Its number is higher than all before.
    ///
    /// # Errors
    /// The disk's: it is not kept then.
    pub async fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        let length = line.len() as u64;
        let open = self.parts.back().copied().filter(|part| {
            part.is_ours && part.events < FILE_EVENTS && part.bytes + length <= FILE_BYTES
        });
        let first = open.map_or(event.seq, |part| part.first);
        self.store.run(move |state| write(state, first, open.is_none(), &line)).await?;
        match self.parts.back_mut().filter(|_| open.is_some()) {
            Some(part) => {
                part.last = event.seq;
                part.events += 1;
                part.bytes += length;
            }
            None => self.parts.push_back(Part {
                first,
                last: event.seq,
                events: 1,
                bytes: length,
                is_ours: true,
            }),
        }
        Ok(())
    }

    /// Events that `delivery` does not need are the broker's, or were given up: files that hold nothing else go.
    /// What was given up is written down when its last file goes, or it is about to be told; that it was told is, as long
    /// as one of its files stays.
    ///
    /// # Errors
    /// The disk's; what is left is forgotten the next time.
    pub async fn forget(&mut self, delivery: Delivery) -> Result<(), StoreError> {
        let is_needed = |part: &Part| {
            let is_in_flight = |seq| part.first <= seq && seq <= part.last;
            part.last >= delivery.kept_from || delivery.in_flight.is_some_and(is_in_flight)
        };
        let told = told(&delivery);
        if self.now.dropped.is_some_and(|before| before.first <= told) {
            self.now.told = told;
        }
        self.now.dropped = delivery.dropped;
        let goes = self.parts.iter().any(|part| !is_needed(part));
        let is_told = self.now.told != self.on_disk.told && self.holds(self.now.told);
        if goes || is_told || delivery.is_to_be_kept || self.now.dropped.is_none() {
            // Written first: a file that is gone without a word of it would be a loss that nobody counted.
            match self.write_given_up().await {
                // There is no room for the word unless one of them goes before it.
                Err(error) if error.is_disk_full() && goes => {
                    self.remove_one(&is_needed).await?;
                    self.write_given_up().await?;
                }
                written => written?,
            }
        }
        while self.remove_one(&is_needed).await? {}
        // Not before the files are gone: until then it tells what in them is not to be read.
        if !self.holds(self.now.told) {
            self.now.told = 0;
            if self.now.dropped.is_none() {
                self.write_given_up().await?;
            }
        }
        Ok(())
    }

    /// Whether a file has events up to this number.
    fn holds(&self, number: u64) -> bool {
        self.parts.iter().any(|part| part.first <= number)
    }

    async fn write_given_up(&mut self) -> Result<(), StoreError> {
        let now = self.now;
        if now != self.on_disk {
            self.store.run(move |state| write_given_up(state, now)).await?;
            self.on_disk = now;
        }
        Ok(())
    }

    /// Removes the oldest file that is not needed; tells whether there was one.
    async fn remove_one(&mut self, is_needed: &impl Fn(&Part) -> bool) -> Result<bool, StoreError> {
        let Some(n) = self.parts.iter().position(|part| !is_needed(part)) else {
            return Ok(false);
        };
        let first = self.parts[n].first;
        self.store.run(move |state| remove(state, first)).await?;
        self.parts.remove(n);
        Ok(true)
    }
}

fn folder(state: &Path) -> PathBuf {
    state.join("outbox")
}

/// Kept beside the folder for a full disk: some hundred events.
fn room_path(state: &Path) -> PathBuf {
    state.join("outbox.room")
}

fn dropped_path(state: &Path) -> PathBuf {
    folder(state).join("dropped.json")
}

/// Numbers in names have 20 digits, so that names sort as they do.
fn path(state: &Path, first: u64) -> PathBuf {
    folder(state).join(format!("{first:020}.jsonl"))
}

fn number(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    stem.parse().ok().filter(|_| stem.len() == 20)
}

fn write(state: &Path, first: u64, is_new: bool, line: &[u8]) -> Result<(), StoreError> {
    let (folder, path) = (folder(state), path(state, first));
    if is_new {
        durable::create_folder(&folder, 0o700).map_err(StoreError::io("make", &folder))?;
    }
    let room = room_path(state);
    durable::with_room(&room, || {
        add(&path, line, is_new)?;
        if is_new { durable::sync_folder(&folder) } else { Ok(()) }
    })
    .map_err(StoreError::io("write", &path))?;
    if is_new {
        // That a disk is full is worth an event itself. Where there is no room now, it goes without.
        let _without = durable::ensure_room(&room);
    }
    Ok(())
}

/// Appends whole or not at all: what a full disk took of the line is cut off again.
fn add(path: &Path, line: &[u8], is_new: bool) -> io::Result<()> {
    // A new one replaces what a write that failed left under its name: no number is given out twice.
    let mut file = OpenOptions::new()
        .write(is_new)
        .create(is_new)
        .truncate(is_new)
        .append(!is_new)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        let _already_failing = if is_new { fs::remove_file(path) } else { file.set_len(before) };
    }
    written
}

fn remove(state: &Path, first: u64) -> Result<(), StoreError> {
    let path = path(state, first);
    durable::remove(&path).map_err(StoreError::io("remove", &path)).map(drop)
}

/// A number above all that are known here; 0 where there are none. What can't be read is as far as its name tells.
pub(super) fn numbers_end(state: &Path) -> u64 {
    let newest = list(state).unwrap_or_default().into_iter().max();
    let of_file = newest.map(|first| {
        let events = read(state, first).unwrap_or_default();
        events.last().map_or(first.saturating_add(2 * FILE_EVENTS), |event| event.seq)
    });
    let given_up = read_given_up(state).unwrap_or_default();
    let of_word = given_up.dropped.map(|dropped| dropped.last);
    let last = of_file.max(of_word).max(Some(given_up.told));
    // The odd one after it may tell of what was given up.
    last.filter(|last| *last > 0).map_or(0, |last| (last | 1).saturating_add(1))
}

/// The number up to which all were acknowledged, or given up and told of.
fn told(delivery: &Delivery) -> u64 {
    let given_up = delivery.dropped.map(|dropped| dropped.first);
    let needed = [delivery.in_flight, given_up, Some(delivery.kept_from)].into_iter().flatten();
    needed.min().unwrap_or(0).saturating_sub(1)
}

fn write_given_up(state: &Path, given_up: GivenUp) -> Result<(), StoreError> {
    let path = dropped_path(state);
    if given_up == GivenUp::default() {
        return durable::remove(&path).map_err(StoreError::io("remove", &path)).map(drop);
    }
    let bytes = serde_json::to_vec(&given_up)
        .map_err(|e| StoreError::Unwritable { path: path.clone(), why: e.to_string() })?;
    durable::with_room(&room_path(state), || durable::replace(&path, &bytes, 0o600))
        .map_err(StoreError::io("write", &path))
}

fn read_given_up(state: &Path) -> Result<GivenUp, StoreError> {
    let given_up = match bounded::read(&dropped_path(state), DROPPED_BYTES_MAX) {
        Ok(bytes) => bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        Err(StoreError::TooLarge { .. }) => None,
        Err(e) => return Err(e),
    };
    Ok(given_up.unwrap_or_default())
}

fn read_all(state: &Path) -> Result<(VecDeque<Part>, GivenUp, Left), StoreError> {
    let given_up = read_given_up(state)?;
    let dropped = given_up.dropped;
    let mut numbers = list(state)?;
    numbers.sort_unstable();
    let mut parts = VecDeque::new();
    let mut left = Left { events: Vec::new(), dropped };
    for (n, first) in numbers.iter().rev().enumerate() {
        let events = if n < FILES_MAX { read(state, *first)? } else { Vec::new() };
        let Some(last) = events.last().map(|event| event.seq) else {
            remove(state, *first)?; // nothing in it that can be told
            continue;
        };
        let (count, bytes) = (events.len() as u64, FILE_BYTES);
        parts.push_front(Part { first: *first, last, events: count, bytes, is_ours: false });
        left.events.splice(0..0, events);
    }
    // Given up already, though the file that holds them holds others still.
    left.events.retain(|event| {
        let is_given_up = |gap: Dropped| gap.first <= event.seq && event.seq <= gap.last;
        event.seq > given_up.told && !dropped.is_some_and(is_given_up)
    });
    Ok((parts, given_up, left))
}

fn list(state: &Path) -> Result<Vec<u64>, StoreError> {
    let folder = folder(state);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io("list", &folder)(e)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", &folder))?;
        numbers.extend(number(&entry.path()));
    }
    Ok(numbers)
}

/// Its events whose numbers rise; a line that is none, or a newer agent's, is passed over.
fn read(state: &Path, first: u64) -> Result<Vec<Event>, StoreError> {
    let bytes = match bounded::read(&path(state, first), FILE_BYTES_MAX) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(StoreError::TooLarge { .. }) => Vec::new(),
        Err(e) => return Err(e),
    };
    let mut last = 0;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let whole = lines.filter(|line| line.ends_with(b"\n"));
    let events = whole.filter_map(|line| serde_json::from_slice::<Event>(line).ok());
    let rising = events.filter(|event| {
        let is_next = event.seq > last;
        last = last.max(event.seq);
        is_next
    });
    Ok(rising.collect())
}

#[cfg(test)]
mod tests;
