//! Numbers of events: they rise, with gaps, and none is ever given out twice.
//!
//! Promise: a number is given out only after the end of its block is on disk, so not even SIGKILL or a power cut
//! can bring one back. A block begins above all that is known of numbers before: the file, the numbers of this run, those
//! that lie in the outbox, and the clock once it was set. So neither a file that is lost nor one that an older copy of
//! the card brought back repeats them. Numbers given out are even: the odd one after each is for what tells that events
//! were given up. Costs one write in five hundred events, and up to 999 numbers a restart.

use std::ops::Range;
use std::path::{Path, PathBuf};

use titania_core::time::{PLAUSIBLE, Timestamp};

use super::error::StoreError;
use super::handle::Store;
use super::{bounded, durable, outbox};

/// Numbers reserved with one write (DESIGN §7).
pub const BLOCK: u64 = 1_000;

/// What JSON's readers keep whole is below it; a file that holds more was not written here.
const NUMBERS_END: u64 = 1 << 53;

/// See [`by_lot`]. A clock comes to it in 70,000 years.
const LOT_MIN: u64 = 1 << 51;

/// A number of 20 digits and a newline, with some slack.
const SEQUENCE_BYTES_MAX: u64 = 64;

fn path(state: &Path) -> PathBuf {
    state.join("sequence")
}

fn room_path(state: &Path) -> PathBuf {
    state.join("sequence.room")
}

/// Reserves the next block on disk and returns it.
///
/// It begins at the number in the file, at a thousand times the seconds since 1970 or at `floor`, whichever is highest:
/// numbers of a lost state folder are then not given out again, as long as there were fewer than five hundred events a
/// second. `now` is null where the clock was not set: a clock without a battery shows the same time after each boot, be
/// it 1970, the day the system was built or that of the last shutdown. Without file and clock numbers begin at one that no
/// clock comes to, drawn by lot.
///
/// # Errors
/// The disk's: nothing is given out then.
pub fn reserve(state: &Path, now: Option<Timestamp>, floor: u64) -> Result<Range<u64>, StoreError> {
    let path = path(state);
    let known = match bounded::read(&path, SEQUENCE_BYTES_MAX) {
        Ok(bytes) => bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.trim().parse::<u64>().ok())
            .filter(|known| *known < NUMBERS_END),
        Err(StoreError::TooLarge { .. }) => None,
        Err(e) => return Err(e),
    };
    let start = match (known, now.and_then(by_clock)) {
        (known, Some(by_clock)) => by_clock.max(known.unwrap_or(0)),
        (Some(known), None) => known,
        (None, None) => by_lot()?,
    };
    let waiting = Some(outbox::numbers_end(state)).filter(|end| *end < NUMBERS_END);
    let start = start.max(floor).max(waiting.unwrap_or(0)).max(1);
    let end = start.saturating_add(BLOCK);
    let room = room_path(state);
    durable::with_room(&room, || durable::replace(&path, format!("{end}\n").as_bytes(), 0o600))
        .map_err(StoreError::io("write", &path))?;
    // Kept for a full disk, which itself is worth an event. Where there is no room now, it goes without.
    let _without = durable::ensure_room(&room);
    Ok(start..end)
}

fn by_clock(now: Timestamp) -> Option<u64> {
    let seconds = u64::try_from(now.0 / 1000).ok().filter(|_| now >= PLAUSIBLE)?;
    seconds.checked_mul(1000).filter(|number| *number < LOT_MIN)
}

/// Below [`NUMBERS_END`], above those that clocks come to.
fn by_lot() -> Result<u64, StoreError> {
    let mut bytes = [0u8; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| StoreError::io("ask the kernel for", "random bytes")(e.into()))?;
    Ok(LOT_MIN + u64::from_ne_bytes(bytes) % LOT_MIN / BLOCK * BLOCK)
}

/// Gives out numbers of events.
pub struct Sequence {
    store: Store,
    block: Range<u64>,
}

impl Sequence {
    /// Reserves the first block.
    ///
    /// # Errors
    /// As [`reserve`].
    pub async fn open(store: &Store, now: Option<Timestamp>) -> Result<Self, StoreError> {
        let block = store.reserve_numbers(now, 0).await?;
        Ok(Self { store: store.clone(), block })
    }

    /// The next number, an even one; `now` as in [`reserve`]. Asks the disk once in [`BLOCK`] numbers.
    ///
    /// # Errors
    /// As [`reserve`].
    pub async fn next(&mut self, now: Option<Timestamp>) -> Result<u64, StoreError> {
        loop {
            let number = self.block.start.next_multiple_of(2);
            if number < self.block.end {
                self.block.start = number + 2;
                return Ok(number);
            }
            let floor = self.block.start.max(self.block.end);
            self.block = self.store.reserve_numbers(now, floor).await?;
        }
    }
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
