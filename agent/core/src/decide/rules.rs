//! The boot rule, bringing an app up, and the facts that the four situations ask for.
//!
//! Promise: each function answers one question of the world, or names the one step towards one state.

use super::mend;
use crate::names::{Generation, StartedAt};
use crate::reason::{Class, Code};
use crate::record::{AGENT, Committed, Hold, Intent, Verdict};
use crate::status::{StepName, WaitingFor};
use crate::step::{Decision, Step, Why};
use crate::world::{Container, Health, World};

use Decision::{Blocked, Do, Wait};

/// Why the app shall not run at all: an operator's stop, or a definition that is gone.
pub(super) fn unwanted(w: &World) -> Option<Why> {
    let orphaned = w.wanted.is_none().then_some(Why::Orphaned);
    orphaned.or_else(|| w.record.stopped.as_ref().map(|_| Why::Stopped))
}

/// A verdict that could not be written; a first install has none: it is tried again.
pub(super) fn unwritable(w: &World) -> Option<&Verdict> {
    w.evidence.unwritable.as_ref().filter(|_| w.record.current.is_some())
}

/// Boot rule: every container but the wanted one goes; `spare` may stay as long as it does not run.
pub(super) fn clear(
    w: &World,
    wanted: Option<Generation>,
    spare: Option<Generation>,
) -> Option<Decision> {
    let other = w.containers.iter().find(|c| {
        let is_spare = Some(c.generation) == spare;
        // A stop that found it down left its policy armed: the engine may start it.
        let is_safe = is_spare && !c.needs_stop() && w.evidence.was_down != Some(c.generation);
        Some(c.generation) != wanted && !is_safe
    })?;
    let stop = other.needs_stop();
    Some(attempt(
        w,
        if stop { Step::Stop(other.generation) } else { Step::Remove(other.generation) },
    ))
}

/// A new one that was started though `boots` was not written: it and what it wrote into its fork go.
pub(super) fn unstart(w: &World, i: &Intent) -> Option<Decision> {
    let c = w.container(i.generation).filter(|c| c.started_at.is_some() || c.needs_stop())?;
    // A marker that can't be written keeps the old one down no longer: once that ran, `StartedAt` tells as much.
    let spoiled = !i.old_state
        && w.failure(c.generation, StepName::Fork).is_none()
        && w.fork(c.generation).is_some_and(|f| f.is_complete());
    Some(attempt(
        w,
        match c {
            _ if spoiled => Step::Unfinish(c.generation),
            c if c.needs_stop() => Step::Stop(c.generation),
            c => Step::Remove(c.generation),
        },
    ))
}

/// The next step until a committed generation runs; null when it does.
pub(super) fn bring_up(w: &World, committed: &Committed) -> Option<Decision> {
    let (g, spec) = (committed.generation, &committed.spec);
    if let Some(mend) = mend::committed(w, committed) {
        return Some(mend);
    }
    let container = w.container(g);
    if container.is_some_and(Container::is_up) {
        return None;
    }
    if w.fork(g).is_none_or(|f| !f.folder) {
        let hint = "look for the volume root's disk; agentctl retry, once its files are back";
        let message = alloc::format!("the folder of its state, fork {g}, is gone");
        let reason = w.reason(Code::VolumesMissing, Class::Environment, message, hint);
        return Some(Blocked(Why::Failed(reason), None));
    }
    let step = match container {
        None if !w.images.contains(&g) => match w.evidence.sought.filter(|(s, _)| *s == g) {
            _ if !is_gone_here(w, committed) => Step::Fetch(g, spec.clone()), // no network needed
            None => Step::Seek(g, spec.clone()),
            Some((_, true)) => Step::Fetch(g, spec.clone()),
            Some((_, false)) => return Some(Blocked(Why::ImageMissing, None)),
        },
        None => Step::Create(g, spec.clone(), w.keeps_policy),
        Some(c) if c.needs_stop() => Step::Stop(g), // a dead pid, or paused
        Some(_) => {
            if let Some(reason) = &w.dependency {
                return Some(Wait(Why::Gate(reason.clone(), WaitingFor::Dependency), None));
            }
            if let Some(at) = w.evidence.restart_at.filter(|at| *at > w.now) {
                let message = "it ended by itself, and is started again after a while";
                let hint = "look at what it said: docker logs";
                let reason = w.reason(Code::CrashLoop, Class::Release, message, hint);
                return Some(Wait(Why::Failed(reason), Some(at)));
            }
            let owned = w.fork(g).is_some_and(|f| f.owned);
            if owned { Step::Start(g) } else { Step::Own(g, spec.clone()) }
        }
    };
    Some(attempt_down(w, step))
}

