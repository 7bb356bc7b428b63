//! Ownership: an app's volumes belong to its uid on the board, before every start.
//!
//! Promise: nothing outside the volumes changes hands. The walk goes by file descriptor, follows no link, stays on the
//! volume's disk; a file with several names is given away only when all of them lie in the volume. Modes stay as they
//! are, but for the set-uid and set-gid bits that the kernel takes away with a new owner. A walk that was cut off is
//! known by its marker, which is there before the first file changes hands, and is made again.
//! What is walked: the fork, data folders of the agent's, a `source` with `own` that is not read-only.
//! Under `user = "mapped"` all numbers of the engine's map are the app's: its entry point starts as the map's root and
//! gives files to whom it likes, so only what is nobody's of the map is given to that root.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FileType;
use rustix::io::Errno;
use titania_core::definition::UserRule;
use titania_core::fork::ForkFile;
use titania_core::names::{Generation, MAPPED_IDS, Owner, is_pool_inside};
use titania_core::reason::{Class, Code, Reason};
use titania_core::spec::Spec;
use titania_core::time::Timestamp;

use super::error::VolumesError;
use super::files;
use super::notes::{Notes, shown};
use super::paths::{Place, data_source, ensure_root, key, state_keys};
use super::tree::{self, DEPTH_MAX, Meta, Seen, Turn};
use crate::workers::Cancel;

/// Ending of the marker of an unfinished walk.
pub(super) const OWNING: &str = "owning";

/// Files with several names that are kept in mind in one walk; more are left as they are, with a note. 100 bytes each.
const LINKED_MAX: usize = 50_000;

/// What a walk did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// Things that changed hands.
    pub changed: u64,
    /// What could not.
    pub notes: Notes,
}

impl Owned {
    /// The warning to show; null when all changed hands.
    pub fn reason(&self, owner: Owner, at: Timestamp) -> Option<Reason> {
        let line = self.notes.line()?;
        Some(Reason::new(
            Code::NotOwned,
            Class::Environment,
            format!("not all could be given to {owner}: {line}"),
            "look at these files on the board (lsattr, ls -l, mount) and set them right by hand",
            at,
        ))
    }
}

/// Whose files are the app's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Belongs {
    owner: Owner,
    /// First numbers of the engine's map, where all of it is the app's.
    base: Option<Owner>,
}

impl Belongs {
    fn to(spec: &Spec, owner: Owner) -> Self {
        let user = spec.user.filter(|_| spec.definition.shape.user == UserRule::Mapped);
        // An owner that is the user itself: the engine maps none.
        let inside = user.filter(|user| *user != owner).map(|user| user.inside(true));
        let base = inside.and_then(|inside| {
            let uid = owner.uid.checked_sub(inside.uid)?;
            // An engine that maps no users: the board's own numbers are nobody's to take.
            (uid > 0).then_some(Owner { uid, gid: owner.gid.checked_sub(inside.gid)? })
        });
        Self { owner, base }
    }

    fn has(self, seen: Owner) -> bool {
        let is_mapped = |id: u32, base: u32| {
            let inside = id.checked_sub(base).filter(|id| *id < MAPPED_IDS);
            // A number of the pool was given by the agent, under another `user`.
            inside.is_some_and(|id| !is_pool_inside(id))
        };
        let in_map = |base: Owner| is_mapped(seen.uid, base.uid) && is_mapped(seen.gid, base.gid);
        seen == self.owner || self.base.is_some_and(in_map)
    }
}

/// Folders whose top would not change hands in this run (immutable, read-only): asked again only after a restart, so
/// that the walk is not made for ever.
#[derive(Clone, Debug, Default)]
pub struct Stubborn(Arc<Mutex<BTreeSet<(PathBuf, u32, u32)>>>);

impl Stubborn {
    fn has(&self, top: &Path, owner: Owner) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(top.to_owned(), owner.uid, owner.gid))
    }

    fn note(&self, top: &Path, owner: Owner) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((top.to_owned(), owner.uid, owner.gid));
    }
}

/// A volume to be owned as one.
struct Volume {
    top: PathBuf,
    /// Folders whose owners tell whether a walk is due, the top among them.
    telling: Vec<PathBuf>,
    marker: PathBuf,
}

fn volumes(
    place: &Place,
    spec: &Spec,
    generation: Generation,
) -> Result<Vec<Volume>, VolumesError> {
    let fork = place.fork(generation);
    let mut telling = vec![fork.clone()];
    telling.extend(state_keys(spec)?.iter().map(|key| fork.join(key)));
    let mut volumes =
        vec![Volume { top: fork, telling, marker: place.beside_fork(generation, OWNING) }];
    for volume in &spec.definition.shape.volumes.data {
        if volume.source.is_some() && (!volume.own || volume.read_only) {
            continue;
        }
        let top = data_source(place, volume)?;
        volumes.push(Volume {
            telling: vec![top.clone()],
            top,
            marker: place.data_marker(&key(&volume.path)?, OWNING),
        });
    }
    Ok(volumes)
}

