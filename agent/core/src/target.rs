//! What an app should run next: candidate and definition, less what was tried and refused.

use alloc::sync::Arc;

use crate::fork::Fork;
use crate::names::Generation;
use crate::outcome::Trigger;
use crate::quarantine;
use crate::reason::{Class, Code, Reason};
use crate::record::{Intent, Refused};
use crate::spec::Spec;
use crate::step::{Refusal, Why};
use crate::time::Timestamp;
use crate::world::{Candidate, World};

/// The specification that should be current, where that is another than today's, and what asks for it.
///
/// # Errors
/// Why there is none.
pub fn next(w: &World) -> Result<(Arc<Spec>, Trigger), Why> {
    let Some(wanted) = &w.wanted else {
        return Err(Why::Orphaned);
    };
    let current = w.record.current.as_ref().map(|c| &c.spec);
    // A changed definition does not wait for a candidate that may not be tried.
    let or_definition = |why| match &wanted.with_current {
        Some(spec) if current.is_some_and(|c| c.hash != wanted.hash) => {
            barred(w, spec).map_or_else(|| Ok((spec.clone(), Trigger::Definition)), Err)
        }
        _ => Err(why),
    };
    match &w.candidate {
        Candidate::Unknown => Err(Why::NoCandidate),
        Candidate::Unreachable(reason) => or_definition(Why::Failed(reason.clone())),
        Candidate::Refused(refusal) => or_definition(Why::Refused(refusal.reason.code)),
        Candidate::Known(spec) if current.is_some_and(|c| c.is(spec)) => Err(Why::Steady),
        Candidate::Known(spec) => match (barred(w, spec), current) {
            (Some(why), _) => or_definition(why),
            (None, None) => Ok((spec.clone(), Trigger::Install)),
            (None, Some(c)) if c.release.is(&spec.release) => {
                Ok((spec.clone(), Trigger::Definition))
            }
            (None, Some(_)) => Ok((spec.clone(), Trigger::Tag)),
        },
    }
}

/// Why a specification is not taken by itself.
fn barred(w: &World, spec: &Spec) -> Option<Why> {
    let config = spec.release.config;
    let is_this =
        |r: &&Refused| r.inspected && Some(r.digest) == config && r.definition == spec.hash;
    let refused = w.record.refused.iter().find(is_this);
    let current = w.record.current.as_ref().and_then(|c| c.spec.release.config);
    if quarantine::holds(&w.record, spec) {
        Some(Why::Quarantined)
    } else if config.is_some() && w.record.left == config && current != config {
        Some(Why::Left)
    } else {
        refused.map(|r| Why::Refused(r.code))
    }
}

/// Whether the tag has moved on from the release that an operator left.
pub fn has_moved(w: &World) -> bool {
    let now = match &w.candidate {
        Candidate::Known(spec) => spec.release.config,
        Candidate::Refused(refusal) => refusal.release.config,
        Candidate::Unknown | Candidate::Unreachable(_) => None,
    };
    w.record.left.is_some_and(|left| now.is_some_and(|now| now != left))
}

/// Whether a refused candidate has its line of history already, or has nothing to be known by again.
pub fn is_remembered(w: &World, refusal: &Refusal) -> bool {
    let digest = refusal.release.config.or(refusal.release.index).or(refusal.release.manifest);
    let record = &w.record;
    digest.is_none()
        || record.refused.iter().any(|r| {
            Some(r.digest) == digest
                && r.definition == refusal.definition
                && r.code == refusal.reason.code
        })
        || record
            .quarantine
            .iter()
            .any(|q| Some(q.config) == digest && q.definition == refusal.definition)
}

/// The fork that the next update copies.
pub fn parent(w: &World) -> Option<Generation> {
    let complete = |f: &&Fork| f.is_complete() && f.failed().is_none();
    // Without a current release the newest fork that counts is still nobody's to lose.
    let newest = || w.forks.iter().filter(complete).map(|f| f.generation).max();
    w.record.current.as_ref().map(|c| c.generation).or_else(newest)
}

/// The intent that brings an app to `spec`.
pub fn intent(w: &World, spec: Arc<Spec>, trigger: Trigger) -> Intent {
    let tries = w.record.tries.as_ref().filter(|t| quarantine::is_of(t, &spec));
    Intent {
        generation: w.next_generation(),
        parent: parent(w),
        attempt: tries.map_or(1, |t| t.count().saturating_add(1)),
        spec,
        trigger,
        by: None,
        started_at: Timestamp::default(),
        old_state: false,
        probation: None,
        verdict: None,
    }
}

/// Why an intent that was not started yet shall not go on; null when it shall.
pub fn no_longer_wanted(w: &World, i: &Intent) -> Option<Reason> {
    let fork = |g: Generation| w.fork(g).is_some_and(Fork::is_complete);
    let Some(wanted) = w.wanted.as_ref().filter(|_| w.record.stopped.is_none()) else {
        return Some(operators(w));
    };
    let is_wanted = match (i.trigger, &w.candidate) {
        (Trigger::Operator, _) => !i.old_state || fork(i.generation),
        (_, Candidate::Unknown | Candidate::Unreachable(_)) => i.spec.hash == wanted.hash,
        _ => next(w).is_ok_and(|(spec, _)| spec.is(&i.spec)),
    };
    let message = "track or definition ask for something else by now";
    (!is_wanted).then(|| w.reason(Code::Operator, Class::Operator, message, ""))
}

/// The reason of an app that a person stopped, or whose definition a person removed.
pub fn operators(w: &World) -> Reason {
    let message = match &w.record.stopped {
        Some(stopped) => alloc::format!("{} stopped the app", stopped.by),
        None => "the definition file is gone".into(),
    };
    let hint = "agentctl start, or put the definition back";
    w.reason(Code::Operator, Class::Operator, message, hint)
}
