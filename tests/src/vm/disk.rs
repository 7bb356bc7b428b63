//! The disk of a virtual board: a base that is never written, what lies safely on the medium, and a
//! write cache that a power cut empties.
//!
//! Promise: a write that a flush followed, or that was forced (FUA), is on the medium whatever
//! happens. Of the others, after a [`Disk::cut`], each is kept, lost or torn at a sector, as a seed
//! decides and each for itself, so that a later one may be there without an earlier one. Until then
//! a read sees them all.
//! This is what a disk with a volatile cache may do (virtio 1.2, section 5.2.6; NBD protocol, "Ordering
//! of messages"). Worse disks, which lie about flushes or spoil what they did not write, are not played.

use super::chance::Chance;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a disk writes whole or not at all, in bytes.
pub const SECTOR: u64 = 512;
/// Bytes in the cache from which on a disk writes by itself: more than a guest leaves unflushed in
/// the 5 s after which its file system flushes.
const CACHE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Writes in the cache, for the same reason: each read looks at all of them.
const CACHE_WRITES_MAX: usize = 16 * 1024;

/// One write, in the cache.
#[derive(Debug)]
struct Write {
    offset: u64,
    bytes: Vec<u8>,
    is_forced: bool,
}

/// What a guest did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads.
    pub reads: u64,
    /// Writes, forced ones too.
    pub writes: u64,
    /// Forced writes (FUA).
    pub forced: u64,
    /// Flushes.
    pub flushes: u64,
}

/// What a power cut did to the writes that no flush had followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Those that are there nevertheless, forced ones not among them.
    pub kept: u64,
    /// Those that left no trace.
    pub dropped: u64,
    /// Those of which some sectors are there.
    pub torn: u64,
}

/// See the head of the module.
#[derive(Debug)]
pub struct Disk {
    base: File,
    /// Sparse; holds the sectors that `is_own` names.
    medium: File,
    is_own: Vec<u64>,
    cache: Vec<Write>,
    cache_bytes: u64,
    bytes: u64,
    counts: Counts,
}

