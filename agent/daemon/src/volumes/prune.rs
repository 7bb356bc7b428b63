//! Pruning: the one way in which a fork goes.
//!
//! Promise: nothing but forks that were named, and what was set aside, is removed; never `data`, and never through a
//! mount, be it a disk or a folder of the same disk: such a fork is spared whole and told, and the rest goes. A fork cut
//! off half way is unfinished before the first file of it goes. The file of the highest number stays, so that numbers
//! never go back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use titania_core::names::{AppName, Generation};

use super::error::VolumesError;
use super::forks::{self, Parts};
use super::handle::Volumes;
use super::mounted::Mounted;
use super::paths::{Place, System};
use super::{fetching, files, own, seed, tree};
use crate::workers::Cancel;

/// Forks that can't go, each with what is mounted in it.
pub type Spared = BTreeMap<Generation, PathBuf>;

struct Pruning<'a> {
    place: &'a Place,
    mounted: Mounted,
    cancel: &'a Cancel,
    spared: Spared,
}

/// Removes the forks named, with what was set aside of them.
///
/// # Errors
/// The disk's; a fork half removed is unfinished and goes with the next call.
pub(super) fn prune(
    place: &Place,
    system: &System,
    named: &[Generation],
    cancel: &Cancel,
) -> Result<Spared, VolumesError> {
    let found = forks::numbers(place)?;
    let highest = found.iter().rev().find(|(_, parts)| parts.file);
    let highest = highest.map(|(generation, _)| *generation);
    let mut pruning = Pruning::new(place, system, cancel)?;
    for generation in named {
        if let Some(parts) = found.get(generation) {
            pruning.fork(*generation, parts, Some(*generation) != highest)?;
        }
    }
    Ok(pruning.spared)
}

/// Removes all that was set aside of the app's forks.
///
/// # Errors
/// The disk's.
pub(super) fn prune_set_aside(
    place: &Place,
    system: &System,
    cancel: &Cancel,
) -> Result<Spared, VolumesError> {
    let mut pruning = Pruning::new(place, system, cancel)?;
    for (generation, parts) in forks::numbers(place)? {
        pruning.aside(generation, &parts)?;
    }
    Ok(pruning.spared)
}

impl<'a> Pruning<'a> {
    fn new(place: &'a Place, system: &System, cancel: &'a Cancel) -> Result<Self, VolumesError> {
        let mounted = Mounted::read(&system.mountinfo)?;
        Ok(Self { place, mounted, cancel, spared: Spared::new() })
    }

    fn fork(
        &mut self,
        number: Generation,
        parts: &Parts,
        with_file: bool,
    ) -> Result<(), VolumesError> {
        let place = self.place;
        self.aside(number, parts)?;
        let (fork, seed) = (place.fork(number), place.beside_fork(number, seed::SEED));
        for path in [&fork, &seed] {
            self.look(number, path); // before its marker: it stays as complete as it was
        }
        if self.spared.contains_key(&number) {
            return Ok(());
        }
        let unfinished = place.unfinished(number);
        if parts.folder {
            files::put_marker(place, &unfinished)?;
            self.remove(number, &fork)?;
        }
        self.remove(number, &seed)?;
        if self.spared.contains_key(&number) {
            return Ok(()); // mounted meanwhile
        }
        files::take_marker(&place.beside_fork(number, own::OWNING))?;
        fetching::done(place, number)?;
        files::take_marker(&unfinished)?;
        if with_file {
            files::take_marker(&place.fork_file(number))?; // last: what is cut off before is found by it
        }
        Ok(())
    }

    fn aside(&mut self, number: Generation, parts: &Parts) -> Result<(), VolumesError> {
        for n in &parts.aside {
            let aside = self.place.beside_fork(number, &format!("old-{n}"));
            if !self.look(number, &aside) {
                self.remove(number, &aside)?;
            }
        }
        Ok(())
    }

    /// Whether something is mounted on `path` or in it. Then it is spared.
    fn look(&mut self, number: Generation, path: &Path) -> bool {
        let point = self.mounted.within(path);
        if let Some(point) = point {
            self.spared.insert(number, point.to_owned());
        }
        point.is_some()
    }

    /// Removes a tree, up to what was mounted in it since the table was read.
    fn remove(&mut self, number: Generation, path: &Path) -> Result<(), VolumesError> {
        match tree::remove(path, self.cancel) {
            Err(VolumesError::Io { path, error, .. })
                if error.kind() == io::ErrorKind::CrossesDevices =>
            {
                self.spared.insert(number, path);
                Ok(())
            }
            done => done,
        }
    }
}

impl Volumes {
    /// Removes forks with what was set aside of them. The file of the highest number stays. Answers which can't go,
    /// since something is mounted there.
    ///
    /// # Errors
    /// The disk refuses; what is left is unfinished, and goes the next time.
    pub async fn prune(
        &self,
        app: &AppName,
        forks: Vec<Generation>,
    ) -> Result<Spared, VolumesError> {
        let (place, system) = (self.place(app), self.system.clone());
        self.long(move |cancel| prune(&place, &system, &forks, cancel)).await
    }

    /// Removes all that was set aside of the app's forks, kept ones too: what goes first when the disk is short.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn prune_set_aside(&self, app: &AppName) -> Result<Spared, VolumesError> {
        let (place, system) = (self.place(app), self.system.clone());
        self.long(move |cancel| prune_set_aside(&place, &system, cancel)).await
    }
}

#[cfg(test)]
mod tests;
