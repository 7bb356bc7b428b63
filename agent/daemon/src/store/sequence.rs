//! Numbers of events: they rise, with gaps, and none is ever given out twice.
//!
//! Promise: a number is given out only after the end of its block is on disk, so not even SIGKILL or a power cut
//! can bring one back. Costs one write in a thousand events, and up to 999 numbers a restart.

use std::ops::Range;
use std::path::{Path, PathBuf};

use titania_core::time::{PLAUSIBLE, Timestamp};

use super::error::StoreError;
use super::handle::Store;
use super::{bounded, durable};

/// Numbers reserved with one write (DESIGN §7).
pub const BLOCK: u64 = 1_000;

/// What JSON's readers keep whole is below it; a file that holds more was not written here.
const NUMBERS_END: u64 = 1 << 53;

/// See [`by_lot`].
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
/// Where the file is missing or damaged, numbers begin at a thousand times the seconds since 1970: numbers
/// of a lost state folder are then not given out again, as long as there were fewer than a thousand events a second.
/// By a clock that was never set they begin at a number that no clock comes to, drawn by lot.
///
/// # Errors
/// The disk's: nothing is given out then.
pub fn reserve(state: &Path, now: Timestamp) -> Result<Range<u64>, StoreError> {
    let path = path(state);
    let known = match bounded::read(&path, SEQUENCE_BYTES_MAX) {
        Ok(bytes) => bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.trim().parse::<u64>().ok())
            .filter(|known| *known < NUMBERS_END),
        Err(StoreError::TooLarge { .. }) => None,
        Err(e) => return Err(e),
    };
    let start = match known {
        Some(known) => known.max(1),
        None if now >= PLAUSIBLE => u64::try_from(now.0 / 1000).unwrap_or(0).saturating_mul(1000),
        None => by_lot()?,
    };
    let end = start.saturating_add(BLOCK);
    let room = room_path(state);
    durable::with_room(&room, || durable::replace(&path, format!("{end}\n").as_bytes(), 0o600))
        .map_err(StoreError::io("write", &path))?;
    // Kept for a full disk, which itself is worth an event. Where there is no room now, it goes without.
    let _without = durable::ensure_room(&room);
    Ok(start..end)
}

/// Below [`NUMBERS_END`], above those that clocks come to in 70,000 years.
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
    pub async fn open(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let block = store.reserve_numbers(now).await?;
        Ok(Self { store: store.clone(), block })
    }

    /// The next number; `now` as in [`reserve`]. Asks the disk once in [`BLOCK`] numbers.
    ///
    /// # Errors
    /// As [`reserve`].
    pub async fn next(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        loop {
            if let Some(number) = self.block.next() {
                return Ok(number);
            }
            self.block = self.store.reserve_numbers(now).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const NOW: Timestamp = Timestamp(1_800_000_000_123);

    #[test]
    fn no_number_comes_twice_however_often_the_agent_is_killed() {
        let state = Scratch::new();
        let mut highest = 0;
        for _ in 0..5 {
            // Each run is cut off right after its reservation: nothing but the file remains.
            let block = reserve(state.path(), NOW).unwrap();
            assert!(block.start > highest, "{block:?} after {highest}");
            assert_eq!(block.end - block.start, BLOCK);
            highest = block.end - 1;
        }
    }

    #[test]
    fn a_lost_or_damaged_file_does_not_bring_numbers_back() {
        let state = Scratch::new();
        let first = reserve(state.path(), NOW).unwrap();
        for damage in [
            None,
            Some("gar\0bage"),
            Some(""),
            Some("9007199254740992"),     // 2^53
            Some("18446744073709551615"), // 2^64 - 1: nothing comes after it
        ] {
            match damage {
                None => std::fs::remove_file(state.path().join("sequence")).unwrap(),
                Some(text) => std::fs::write(state.path().join("sequence"), text).unwrap(),
            }
            let later = reserve(state.path(), Timestamp(NOW.0 + 1_000)).unwrap();
            assert!(later.start >= first.end, "{later:?} after {first:?}");
            assert_eq!(later.end - later.start, BLOCK, "{damage:?}");
            assert!(later.end < NUMBERS_END, "{damage:?}: {later:?}");
        }
    }

    #[test]
    fn a_lost_file_on_a_board_without_a_clock_does_not_bring_numbers_back() {
        let mut all = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let state = Scratch::new();
            let block = reserve(state.path(), Timestamp(30_000)).unwrap();
            assert!(block.start >= LOT_MIN && block.end < NUMBERS_END, "{block:?}");
            assert!(all.insert(block.start), "{block:?} came twice");
            assert_eq!(reserve(state.path(), NOW).unwrap().start, block.end, "and goes on");
        }
    }

    #[test]
    fn a_full_disk_still_gives_blocks_however_often_it_is_full() {
        let disk = Scratch::disk(256 * 1024);
        let mut end = reserve(disk.path(), NOW).unwrap().end;
        for _ in 0..3 {
            crate::scratch::fill(disk.path());
            for _ in 0..3 {
                let block = reserve(disk.path(), NOW).unwrap();
                assert_eq!(block.start, end);
                end = block.end;
            }
            std::fs::remove_file(disk.path().join("filler")).unwrap();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn numbers_run_on_from_block_to_block() {
        let state = Scratch::new();
        let store = Store::new(state.path().to_owned()).unwrap();
        let mut sequence = Sequence::open(&store, NOW).await.unwrap();
        let first = sequence.next(NOW).await.unwrap();
        for n in 1..2_500 {
            assert_eq!(sequence.next(NOW).await.unwrap(), first + n);
        }
        let mut again = Sequence::open(&store, NOW).await.unwrap();
        assert_eq!(again.next(NOW).await.unwrap(), first + 3_000);
    }
}
