//! Before the cutover: all that can be done beside the running old one.
//!
//! Promise: nothing of the old one is touched; a fault of release or definition that is found here is the end of the
//! update before anything was stopped.

use alloc::boxed::Box;

use super::{attempt, mend};
use crate::fork::ForkFile;
use crate::prune;
use crate::reason::Class;
use crate::record::Intent;
use crate::status::StepName;
use crate::step::{Change, Decision, Refusal, Step};
use crate::world::World;

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
    let inspected = w.evidence.inspected.as_ref().filter(|(g, _)| *g == new).map(|(_, spec)| spec);
    let container = w.container(new);
    let step = if !i.old_state && w.fork(new).is_none_or(|f| f.file.is_none() || !f.folder) {
        let prunable = prune::prunable(w);
        if w.failure(new, StepName::Reserve).is_some() && !prunable.is_empty() {
            return Some(Do(Step::Prune(prunable))); // room for this one
        }
        Step::Reserve(Box::new(file()))
    } else if container.is_none() && !w.images.contains(&new) {
        Step::Fetch(new, i.spec.clone())
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
