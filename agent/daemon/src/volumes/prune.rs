//! Pruning: the one way in which a fork goes.
//!
//! Promise: nothing but forks that were named, and what was set aside, is removed; never `data`. A fork cut off half
//! way is unfinished before the first file of it goes. The file of the highest number stays, so that numbers never go
//! back.

use titania_core::names::Generation;

use super::error::VolumesError;
use super::forks::{self, Parts};
use super::paths::Place;
use super::{files, own, seed, tree};
use crate::workers::Cancel;

/// Removes the forks named, with what was set aside of them.
///
/// # Errors
/// The disk's; a fork half removed is unfinished and goes with the next call.
pub fn prune(place: &Place, named: &[Generation], cancel: &Cancel) -> Result<(), VolumesError> {
    let found = forks::numbers(place)?;
    let highest = found.iter().rev().find(|(_, parts)| parts.file);
    let highest = highest.map(|(generation, _)| *generation);
    for generation in named {
        let Some(parts) = found.get(generation) else {
            continue;
        };
        remove_aside(place, *generation, parts, cancel)?;
        let unfinished = place.unfinished(*generation);
        if parts.folder {
            files::put_marker(place, &unfinished)?;
            tree::remove(&place.fork(*generation), cancel)?;
        }
        tree::remove(&place.beside_fork(*generation, seed::SEED), cancel)?;
        files::take_marker(&place.beside_fork(*generation, own::OWNING))?;
        if Some(*generation) != highest {
            files::take_marker(&place.fork_file(*generation))?;
        }
        files::take_marker(&unfinished)?;
    }
    Ok(())
}

/// Removes all that was set aside of the app's forks.
///
/// # Errors
/// The disk's.
pub fn prune_set_aside(place: &Place, cancel: &Cancel) -> Result<(), VolumesError> {
    for (generation, parts) in forks::numbers(place)? {
        remove_aside(place, generation, &parts, cancel)?;
    }
    Ok(())
}

fn remove_aside(
    place: &Place,
    generation: Generation,
    parts: &Parts,
    cancel: &Cancel,
) -> Result<(), VolumesError> {
    for n in &parts.aside {
        let aside = place.beside_fork(generation, &format!("old-{n}"));
        tree::remove(&aside, cancel)?;
    }
    Ok(())
}
