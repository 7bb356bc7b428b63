//! Small disks of a board's own: ext4 on loop devices, which can be filled and freed.
//!
//! Promise: nothing on the machine fills up with them, and they go with the board.

use crate::process::run;
use rustix::fs::statvfs;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the file that fills a disk, at its top.
const FILLER: &str = "filler";
/// Bytes written at once into what is left.
const BLOCK_BYTES: usize = 4096;

/// A disk that stands still, see [`SmallDisk::freeze`].
pub struct Frozen {
    place: PathBuf,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        run("fsfreeze", &["--unfreeze", &self.place.to_string_lossy()]);
    }
}

/// One small disk.
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Makes a file of `bytes` and mounts it at `place`, an empty folder, for this board's programs only.
    ///
    /// # Panics
    /// When the machine has no loop device to give.
    pub fn mount(file: &Path, place: &Path, bytes: u64) -> Self {
        let made = File::create(file).and_then(|file| file.set_len(bytes));
        made.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        std::fs::create_dir_all(place).expect("a folder to mount at");
        let (file, at) = (file.to_string_lossy(), place.to_string_lossy());
        // Nothing in reserve for root, which the agent is: full is full.
        run("mkfs.ext4", &["-q", "-m", "0", &file]);
        // The device goes with its last mount.
        run("mount", &["-o", "loop", &file, &at]);
        std::fs::remove_dir(place.join("lost+found")).expect("a fresh disk has that alone");
        Self { place: place.to_owned() }
    }

    /// Where it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Fills it up to the last block.
    ///
    /// # Panics
    /// When it can't be written to for another reason than that.
    pub fn fill(&self) {
        let path = self.place.join(FILLER);
        let mut filler = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let free = self.free_bytes();
        if free > 0 {
            let size = free + filler.metadata().map_or(0, |meta| meta.len());
            // Others write as well: what can't be had at once is had block by block.
            let _ = rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, size);
        }
        while filler.write_all(&[1; BLOCK_BYTES]).is_ok() {}
    }

    /// Fills it, or frees some of what fills it, until about so many bytes are free.
    ///
    /// # Panics
    /// When it can't be written to.
    pub fn leave(&self, bytes: u64) {
        let path = self.place.join(FILLER);
        let filler = OpenOptions::new().create(true).append(true).open(&path);
        let filler = filler.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let size = filler.metadata().map_or(0, |meta| meta.len());
        let wanted = (size + self.free_bytes()).saturating_sub(bytes);
        let done = if wanted > size {
            rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, wanted)
                .map_err(std::io::Error::from)
        } else {
            filler.set_len(wanted)
        };
        done.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Frees what [`SmallDisk::fill`] and [`SmallDisk::leave`] took.
    pub fn free(&self) {
        let _ = std::fs::remove_file(self.place.join(FILLER));
    }

    /// Nothing can be written to it until what this returns is dropped: who tries waits, as on a card that has
    /// stalled.
    pub fn freeze(&self) -> Frozen {
        run("fsfreeze", &["--freeze", &self.place.to_string_lossy()]);
        Frozen { place: self.place.clone() }
    }

    /// Bytes that are free.
    pub fn free_bytes(&self) -> u64 {
        statvfs(&self.place).map_or(0, |disk| disk.f_bavail * disk.f_frsize)
    }
}
