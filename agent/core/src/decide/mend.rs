//! Damaged images: what a power cut leaves of files that were not on the disk yet. They are there, and empty.
//!
//! Promise: what runs is never touched; nothing goes before the registry said that it has it, and no container for an
//! image that is merely gone; a generation's image is fetched again once a run of the agent, until it has proven itself
//! again.

use super::rules::{attempt, attempt_down, is_gone_here};
use super::verdict;
use crate::names::Generation;
use crate::reason::{Class, Code};
use crate::record::{Committed, Intent};
use crate::status::{ContainerState, StepName};
use crate::step::{Decision, Step, Why};
use crate::world::{Container, Doubt, World};

use Decision::{Blocked, Do};

/// The next step towards an image that is whole, of a committed release that is down; null where nothing is wrong.
pub(super) fn committed(w: &World, c: &Committed) -> Option<Decision> {
    let (g, spec) = (c.generation, &c.spec);
    let step = match doubt(w, g).filter(|_| !runs(w, g))? {
        Doubt::Gone | Doubt::Needed if w.images.contains(&g) => Step::Look(g, spec.clone()),
        // Its container is here: it is started meanwhile.
        Doubt::Needed if is_put_off(w, g) => return None,
        Doubt::Needed => match w.evidence.sought.filter(|(s, _)| *s == g) {
            None => Step::Seek(g, spec.clone()),
            Some((_, false)) => return None,
            Some(_) => Step::Fetch(g, spec.clone()),
        },
        Doubt::Sound | Doubt::Gone => return None,
        Doubt::Suspected => Step::Look(g, spec.clone()),
        Doubt::Damaged if is_repaired(w, g) => {
            return Some(Blocked(Why::ImageDamaged { again: true }, None));
        }
        Doubt::Damaged => match w.evidence.sought.filter(|(s, _)| *s == g) {
            None => Step::Seek(g, spec.clone()),
            Some((_, false)) => return Some(Blocked(Why::ImageDamaged { again: false }, None)),
            Some(_) if w.container(g).is_some_and(Container::needs_stop) => Step::Stop(g),
            Some(_) => Step::Repair(g, spec.clone()),
        },
    };
    Some(attempt_down(w, step))
}

/// A new one whose image was found damaged before anything was touched: what is not shared is fetched again, once.
pub(super) fn candidate(w: &World, i: &Intent) -> Option<Decision> {
    let new = i.generation;
    let failed = w.failure(new, StepName::Inspect)?;
    // Of an image that the current release was made from nothing can be fetched again beside it.
    let is_current = w.record.current.as_ref().is_some_and(|c| c.spec.release.is(&i.spec.release));
    let is_due = failed.reason.code == Code::ImageDamaged && !is_repaired(w, new) && !is_current;
    is_due.then(|| attempt(w, Step::Repair(new, i.spec.clone())))
}

/// A new one that ended by its own fault, or would not start. If another run of the agent looked into its image,
/// that may have been damaged since; a good release is not condemned for it.
pub(super) fn started(w: &World, i: &Intent) -> Option<Decision> {
    let new = i.generation;
    let is_fresh = w.evidence.inspected.as_ref().is_some_and(|(g, _)| *g == new);
    match doubt(w, new) {
        Some(Doubt::Damaged) => {
            let message = "a file of its image lost its content on this disk";
            Some(not_condemned(w, i, Code::ImageDamaged, message))
        }
        Some(Doubt::Gone | Doubt::Needed) => {
            let message =
                "its image is gone, so that what its container was made from can't be known";
            Some(not_condemned(w, i, Code::ImageMissing, message))
        }
        Some(Doubt::Sound) => None,
        _ if is_fresh => None,
        _ => Some(Do(Step::Look(new, i.spec.clone()))),
    }
}

fn not_condemned(w: &World, i: &Intent, code: Code, message: &str) -> Decision {
    let hint = "nothing: it is tried again with an image that is fetched anew";
    verdict(w, i, w.reason(code, Class::Environment, message, hint), StepName::Start)
}

/// Whether a committed release can't run for what became of its image on this disk.
pub(super) fn is_damaged(w: &World, g: Generation) -> bool {
    let is_known = doubt(w, g) == Some(Doubt::Damaged) || has_failed(w, g);
    (is_known || is_bare(w, g)) && !runs(w, g)
}

/// Whether nothing but a container is left of it, which would not start, of an image that nobody has.
fn is_bare(w: &World, g: Generation) -> bool {
    let is_nowhere = w.evidence.sought == Some((g, false));
    doubt(w, g) == Some(Doubt::Needed) && is_nowhere && w.failure(g, StepName::Start).is_some()
}

/// Whether the registry is not to be asked yet.
fn is_put_off(w: &World, g: Generation) -> bool {
    w.failure(g, StepName::Fetch).is_some_and(|failed| failed.retry_at > w.now)
}

/// Whether it can't be mended either: it was fetched again in vain, or others hold its layers.
pub(super) fn is_beyond_repair(w: &World, c: &Committed) -> bool {
    let g = c.generation;
    is_gone_here(w, c) && is_damaged(w, g) && (is_repaired(w, g) || has_failed(w, g))
}

fn has_failed(w: &World, g: Generation) -> bool {
    w.failure(g, StepName::Inspect).is_some_and(|f| f.reason.code == Code::ImageDamaged)
}

fn doubt(w: &World, g: Generation) -> Option<Doubt> {
    w.evidence.doubt.filter(|(of, _)| *of == g).map(|(_, doubt)| doubt)
}

fn is_repaired(w: &World, g: Generation) -> bool {
    w.evidence.repaired.is_some_and(|(of, _)| of == g)
}

/// Whether a process of it runs: not one that the engine is about to start once more.
fn runs(w: &World, g: Generation) -> bool {
    w.container(g).is_some_and(|c| c.alive && c.state == ContainerState::Running)
}
