//! Forks: the numbered copies of an app's state, each beside its file and its markers.
//!
//! Promise: a fork counts only without its unfinished marker, which is there before anything else of the fork, and
//! goes after everything else. What lies at a fork's folder is set aside, never overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use titania_core::fork::{Fork, ForkFile};
use titania_core::names::{AppName, Generation, Owner, StartedAt};
use titania_core::spec::Spec;

use super::error::VolumesError;
use super::fetching;
use super::files;
use super::own::{self, Stubborn};
use super::paths::{Place, ensure_root, key, state_keys};
use super::tree::{self, Meta};
use crate::store::durable;

/// Most entries read of one of the agent's own folders: a fork has at most a handful, and `keep` bounds forks.
pub const ENTRIES_MAX: usize = 10_000;

/// Others pass through to what is theirs; only root makes names there.
const OWN_FOLDER_MODE: u32 = 0o711;

/// A volume is the app's alone.
pub(super) const VOLUME_MODE: u32 = 0o700;

/// What of a fork is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub folder: bool,
    pub file: bool,
    pub unfinished: bool,
    pub owning: bool,
    /// Numbers of what was set aside.
    pub aside: Vec<u64>,
}

/// Apps that have a folder under the root, sorted. A root that is not there has none.
///
/// # Errors
/// The root can't be read.
pub fn apps(root: &Path) -> Result<Vec<AppName>, VolumesError> {
    let mut apps = Vec::new();
    for (name, is_folder) in entries(root)? {
        if let (true, Ok(app)) = (is_folder, name.parse()) {
            apps.push(app);
        }
    }
    apps.sort();
    Ok(apps)
}

/// What there is of each fork, by number.
///
/// # Errors
/// The folder can't be read.
pub(super) fn numbers(place: &Place) -> Result<BTreeMap<Generation, Parts>, VolumesError> {
    let mut found: BTreeMap<Generation, Parts> = BTreeMap::new();
    for (name, is_folder) in entries(&place.state())? {
        let (digits, ending) = name.split_once('.').unwrap_or((&name, ""));
        let Some(number) = number(digits) else {
            continue;
        };
        let mut note = |change: &dyn Fn(&mut Parts)| {
            change(found.entry(Generation(number)).or_default());
        };
        match ending {
            "" if is_folder => note(&|parts| parts.folder = true),
            "json" => note(&|parts| parts.file = true),
            "unfinished" => note(&|parts| parts.unfinished = true),
            own::OWNING => note(&|parts| parts.owning = true),
            _ => {
                if let Some(n) = ending.strip_prefix("old-").and_then(self::number) {
                    note(&|parts| parts.aside.push(n));
                }
            }
        }
    }
    Ok(found)
}

/// A number as it is written: no sign, no leading zero.
fn number(digits: &str) -> Option<u64> {
    let number = digits.parse::<u64>().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// Names in a folder, and whether each is a folder; none where there is no such folder.
///
/// # Errors
/// The disk's.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, bool)>, VolumesError> {
    let failed = || VolumesError::std("list", folder);
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed()(e)),
    };
    let mut entries = Vec::new();
    for entry in listed {
        let entry = entry.map_err(failed())?;
        if entries.len() >= ENTRIES_MAX {
            return Err(VolumesError::TooMany {
                path: folder.to_owned(),
                entries_max: ENTRIES_MAX,
            });
        }
        let kind = entry.file_type().map_err(failed())?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, kind.is_dir()));
        }
    }
    Ok(entries)
}

/// The app's forks, by generation: each that has a folder, a file or a marker.
///
/// # Errors
/// The folder can't be read; [`VolumesError::Newer`].
pub fn list(place: &Place, stubborn: &Stubborn) -> Result<Vec<Fork>, VolumesError> {
    let mut forks = Vec::new();
    for (generation, parts) in numbers(place)? {
        let is_there = parts.folder || parts.file || parts.unfinished;
        if !is_there {
            continue;
        }
        let file = if parts.file { files::load(place, generation)? } else { None };
        let owned = match &file {
            Some(file) if parts.folder => own::is_owned(place, file, stubborn)?,
            _ => false,
        };
        // A copy makes the volumes' folders anew, so one that was cut off may lack some: it is reserved again.
        let is_whole = match &file {
            Some(file) if parts.folder && parts.unfinished => has_keys(place, file)?,
            _ => true,
        };
        forks.push(Fork {
            generation,
            file,
            folder: parts.folder && is_whole,
            unfinished: parts.unfinished,
            owned,
            set_aside: !parts.aside.is_empty(),
        });
    }
    Ok(forks)
}

