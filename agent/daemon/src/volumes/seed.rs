//! Seeding: an empty volume gets, once, what the image ships at its path.
//!
//! Promise: a volume holds all of its seed or none: the archive is unpacked beside it, synced, and put in its place
//! by one rename that the system refuses when the volume is not empty. A data volume is seeded once in its life.
//! Distrusts: the archive. Nothing of it reaches outside the folder it is unpacked in: names are taken apart and opened
//! one by one, links never followed, sizes, counts and depth bounded; no set-uid bit, no device.

use std::io::{self, Read};
use std::path::PathBuf;

use tokio::sync::mpsc;

use titania_core::names::Generation;
use titania_core::spec::Spec;

use super::error::VolumesError;
use super::paths::{Place, ensure_root, key};
use super::tree::{self, Meta};
use super::unpack::Unpack;
use super::{files, forks};
use crate::store::durable;
use crate::workers::Cancel;

/// Name of the folder that a seed is unpacked in, beside the volumes: `<fork>.seed`, `data.seed`.
pub(super) const SEED: &str = "seed";

/// Pieces of an archive on their way to the disk: with the usual 64 KiB each, half a megabyte.
const PIECES_MAX: usize = 8;

/// A volume that wants its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Container path: what the engine's archive call is asked for.
    pub path: String,
    key: String,
    /// Of which fork; null for data.
    fork: Option<Generation>,
}

impl Seed {
    fn volume(&self, place: &Place) -> PathBuf {
        match self.fork {
            Some(generation) => place.fork(generation).join(&self.key),
            None => place.data_volume(&self.key),
        }
    }

    fn unpacked(&self, place: &Place) -> PathBuf {
        match self.fork {
            Some(generation) => place.beside_fork(generation, SEED),
            None => place.folder().join(format!("data.{SEED}")),
        }
    }

    /// The marker of a data volume that had its seed.
    fn seeded(&self, place: &Place) -> Option<PathBuf> {
        self.fork.is_none().then(|| place.data_marker(&self.key, "seeded"))
    }
}

/// Which volumes want their seed: state keys that are empty and that the parent did not have; data folders that are
/// empty and never had one; never a `source`, which is another's. To be asked after the copy.
///
/// # Errors
/// They can't be looked at.
pub fn wanted(
    place: &Place,
    spec: &Spec,
    generation: Generation,
) -> Result<Vec<Seed>, VolumesError> {
    let volumes = &spec.definition.shape.volumes;
    let parent = files::need(place, generation)?.parent;
    let mut wanted = Vec::new();
    for path in &volumes.state {
        let key = key(path)?;
        let inherited = match parent {
            Some(parent) => Meta::at(&place.fork(parent).join(&key))?.is_some(),
            None => false,
        };
        let folder = place.fork(generation).join(&key);
        if !inherited && is_empty_folder(&folder)? {
            wanted.push(Seed { path: path.clone(), key, fork: Some(generation) });
        }
    }
    for volume in volumes.data.iter().filter(|volume| volume.source.is_none()) {
        let seed = Seed { path: volume.path.clone(), key: key(&volume.path)?, fork: None };
        let Some(seeded) = seed.seeded(place) else {
            continue;
        };
        if files::has_marker(&seeded)? {
            continue;
        }
        let folder = seed.volume(place);
        if is_empty_folder(&folder)? {
            wanted.push(seed);
        } else if Meta::at(&folder)?.is_some_and(|seen| seen.is_folder()) {
            files::put_marker(place, &seeded)?; // it has what it has: were it emptied, that is the app's will
        }
    }
    Ok(wanted)
}

fn is_empty_folder(folder: &std::path::Path) -> Result<bool, VolumesError> {
    match Meta::at(folder)? {
        Some(seen) if seen.is_folder() => tree::is_empty(folder),
        _ => Ok(false),
    }
}

/// Seeds one volume from a tar stream; without one it is only marked as seeded. Notes tell what was left out.
///
/// # Errors
/// [`VolumesError::BadSeed`], [`VolumesError::SeedTooLarge`], the disk's: the volume is as it was, and still wants its seed.
pub fn seed<R: Read>(
    place: &Place,
    seed: &Seed,
    archive: Option<R>,
    cancel: &Cancel,
) -> Result<Vec<String>, VolumesError> {
    ensure_root(place)?;
    let mut notes = Vec::new();
    if let Some(archive) = archive {
        let unpacked = seed.unpacked(place);
        tree::remove(&unpacked, &Cancel::default())?; // of a try that was cut off
        let done = place_seed(place, seed, archive, cancel);
        if done.is_err() {
            tree::remove(&unpacked, &Cancel::default())?;
        }
        notes = done?;
    }
    if let Some(seeded) = seed.seeded(place) {
        files::put_marker(place, &seeded)?;
    }
    Ok(notes)
}

fn place_seed<R: Read>(
    place: &Place,
    seed: &Seed,
    archive: R,
    cancel: &Cancel,
) -> Result<Vec<String>, VolumesError> {
    let (unpacked, volume) = (seed.unpacked(place), seed.volume(place));
    durable::create_folder(&unpacked, forks::VOLUME_MODE)
        .map_err(VolumesError::std("make", &unpacked))?;
    let mut notes = Unpack::into(&unpacked, &seed.path, cancel)?.run(archive)?;
    let top = tree::open_folder(&unpacked)?;
    rustix::fs::syncfs(top).map_err(VolumesError::io("sync", &unpacked))?;
    match durable::move_onto_empty(&unpacked, &volume) {
        Ok(()) => {}
        // Somebody was faster: what is there stays.
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {
            tree::remove(&unpacked, &Cancel::default())?;
            notes.add(|| format!("{} was not empty any more, and not seeded", seed.path));
        }
        Err(e) => return Err(VolumesError::std("seed", &volume)(e)),
    }
    Ok(notes.first)
}

/// A way for an archive from the loop, where it arrives, to the thread that unpacks it; bounded.
pub fn pipe() -> (Feeder, SeedStream) {
    let (pieces, queue) = mpsc::channel(PIECES_MAX);
    let stream = SeedStream { queue, piece: Vec::new(), at: 0, has_ended: false };
    (Feeder { pieces }, stream)
}

enum Piece {
    Bytes(Vec<u8>),
    End,
}

/// The loop's end of a [`pipe`]. Dropped without [`Feeder::end`] the archive counts as cut off.
pub struct Feeder {
    pieces: mpsc::Sender<Piece>,
}

impl Feeder {
    /// Sends a piece, waiting while the disk is behind; false when nobody reads any more.
    pub async fn send(&self, bytes: Vec<u8>) -> bool {
        self.pieces.send(Piece::Bytes(bytes)).await.is_ok()
    }

    /// Tells that this was all.
    pub async fn end(self) {
        let _nobody_reads = self.pieces.send(Piece::End).await;
    }
}

/// The thread's end of a [`pipe`]. Not to be read on the loop: it waits.
pub struct SeedStream {
    queue: mpsc::Receiver<Piece>,
    piece: Vec<u8>,
    at: usize,
    has_ended: bool,
}

impl Read for SeedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.piece.len() && !self.has_ended {
            match self.queue.blocking_recv() {
                Some(Piece::Bytes(bytes)) => (self.piece, self.at) = (bytes, 0),
                Some(Piece::End) => self.has_ended = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let left = self.piece.get(self.at..).unwrap_or_default();
        let n = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), left.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests;
