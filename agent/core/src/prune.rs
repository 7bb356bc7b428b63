//! What may go: forks and images beyond what is kept (§3.2, "Kept forks").

use alloc::vec::Vec;

use crate::fork::{Fork, Mark};
use crate::names::Generation;
use crate::step::Prunable;
use crate::target;
use crate::time::{Millis, PLAUSIBLE};
use crate::world::World;

/// How long what the newest failed release wrote is kept beside the others.
const FAILED_KEPT: Millis = Millis::seconds(30 * 24 * 60 * 60);

impl Prunable {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.forks.is_empty() && self.images.is_empty() && !self.set_aside
    }
}

/// What never goes, however short room is: current, previous, the intent's and the one that an update would copy.
fn needed(w: &World) -> Vec<Generation> {
    let record = &w.record;
    let kept = [&record.current, &record.previous].into_iter().flatten().map(|c| c.generation);
    let parents = record.intent.iter().filter_map(|i| i.parent).chain(target::parent(w));
    kept.chain(record.intent.iter().map(|i| i.generation)).chain(parents).collect()
}

/// What goes for want of room alone: all that failed releases wrote, the newest one's too.
pub fn failed(w: &World) -> Prunable {
    let needed = needed(w);
    let failed = w.forks.iter().filter(|f| f.folder && f.failed().is_some());
    let forks = failed.map(|f| f.generation).filter(|g| !needed.contains(g)).collect();
    Prunable { forks, ..Prunable::default() }
}

/// Forks and images that nobody needs: kept are, beside what never goes, the newest failed one that ran, for 30 days, and
/// up to `keep` more of those that ran, newest first.
pub fn prunable(w: &World) -> Prunable {
    let needed = needed(w);
    let mut forks: Vec<_> =
        w.forks.iter().filter(|f| f.folder && !needed.contains(&f.generation)).collect();
    forks.sort_by_key(|f| core::cmp::Reverse(f.generation));
    let has_run =
        |f: &&Fork| !f.unfinished && (f.failed() == Some(true) || f.committed().is_some());
    let failed = forks.iter().find(|f| f.failed() == Some(true));
    let failed = failed.filter(|f| !is_outdated(w, f)).map(|f| f.generation);
    let mut room = w.keep;
    let mut gone = Vec::new();
    for fork in forks {
        let is_newest_failed = Some(fork.generation) == failed;
        if is_newest_failed {
            continue;
        }
        if has_run(&fork) && room > 0 {
            room -= 1;
        } else if !w.evidence.mounted.contains(&fork.generation) {
            gone.push(fork.generation);
        }
    }
    // A fork that was the highest when it went left its file behind; with a higher one that is no longer needed.
    let highest = w.forks.iter().filter(|f| f.file.is_some()).map(|f| f.generation).max();
    let lone = w.forks.iter().filter(|f| !f.folder && f.file.is_some());
    let lone = lone.filter(|f| !w.evidence.mounted.contains(&f.generation));
    gone.extend(lone.map(|f| f.generation).filter(|g| Some(*g) != highest && !needed.contains(g)));
    // One that somebody else's container uses can't go: trying again and again would be all that is done.
    let in_use = &w.evidence.in_use;
    let images = w.images.iter().copied();
    let images = images.filter(|g| !needed.contains(g) && !in_use.contains(g)).collect();
    let is_left = |g| gone.contains(&g) || w.evidence.mounted.contains(&g);
    let set_aside = w.forks.iter().any(|f| f.set_aside && !is_left(f.generation));
    Prunable { forks: gone, set_aside, images }
}

/// Whether a fork failed more than 30 days ago, as far as its clock and today's can be trusted.
fn is_outdated(w: &World, fork: &Fork) -> bool {
    let Some(Mark::Failed { reason, .. }) = fork.file.as_ref().and_then(|file| file.mark.as_ref())
    else {
        return false;
    };
    let is_known = w.clock_synced && reason.at >= PLAUSIBLE;
    let age = w.at.0.saturating_sub(reason.at.0);
    is_known && u64::try_from(age).is_ok_and(|age| age > FAILED_KEPT.0)
}