fn has_keys(place: &Place, file: &ForkFile) -> Result<bool, VolumesError> {
    let fork = place.fork(file.generation);
    for key in state_keys(&file.spec)? {
        if !Meta::at(&fork.join(key))?.is_some_and(|seen| seen.is_folder()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the empty folder of a generation, marker first, the data folders, and last its file.
///
/// # Errors
/// [`VolumesError::Marked`]; the disk's; the root is not there.
pub fn reserve(place: &Place, file: &ForkFile) -> Result<(), VolumesError> {
    ensure_root(place)?;
    let generation = file.generation;
    let keys = state_keys(&file.spec)?;
    let data = data_keys(&file.spec)?;
    if files::load(place, generation)?.is_some_and(|old| old.mark.is_some()) {
        return Err(VolumesError::Marked { app: place.app().clone(), generation });
    }
    for folder in [place.folder(), place.state(), place.data()] {
        own_folder(&folder)?;
    }
    let room = place.room();
    durable::ensure_room(&room).map_err(VolumesError::std("keep room in", &room))?;
    files::put_marker(place, &place.unfinished(generation))?;
    clear_way(place, generation)?;
    make_fork(place, generation, &keys)?;
    for key in data {
        volume(&place.data_volume(&key))?;
    }
    files::save(place, file)
}

fn data_keys(spec: &Spec) -> Result<Vec<String>, VolumesError> {
    let data = &spec.definition.shape.volumes.data;
    let own = data.iter().filter(|volume| volume.source.is_none());
    own.map(|volume| key(&volume.path)).collect()
}

/// Makes a folder that is root's, or puts it right.
fn own_folder(path: &Path) -> Result<(), VolumesError> {
    durable::create_folder(path, OWN_FOLDER_MODE).map_err(VolumesError::std("make", path))?;
    let failed = || VolumesError::io("own", path);
    let folder = tree::open_folder(path)?;
    let seen = Meta::of(&folder).map_err(failed())?;
    if seen.owner.uid != 0 || seen.owner.gid != 0 {
        tree::give(&folder, Owner { uid: 0, gid: 0 }).map_err(failed())?;
    }
    if seen.mode != OWN_FOLDER_MODE {
        let mode = rustix::fs::Mode::from_raw_mode(OWN_FOLDER_MODE);
        rustix::fs::fchmod(&folder, mode).map_err(failed())?;
    }
    Ok(())
}

/// Makes a volume's folder, unless it is there.
fn volume(path: &Path) -> Result<(), VolumesError> {
    durable::create_folder(path, VOLUME_MODE).map_err(VolumesError::std("make", path))
}

/// Makes the fork's folder and one for each key, unless they are there.
pub(super) fn make_fork(
    place: &Place,
    generation: Generation,
    keys: &[String],
) -> Result<(), VolumesError> {
    let fork = place.fork(generation);
    volume(&fork)?;
    keys.iter().try_for_each(|key| volume(&fork.join(key)))
}

/// Sets aside what lies at the fork's folder, unless that holds nothing but empty folders.
pub(super) fn clear_way(place: &Place, generation: Generation) -> Result<(), VolumesError> {
    let fork = place.fork(generation);
    match Meta::at(&fork)? {
        None => Ok(()),
        Some(seen) if seen.is_folder() && tree::is_bare(&fork)? => Ok(()),
        Some(_) => move_aside(place, generation),
    }
}

fn move_aside(place: &Place, generation: Generation) -> Result<(), VolumesError> {
    let parts = numbers(place)?.remove(&generation).unwrap_or_default();
    let n = parts.aside.into_iter().max().unwrap_or(0).saturating_add(1);
    let fork = place.fork(generation);
    let aside = place.beside_fork(generation, &format!("old-{n}"));
    durable::set_aside(&fork, &aside).map_err(VolumesError::std("set aside", &fork))
}

/// Puts the unfinished marker back.
///
/// # Errors
/// The disk's.
pub fn unfinish(place: &Place, generation: Generation) -> Result<(), VolumesError> {
    files::put_marker(place, &place.unfinished(generation))
}

/// Sets the fork's folder aside whatever is in it, and makes an empty one, unfinished.
///
/// # Errors
/// The disk's; the root is not there.
pub fn set_aside(place: &Place, generation: Generation) -> Result<(), VolumesError> {
    ensure_root(place)?;
    files::put_marker(place, &place.unfinished(generation))?;
    clear_way(place, generation)?;
    let keys = match files::load(place, generation)? {
        Some(file) => state_keys(&file.spec)?,
        None => Vec::new(),
    };
    make_fork(place, generation, &keys)
}

/// Makes the fork count: its file takes the specification, its owner on the board and the parent's
/// `StartedAt`; then the marker goes.
///
/// # Errors
/// [`VolumesError::NoForkFile`]; the disk's.
pub fn finish(
    place: &Place,
    generation: Generation,
    parent_started_at: Option<StartedAt>,
    spec: Arc<Spec>,
    owner: Owner,
) -> Result<(), VolumesError> {
    let mut file = files::need(place, generation)?;
    (file.uid, file.gid) = (Some(owner.uid), Some(owner.gid));
    file.config = spec.release.config;
    file.definition = spec.hash;
    file.parent_started_at = parent_started_at;
    file.spec = spec;
    files::save(place, &file)?;
    // All names of the fork are on disk before the marker is off it.
    let fork = place.fork(generation);
    durable::sync_folder(&fork).map_err(VolumesError::std("sync", &fork))?;
    fetching::done(place, generation)?; // a crash right after the tag left it
    files::take_marker(&place.unfinished(generation))
}

#[cfg(test)]
mod tests;