/// Does the step, unless it failed and is not to be tried again yet.
pub(super) fn attempt(w: &World, step: Step) -> Decision {
    let failed = step.name().and_then(|(name, g)| w.failure(g, name));
    match failed.filter(|f| f.retry_at > w.now) {
        Some(f) => Wait(Why::Failed(f.reason.clone()), Some(f.retry_at)),
        None => Do(step),
    }
}

/// The same for an app that is down: while the step can't be done it can't come up.
pub(super) fn attempt_down(w: &World, step: Step) -> Decision {
    match attempt(w, step) {
        Wait(why, until) => Blocked(why, until),
        other => other,
    }
}

/// Whether neither container nor image of a committed release are on this board, whatever its generation; what is
/// left of a damaged one does not count.
pub(super) fn is_gone_here(w: &World, c: &Committed) -> bool {
    let is_its = |g: &Generation| {
        *g == c.generation || w.spec(*g).is_some_and(|s| s.release.is(&c.spec.release))
    };
    let is_here = w.container(c.generation).is_some() || w.images.iter().any(is_its);
    !is_here || mend::is_damaged(w, c.generation)
}

/// Whether a committed release can't be brought back: container and image gone, here and everywhere.
pub(super) fn is_lost(w: &World, c: &Committed) -> bool {
    let is_nowhere = w.evidence.sought == Some((c.generation, false));
    is_gone_here(w, c) && (is_nowhere || mend::is_beyond_repair(w, c))
}

/// Whether this run of the agent stopped it, found running, and nobody started it since.
pub(super) fn is_stopped_by_us(w: &World, g: Generation) -> bool {
    let Some(c) = w.container(g) else {
        return false;
    };
    !c.needs_stop() && w.evidence.stopped.as_ref() == Some(&(g, c.started_at.clone()))
}

/// Whether the fork was copied from what its parent's container wrote last (null equals only null).
pub(super) fn is_of_parent(w: &World, i: &Intent) -> bool {
    let seen: Option<&StartedAt> =
        i.parent.and_then(|p| w.container(p)).and_then(|c| c.started_at.as_ref());
    let copied = w.fork(i.generation).and_then(|f| f.file.as_ref());
    copied.is_some_and(|file| file.parent_started_at.as_ref() == seen)
}

/// The agent's own hold, set or cleared: an update committed untried (`update.rollback = false`) that runs
/// badly is held, once; when it has proven itself it is held no longer.
pub(super) fn agents_hold(w: &World, current: &Committed) -> Option<Option<Hold>> {
    let record = &w.record;
    if let Some(hold) = &record.hold {
        return (record.proven && hold.by == AGENT).then_some(None);
    }
    let bad = matches!(w.health, Health::Unhealthy | Health::Late { .. });
    let untried = !record.proven && !current.spec.definition.update.rollback;
    let is_told = record.held == Some(current.generation) || record.previous.is_none();
    let hold = || {
        Hold {
        by: AGENT.into(),
        reason: "the new release is not healthy and update.rollback is false: agentctl rollback goes back, agentctl retry lets updates go on".into(),
        until: None,
    }
    };
    (bad && untried && !is_told).then(|| Some(hold()))
}
