//! Before the cutover: all that can be done beside the running old one.
//!
//! Promise: nothing of the old one is touched; a fault of release or definition that is found here is the end of the
//! update before anything was stopped.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{attempt, mend};
use crate::fork::ForkFile;
use crate::names::Generation;
use crate::prune;
use crate::reason::{Class, Code};
use crate::record::Intent;
use crate::spec::Spec;
use crate::status::StepName;
use crate::step::{Change, Decision, Refusal, Step};
use crate::world::{Failure, World};

use Decision::Do;

/// All that can be done beside the running old one: reserve, fetch, inspect, create, compare.
pub(super) fn make_ready(w: &World, i: &Intent) -> Option<Decision> {
    let new = i.generation;
    let file = || ForkFile {
        schema: 1,
        parent: i.parent,
        generation: new,
        config: i.spec.release.config,
        definition: i.spec.hash,
        uid: i.spec.user.map(|u| u.uid),
        gid: i.spec.user.map(|u| u.gid),
        spec: i.spec.clone(),
        parent_started_at: None,
        mark: None,
    };
    let inspected = inspected(w, new);
    let container = w.container(new);
    let step = if !i.old_state && w.fork(new).is_none_or(|f| f.file.is_none() || !f.folder) {
        let prunable = prune::prunable(w);
        if w.failure(new, StepName::Reserve).is_some() && !prunable.is_empty() {
            return Some(Do(Step::Prune(prunable))); // room for this one
        }
        Step::Reserve(Box::new(file()))
    } else if !w.images.contains(&new) && (container.is_none() || needs_image(w, i)) {
        match container {
            None => Step::Fetch(new, i.spec.clone()),
            Some(_) => Step::Remove(new), // it can't be looked into; one that is made anew can
        }
    } else {
        match (inspected, container) {
            (None, _) => Step::Inspect(new, i.spec.clone()),
            (Some(spec), _) if *spec != i.spec => {
                return Some(Do(Step::Write(Box::new(Change::Resolve(spec.clone())))));
            }
            (Some(_), None) => Step::Create(new, i.spec.clone(), false),
            (Some(_), Some(c)) if w.evidence.compared.as_ref() != Some(&c.id) => {
                Step::Compare(new, i.spec.clone())
            }
            _ => return None,
        }
    };
    if matches!(step, Step::Inspect(..))
        && let Some(repair) = mend::candidate(w, i)
    {
        return Some(repair);
    }
    // A fault of release or definition, found before anything was touched.
    if let Some((name, g)) = step.name()
        && let Some(failed) = w.failure(g, name)
        && matches!(failed.reason.class, Class::Release | Class::Config)
    {
        let refusal = Refusal {
            release: i.spec.release.clone(),
            definition: i.spec.hash,
            reason: failed.reason.clone(),
        };
        return Some(Do(Step::Write(Box::new(Change::Refuse(Box::new(refusal))))));
    }
    Some(attempt(w, step))
}

fn inspected(w: &World, new: Generation) -> Option<&Arc<Spec>> {
    w.evidence.inspected.as_ref().filter(|(g, _)| *g == new).map(|(_, spec)| spec)
}

/// Whether the image of a container that stands is still to be looked into, or to be compared with, or has what an empty
/// volume is to get.
fn needs_image(w: &World, i: &Intent) -> bool {
    let new = i.generation;
    let is_compared = w.container(new).is_some_and(|c| w.evidence.compared.as_ref() == Some(&c.id));
    // Where an old one was stopped for it that ends the try: to fetch would take longer, and a second stop.
    let is_first = w.record.current.is_none();
    let is_seed = |failed: &Failure| is_first && failed.reason.code == Code::ImageMissing;
    inspected(w, new).is_none()
        || !is_compared
        || w.failure(new, StepName::Fork).is_some_and(is_seed)
}
