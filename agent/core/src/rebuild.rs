//! Bringing the record forward: what fork marks and containers know better than it (§3.2).
//!
//! A commit and a verdict are a mark first and a record second; so are a crash between the two, a lost
//! record and an older one the same case, and this is where it is answered.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::fork::{Fork, Mark};
use crate::record::{Committed, Intent, Quarantined, Verdict};
use crate::step::{Change, Rebuilt};
use crate::world::{RecordFrom, World};

/// The change that brings the record up to what the marks say; null when it is.
pub fn forward(w: &World) -> Option<Change> {
    // Lost between mark and record: what the record before was about has ended, and its outcome is to be told.
    if w.record_from == RecordFrom::Former && is_concluded(w) {
        return Some(Change::Conclude);
    }
    if w.record_from != RecordFrom::File {
        let blank =
            w.forks.is_empty() && w.containers.is_empty() && w.record_from == RecordFrom::Nowhere;
        return (!blank).then(|| Change::Rebuild(Box::new(rebuilt(w))));
    }
    let count = w.record.current.as_ref().map_or(0, |c| c.count);
    if let Some(i) = &w.record.intent {
        let mark = w.fork(i.generation).and_then(|f| f.file.as_ref()).and_then(|f| f.mark.as_ref());
        match mark {
            Some(Mark::Committed { count: marked }) if *marked > count => {
                return Some(Change::Conclude);
            }
            Some(Mark::Failed { word: Some(_), .. }) => {
                return Some(Change::Conclude);
            }
            // What can't be written is acted upon all the same.
            Some(Mark::Failed { reason, step, word: None, .. })
                if i.verdict.is_none() && w.evidence.unwritable.is_none() =>
            {
                return Some(Change::Verdict(Verdict { reason: reason.clone(), step: *step }));
            }
            _ => {}
        }
    }
    (highest_count(w) > count).then(|| Change::Rebuild(Box::new(rebuilt(w))))
}

/// Whether the last commit of all is that of the update in the record.
fn is_concluded(w: &World) -> bool {
    let count = w.record.current.as_ref().map_or(0, |c| c.count);
    let marked =
        w.record.intent.as_ref().and_then(|i| w.fork(i.generation)).and_then(Fork::committed);
    marked.is_some_and(|marked| marked > count && marked == highest_count(w))
}

/// The highest count of a commit, by marks and record.
pub fn highest_count(w: &World) -> u64 {
    let record = w.record.current.as_ref().map_or(0, |c| c.count);
    w.forks.iter().filter_map(Fork::committed).max().unwrap_or(0).max(record)
}

/// What marks and containers tell.
fn rebuilt(w: &World) -> Rebuilt {
    let committed = |f: &Fork| {
        let file = f.file.as_ref()?;
        let count = f.committed().unwrap_or(0);
        Some(Committed { generation: f.generation, count, spec: file.spec.clone(), at: w.at })
    };
    let mut marked: Vec<Committed> =
        w.forks.iter().filter(|f| f.committed().is_some()).filter_map(committed).collect();
    marked.sort_by_key(|c| core::cmp::Reverse(c.count));
    let armed = || {
        let mut armed: Vec<_> =
            w.containers.iter().filter(|c| c.armed).map(|c| c.generation).collect();
        armed.sort_unstable();
        // What ran on an unfinished fork is to be made anew. A folder that is missing may come back.
        let mut forks = armed.into_iter().filter_map(|g| w.fork(g)).filter(|f| !f.unfinished);
        forks.find_map(committed)
    };
    let newest = || {
        let whole = w.forks.iter().filter(|f| f.is_complete() && f.failed().is_none());
        whole.max_by_key(|f| f.generation).and_then(committed)
    };
    let record = &w.record;
    let known = record.current.as_ref().map_or(0, |c| c.count);
    let is_ahead = marked.first().is_some_and(|c| c.count > known);
    let (current, previous) = if is_ahead || record.current.is_none() {
        let mut marked = marked.into_iter();
        match marked.next() {
            Some(first) => {
                let previous = marked.find(|other| !other.spec.is(&first.spec));
                (Some(first), previous)
            }
            None => (armed().or_else(newest), record.previous.clone()),
        }
    } else {
        (record.current.clone(), record.previous.clone())
    };
    let mut quarantine = record.quarantine.clone();
    // What was committed later, an operator had it tried again.
    let is_over = |q: &Quarantined, at: &Fork| {
        let later = w.forks.iter().filter(|f| f.generation > at.generation);
        let mut won = later.filter(|f| f.committed().is_some()).filter_map(|f| f.file.as_ref());
        won.any(|file| file.config == Some(q.config) && file.definition == q.definition)
    };
    let given = w.forks.iter().filter_map(|f| quarantined(f).filter(|q| !is_over(q, f)));
    for found in given {
        if !quarantine.iter().any(|q| q.config == found.config && q.definition == found.definition)
        {
            quarantine.push(found);
        }
    }
    let floor = current.as_ref().map(|c| c.generation);
    let is_open = |i: &Intent| match floor {
        Some(floor) => i.generation > floor || (i.old_state && i.generation != floor),
        None => true,
    };
    Rebuilt { current, previous, intent: record.intent.clone().filter(is_open), quarantine }
}

/// The quarantine that a fork's final word stands for.
fn quarantined(f: &Fork) -> Option<Quarantined> {
    let file = f.file.as_ref()?;
    match &file.mark {
        Some(Mark::Failed { reason, word: Some(word), .. }) if word.quarantined => {
            Some(Quarantined {
                config: file.config?,
                definition: file.definition,
                tag: file.spec.release.tag.clone(),
                reason: reason.clone(),
                at: reason.at,
            })
        }
        _ => None,
    }
}