/// Whether a walk is due. What is not there is no matter of owners.
fn is_due(volume: &Volume, whose: Belongs, stubborn: &Stubborn) -> Result<bool, VolumesError> {
    if files::has_marker(&volume.marker)? {
        return Ok(true);
    }
    for folder in &volume.telling {
        let seen = Meta::at(folder)?;
        if seen.is_some_and(|seen| !whose.has(seen.owner)) && !stubborn.has(folder, whose.owner) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether fork and data belong to the owner in the fork's file, with no unfinished walk.
///
/// # Errors
/// They can't be looked at.
pub(super) fn is_owned(
    place: &Place,
    file: &ForkFile,
    stubborn: &Stubborn,
) -> Result<bool, VolumesError> {
    let Some(owner) = file.owner() else {
        return Ok(false);
    };
    for volume in volumes(place, &file.spec, file.generation)? {
        if is_due(&volume, Belongs::to(&file.spec, owner), stubborn)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives the app's volumes to `owner`, where a walk is due.
///
/// # Errors
/// A folder can't be read, or the disk refuses. What can't be owned is a note.
pub fn own(
    place: &Place,
    spec: &Spec,
    generation: Generation,
    owner: Owner,
    stubborn: &Stubborn,
    cancel: &Cancel,
) -> Result<Owned, VolumesError> {
    ensure_root(place)?;
    let mut owned = Owned::default();
    let whose = Belongs::to(spec, owner);
    for volume in volumes(place, spec, generation)? {
        if !is_due(&volume, whose, stubborn)? {
            continue;
        }
        let top = Meta::at(&volume.top)?;
        if !top.is_some_and(|seen| seen.is_folder()) {
            continue; // looked at, and told, before create and start
        }
        files::put_marker(place, &volume.marker)?;
        let changed = owned.changed;
        Walk::over(&volume.top, whose, &mut owned)?.run(cancel)?;
        if owned.changed > changed {
            let top = tree::open_folder(&volume.top)?;
            rustix::fs::syncfs(top).map_err(VolumesError::io("sync", &volume.top))?;
        }
        for folder in &volume.telling {
            if Meta::at(folder)?.is_some_and(|seen| !whose.has(seen.owner)) {
                stubborn.note(folder, owner);
            }
        }
        files::take_marker(&volume.marker)?;
    }
    Ok(owned)
}

/// A file with several names, of which some were met.
struct Linked {
    met: u64,
    path: Option<PathBuf>,
}

struct Walk<'a> {
    top: &'a Path,
    whose: Belongs,
    disk: u64,
    linked: BTreeMap<u64, Linked>,
    owned: &'a mut Owned,
}

impl<'a> Walk<'a> {
    fn over(top: &'a Path, whose: Belongs, owned: &'a mut Owned) -> Result<Self, VolumesError> {
        let folder = tree::open_folder(top)?;
        let disk = Meta::of(folder).map_err(VolumesError::io("look at", top))?.disk;
        Ok(Self { top, whose, disk, linked: BTreeMap::new(), owned })
    }

    fn run(mut self, cancel: &Cancel) -> Result<(), VolumesError> {
        let top = tree::open_folder(self.top)?;
        let seen = Meta::of(&top).map_err(VolumesError::io("look at", self.top))?;
        if !self.whose.has(seen.owner) {
            let given = tree::give(&top, self.whose.owner);
            self.count(given, || self.top.to_owned())?;
        }
        tree::walk(top, self.top, cancel, &mut |seen| self.visit(seen))?;
        for linked in self.linked.values() {
            let path = linked.path.as_deref().unwrap_or(self.top);
            let note = || format!("{} has names outside the volume", shown(path));
            self.owned.notes.add(note);
        }
        Ok(())
    }

    fn visit(&mut self, seen: &Seen<'_>) -> Result<Turn, VolumesError> {
        let meta = &seen.meta;
        if meta.disk != self.disk {
            let note = || format!("{}: another disk is mounted there", shown(&seen.path()));
            self.owned.notes.add(note);
            return Ok(Turn::Past);
        }
        if matches!(meta.kind, FileType::CharacterDevice | FileType::BlockDevice) {
            let note = || format!("{} is a device", shown(&seen.path()));
            self.owned.notes.add(note);
            return Ok(Turn::Past);
        }
        let has_one_name = meta.is_folder() || meta.links <= 1;
        if !self.whose.has(meta.owner) && (has_one_name || self.is_last_name(seen)) {
            let given = tree::give(seen.fd, self.whose.owner);
            self.count(given, || seen.path())?;
        }
        if meta.is_folder() && seen.depth >= DEPTH_MAX {
            let note = || format!("{} is too deep to be walked", shown(&seen.path()));
            self.owned.notes.add(note);
            return Ok(Turn::Past);
        }
        Ok(Turn::In)
    }

    /// Whether every name of a file was met in this volume by now.
    fn is_last_name(&mut self, seen: &Seen<'_>) -> bool {
        let inode = seen.meta.inode;
        let known = self.linked.len();
        if known >= LINKED_MAX && !self.linked.contains_key(&inode) {
            let note = || format!("{}: too many files with several names", shown(&seen.path()));
            self.owned.notes.add(note);
            return false;
        }
        let linked = self.linked.entry(inode).or_insert_with(|| Linked {
            met: 0,
            path: (known < super::notes::NOTES_MAX).then(|| seen.path()),
        });
        linked.met += 1;
        let is_last = linked.met >= seen.meta.links;
        if is_last {
            self.linked.remove(&inode);
        }
        is_last
    }

    fn count(
        &mut self,
        given: Result<(), Errno>,
        path: impl Fn() -> PathBuf,
    ) -> Result<(), VolumesError> {
        match given {
            Ok(()) => self.owned.changed += 1,
            Err(e @ (Errno::PERM | Errno::ROFS | Errno::OPNOTSUPP)) => {
                let note = || format!("{}: {}", shown(&path()), std::io::Error::from(e));
                self.owned.notes.add(note);
            }
            Err(e) => return Err(VolumesError::io("own", path())(e)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