impl Disk {
    /// A disk that begins as the file `base`; what is written goes to a new sparse file `medium`.
    ///
    /// # Errors
    /// When a file can't be opened or made, or `base` is no whole number of sectors.
    pub fn over(base: &Path, medium: &Path) -> io::Result<Self> {
        let base = File::open(base)?;
        let bytes = base.metadata()?.len();
        if bytes == 0 || !bytes.is_multiple_of(SECTOR) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no whole number of sectors"));
        }
        let mut options = OpenOptions::new();
        let medium = options.read(true).write(true).create(true).truncate(true).open(medium)?;
        medium.set_len(bytes)?;
        let words = usize::try_from((bytes / SECTOR).div_ceil(64)).map_err(io::Error::other)?;
        Ok(Self {
            base,
            medium,
            is_own: vec![0; words],
            cache: Vec::new(),
            cache_bytes: 0,
            bytes,
            counts: Counts::default(),
        })
    }

    /// Its size, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was asked of it so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether these bytes lie on it, in whole sectors.
    pub fn holds(&self, offset: u64, length: u64) -> bool {
        let end = offset.checked_add(length);
        end.is_some_and(|end| end <= self.bytes)
            && offset.is_multiple_of(SECTOR)
            && length.is_multiple_of(SECTOR)
    }

    fn checked(&self, offset: u64, length: usize) -> io::Result<()> {
        match self.holds(offset, length as u64) {
            true => Ok(()),
            false => {
                Err(io::Error::new(ErrorKind::InvalidInput, "not in whole sectors of the disk"))
            }
        }
    }

    /// Reads what was written last.
    ///
    /// # Errors
    /// `InvalidInput` for what does not lie on it; else as the files say.
    pub fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.checked(offset, into.len())?;
        self.counts.reads += 1;
        self.read_medium(offset, into)?;
        let end = offset + into.len() as u64;
        for write in &self.cache {
            let (from, to) = (write.offset, write.offset + write.bytes.len() as u64);
            let (first, last) = (from.max(offset), to.min(end));
            if first < last {
                let source = &write.bytes[place(first - from)..place(last - from)];
                into[place(first - offset)..place(last - offset)].copy_from_slice(source);
            }
        }
        Ok(())
    }

    /// Reads what a power cut can't take.
    fn read_medium(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < into.len() {
            let first = offset + done as u64;
            let is_own = self.is_own(first / SECTOR);
            let mut run = place(SECTOR);
            while done + run < into.len() && self.is_own((first + run as u64) / SECTOR) == is_own {
                run += place(SECTOR);
            }
            let file = if is_own { &self.medium } else { &self.base };
            file.read_exact_at(&mut into[done..done + run], first)?;
            done += run;
        }
        Ok(())
    }

    fn is_own(&self, sector: u64) -> bool {
        self.is_own[place(sector / 64)] & (1 << (sector % 64)) != 0
    }

    /// Takes a write into the cache; with `is_forced` it is safe at once.
    ///
    /// # Errors
    /// `InvalidInput` for what does not lie on it; else as the files say.
    pub fn write(&mut self, offset: u64, bytes: Vec<u8>, is_forced: bool) -> io::Result<()> {
        self.checked(offset, bytes.len())?;
        self.counts.writes += 1;
        self.counts.forced += u64::from(is_forced);
        self.cache_bytes += bytes.len() as u64;
        self.cache.push(Write { offset, bytes, is_forced });
        if self.cache_bytes > CACHE_BYTES_MAX || self.cache.len() > CACHE_WRITES_MAX {
            self.write_back()?;
        }
        Ok(())
    }

    /// Makes all writes so far safe.
    ///
    /// # Errors
    /// As the file says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.counts.flushes += 1;
        self.write_back()
    }

    fn write_back(&mut self) -> io::Result<()> {
        for write in std::mem::take(&mut self.cache) {
            self.put(write.offset, &write.bytes)?;
        }
        self.cache_bytes = 0;
        Ok(())
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.medium.write_all_at(bytes, offset)?;
        let first = offset / SECTOR;
        for sector in first..first + bytes.len() as u64 / SECTOR {
            self.is_own[place(sector / 64)] |= 1 << (sector % 64);
        }
        Ok(())
    }

    /// The power goes: what no flush had followed meets its fate. What is left is what the next boot
    /// finds.
    ///
    /// # Errors
    /// As the file says.
    pub fn cut(&mut self, chance: &mut Chance) -> io::Result<Lost> {
        let mut lost = Lost::default();
        self.cache_bytes = 0;
        for write in std::mem::take(&mut self.cache) {
            if write.is_forced {
                self.put(write.offset, &write.bytes)?;
                continue;
            }
            let is_single = write.bytes.len() as u64 == SECTOR;
            match chance.below(if is_single { 2 } else { 3 }) {
                0 => lost.dropped += 1,
                1 => {
                    lost.kept += 1;
                    self.put(write.offset, &write.bytes)?;
                }
                _ => {
                    lost.torn += 1;
                    self.tear(&write, chance)?;
                }
            }
        }
        Ok(lost)
    }

    /// Puts some sectors of a write: its beginning, its end, or any, at least one and never all.
    fn tear(&mut self, write: &Write, chance: &mut Chance) -> io::Result<()> {
        let sectors = write.bytes.len() as u64 / SECTOR;
        let at = 1 + chance.below(sectors - 1);
        let way = chance.below(3);
        let odd_one = chance.below(sectors);
        for (number, bytes) in (0..sectors).zip(write.bytes.chunks_exact(place(SECTOR))) {
            let is_kept = match way {
                0 => number < at,
                1 => number >= at,
                // The odd one out makes it neither none nor all.
                _ if number == odd_one => odd_one >= at,
                _ if number == (odd_one + 1) % sectors => odd_one < at,
                _ => chance.is_once_in(2),
            };
            if is_kept {
                self.put(write.offset + number * SECTOR, bytes)?;
            }
        }
        Ok(())
    }

    /// Writes the disk as it is, cache included, to a new sparse file.
    ///
    /// # Errors
    /// As the files say.
    pub fn copy_to(&mut self, file: &Path) -> io::Result<()> {
        const STRIDE: u64 = 1024 * 1024;
        let out = File::create(file)?;
        out.set_len(self.bytes)?;
        let mut buffer = vec![0; place(STRIDE)];
        for offset in (0..self.bytes).step_by(place(STRIDE)) {
            let part = &mut buffer[..place(STRIDE.min(self.bytes - offset))];
            self.read(offset, part)?;
            if part.iter().any(|byte| *byte != 0) {
                out.write_all_at(part, offset)?;
            }
        }
        Ok(())
    }
}

/// A place in a buffer; buffers of this program are far below its limit.
fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
