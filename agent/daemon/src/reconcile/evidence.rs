//! Upkeep of what only memory knows: evidence that the world has overtaken is dropped.
//!
//! Pure: evidence, record and look in; evidence out. Dropping too much costs a step made again, dropping too
//! little would let a step be left out: when in doubt, drop.

use titania_core::names::Generation;
use titania_core::record::Record;
use titania_core::status::StepName;
use titania_core::time::Moment;
use titania_core::world::{Container, Doubt, Evidence};

use super::backoff;

/// Drops what no longer holds.
pub fn keep_up(
    evidence: &mut Evidence,
    record: &Record,
    containers: &[Container],
    images: &[Generation],
) {
    let intent = record.intent.as_ref().map(|i| i.generation);
    let current = record.current.as_ref().map(|c| c.generation);
    let container = |g: Generation| containers.iter().find(|c| c.generation == g);

    // Seen running again, by another start: that stop was undone.
    if let Some((g, started_at)) = &evidence.stopped {
        let restarted = container(*g).is_some_and(|c| c.is_up() && c.started_at != *started_at);
        if restarted {
            evidence.stopped = None;
        }
    }
    if evidence.was_down.is_some_and(|g| container(g).is_none_or(Container::is_up)) {
        evidence.was_down = None;
    }
    let is_there = |id: &String| containers.iter().any(|c| c.id == *id);
    evidence.compared = evidence.compared.take().filter(is_there);
    evidence.inspected = evidence
        .inspected
        .take()
        .filter(|(g, _)| Some(*g) == intent && (images.contains(g) || container(*g).is_some()));
    evidence.begun = evidence.begun.take().filter(|begun| Some(begun.generation) == intent);
    // Also of a container that only has to go: without its failure it would be tried again at once, for ever.
    evidence.failed.retain(|f| {
        Some(f.generation) == intent
            || Some(f.generation) == current
            || container(f.generation).is_some()
    });
    let is_known = |g: Generation| Some(g) == intent || Some(g) == current;
    let is_here = |g: Generation| images.contains(&g) || container(g).is_some();
    // What was found in an image that is gone says nothing of the next one.
    evidence.failed.retain(|f| f.step != StepName::Inspect || is_here(f.generation));
    // That an image is sound counts for one that is about to be condemned; of all others it is the usual case.
    let is_open = |g: Generation| {
        record.intent.as_ref().is_some_and(|i| i.generation == g && i.verdict.is_none())
    };
    evidence.doubt.take_if(|(g, doubt)| {
        !is_known(*g) || !is_here(*g) || *doubt == Doubt::Sound && !is_open(*g)
    });
    evidence.repaired.take_if(|(g, _)| !is_known(*g));
    if intent.is_none() {
        evidence.unwritable = None;
    }
}

/// When the candidate that `tries` tell of is tried again: each try that ended otherwise costs the app a stop.
pub fn retry_at(record: &Record, now: Moment) -> Option<Moment> {
    let tries = record.tries.as_ref().filter(|tries| tries.count() > 0)?;
    Some(now.after(backoff::wait(tries.count(), backoff::LONG_MAX)))
}

#[cfg(test)]
mod tests;
