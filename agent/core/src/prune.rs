//! What may go: forks and images beyond what is kept (§3.2, "Kept forks").

use alloc::vec::Vec;

use crate::names::Generation;
use crate::step::Prunable;
use crate::target;
use crate::world::World;

impl Prunable {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.forks.is_empty() && self.images.is_empty() && !self.set_aside
    }
}

/// Forks and images that nobody needs: kept are current, previous, the intent's and the one that an update
/// would copy, the newest failed one that ran, and up to `keep` more of those that ran, newest first.
pub fn prunable(w: &World) -> Prunable {
    let record = &w.record;
    let kept = [&record.current, &record.previous].into_iter().flatten().map(|c| c.generation);
    let parents = record.intent.iter().filter_map(|i| i.parent).chain(target::parent(w));
    let needed: Vec<Generation> =
        kept.chain(record.intent.iter().map(|i| i.generation)).chain(parents).collect();
    let mut forks: Vec<_> =
        w.forks.iter().filter(|f| f.folder && !needed.contains(&f.generation)).collect();
    forks.sort_by_key(|f| core::cmp::Reverse(f.generation));
    let has_run = |f: &&crate::fork::Fork| {
        !f.unfinished && (f.failed() == Some(true) || f.committed().is_some())
    };
    let failed = forks.iter().find(|f| f.failed() == Some(true)).map(|f| f.generation);
    let mut room = w.keep;
    let mut gone = Vec::new();
    for fork in forks {
        let is_newest_failed = Some(fork.generation) == failed;
        if is_newest_failed {
            continue;
        }
        if has_run(&fork) && room > 0 {
            room -= 1;
        } else {
            gone.push(fork.generation);
        }
    }
    // A fork that was the highest when it went left its file behind; with a higher one that is no longer needed.
    let highest = w.forks.iter().filter(|f| f.file.is_some()).map(|f| f.generation).max();
    let lone = w.forks.iter().filter(|f| !f.folder && f.file.is_some());
    gone.extend(lone.map(|f| f.generation).filter(|g| Some(*g) != highest && !needed.contains(g)));
    let images = w.images.iter().copied().filter(|g| !needed.contains(g)).collect();
    let set_aside = w.forks.iter().any(|f| f.set_aside && !gone.contains(&f.generation));
    Prunable { forks: gone, set_aside, images }
}
