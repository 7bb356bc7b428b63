//! The one thing to do next for one app, and why.
//!
//! Promise: pure and level-triggered. After a crash the world is observed and this is asked again;
//! there is no other recovery. Read [`decide`] first: four situations, a function each.

use alloc::boxed::Box;

use crate::fork::Mark;
use crate::prune;
use crate::quarantine::{self, BOOTS_MAX};
use crate::reason::{Class, Code, Reason};
use crate::rebuild;
use crate::record::{Intent, Verdict};
use crate::status::{ContainerState, StepName};
use crate::step::{Change, Decision, Step, Why};
use crate::target;
use crate::world::{Candidate, Container, Exit, Health, RecordFrom, World};

use Decision::{Blocked, Do, Idle, Wait};

mod mend;
mod ready;
mod rules;
#[cfg(test)]
mod tests;

use ready::make_ready;
use rules::{
    agents_hold, attempt, attempt_down, bring_up, clear, is_gone_here, is_lost, is_of_parent,
    is_stopped_by_us, unstart, unwanted, unwritable,
};

/// Returns the single next step for one app, or why there is none.
pub fn decide(w: &World) -> Decision {
    if let Some((reason, waiting_for)) = &w.barrier {
        return Blocked(Why::Board(reason.clone(), *waiting_for), None);
    }
    if w.record.purge.is_some() && w.record_from == RecordFrom::File {
        return clear(w, None, None).unwrap_or(Do(Step::Purge));
    }
    if let Some(change) = rebuild::forward(w) {
        return Do(Step::Write(Box::new(change)));
    }
    match &w.record.intent {
        None => rest(w),
        Some(i) => match i.verdict.as_ref().or(unwritable(w)) {
            Some(verdict) => back(w, i, verdict),
            None if i.boots() == 0 => prepare(w, i), // the old one is wanted
            None => judge(w, i),                     // the new one is wanted
        },
    }
}

/// No update is under way: the current release runs, or the next update begins.
fn rest(w: &World) -> Decision {
    let current = w.record.current.as_ref();
    if let Some(why) = unwanted(w) {
        let spare = current.map(|c| c.generation);
        return clear(w, None, spare).unwrap_or(Idle(why));
    }
    if let Some(go) = clear(w, current.map(|c| c.generation), None) {
        return go;
    }
    let Some(current) = current else {
        return begin(w);
    };
    if let Some(up) = bring_up(w, current) {
        return if is_lost(w, current) && target::next(w).is_ok() { begin(w) } else { up };
    }
    let unarmed = w.container(current.generation).is_some_and(|c| !c.armed);
    if w.keeps_policy && unarmed {
        return attempt(w, Step::Arm(current.generation));
    }
    if !w.record.proven && w.health == Health::Settled {
        return Do(Step::Write(Box::new(Change::Proven)));
    }
    if let Some((_, began)) = w.evidence.repaired.filter(|(g, _)| *g == current.generation)
        && w.health == Health::Settled
    {
        return Do(Step::Write(Box::new(Change::Repaired(began))));
    }
    if let Some(hold) = agents_hold(w, current) {
        return Do(Step::Write(Box::new(Change::Hold(hold))));
    }
    begin(w)
}

/// Begins the update that track and definition ask for, if any.
fn begin(w: &World) -> Decision {
    if let Candidate::Refused(refusal) = &w.candidate
        && !target::is_remembered(w, refusal)
    {
        return Do(Step::Write(Box::new(Change::Refuse(refusal.clone()))));
    }
    if target::has_moved(w) {
        return Do(Step::Write(Box::new(Change::Moved)));
    }
    let backoff = w.evidence.retry_at.filter(|at| *at > w.now);
    let not_now = match (target::next(w), backoff) {
        (Err(why), _) => Idle(why),
        (Ok((spec, _)), _) if quarantine::must_settle_first(w, &spec) => Wait(Why::Settling, None),
        (Ok(_), Some(at)) => Wait(Why::Backoff, Some(at)),
        (Ok((spec, trigger)), None) => {
            let intent = target::intent(w, spec, trigger);
            return Do(Step::Write(Box::new(Change::Begin(intent))));
        }
    };
    let prunable = prune::prunable(w);
    if prunable.is_empty() { not_now } else { Do(Step::Prune(prunable)) }
}

/// `boots` is not written: the old one runs while the new one is made ready, up to its first start.
fn prepare(w: &World, i: &Intent) -> Decision {
    let (new, current) = (i.generation, w.record.current.as_ref());
    if let Some(go) = unstart(w, i) {
        return go;
    }
    let old = current.filter(|old| !is_lost(w, old));
    if let Some(go) = clear(w, old.map(|c| c.generation), Some(new)) {
        return go;
    }
    let ends = target::no_longer_wanted(w, i);
    let go = if ends.is_none() { make_ready(w, i) } else { None };
    // Stopped for another cause (a dead process, a new one that vanished), it comes up first, and waits for no writing.
    let stopped =
        old.is_none_or(|old| ends.is_none() && go.is_none() && is_stopped_by_us(w, old.generation));
    let up = old.filter(|_| !stopped && unwanted(w).is_none()).and_then(|old| bring_up(w, old));
    if let Some(up) = up.filter(|up| ends.is_none() || matches!(up, Do(_))) {
        // What the old one writes from now on would be missing in a fork made before, and a start of
        // the new one whose answer a former run lost may still land. A marker that can't be written
        // keeps no app down: `StartedAt` tells as much.
        let is_whole = w.fork(new).is_some_and(|f| f.is_complete() && !i.old_state);
        let is_asking = matches!(up, Do(Step::Seek(..) | Step::Look(..)));
        return match w.container(new) {
            _ if is_whole && !is_asking && w.failure(new, StepName::Fork).is_none() => {
                Do(Step::Unfinish(new))
            }
            Some(_) if !is_asking => attempt(w, Step::Remove(new)),
            _ => up,
        };
    }
    if let Some(reason) = ends {
        return match w.container(new) {
            Some(_) => attempt(w, Step::Remove(new)),
            None => Do(Step::Write(Box::new(Change::Abandon(reason)))),
        };
    }
    if let Some(go) = go {
        return go;
    }
    if !stopped || old.is_none() {
        if let Some((reason, waiting_for)) = &w.gate {
            return Wait(Why::Gate(reason.clone(), *waiting_for), None);
        }
        if let Some(old) = old {
            return attempt(w, Step::Stop(old.generation));
        }
    }
    cut_over(w, i, old.is_some())
}

/// The old one is stopped by this run, or there is none: fork, own, `boots`.
fn cut_over(w: &World, i: &Intent, old: bool) -> Decision {
    let new = i.generation;
    let failed = [StepName::Fork, StepName::Own].into_iter().find_map(|step| w.failure(new, step));
    if let Some(failed) = failed.filter(|_| old) {
        return verdict(w, i, failed.reason.clone(), failed.step); // each more try would cost more down time
    }
    let step = match w.fork(new) {
        Some(f) if i.old_state || (f.is_complete() && is_of_parent(w, i)) => {
            if f.owned {
                return Do(Step::Write(Box::new(Change::Boots { boots: 1, boot: w.boot.clone() })));
            }
            Step::Own(new, i.spec.clone())
        }
        Some(f) if f.is_complete() => Step::Unfinish(new), // the old one ran since: made anew
        _ => Step::Fork(new, i.spec.clone()),
    };
    attempt(w, step)
}

/// `boots` is written, no verdict yet: the new one is wanted and must prove itself.
fn judge(w: &World, i: &Intent) -> Decision {
    let new = i.generation;
    let old = w.record.current.as_ref();
    let container = w.container(new);
    if let Some(go) = clear(w, Some(new), old.map(|c| c.generation)) {
        return go;
    }
    let is_direct = old.is_none() || !i.spec.definition.update.rollback;
    if is_direct && container.is_some_and(|c| c.started_at.is_some()) {
        return commit(w, i);
    }
    let Some(old) = old else {
        // Tried again under the same number, as long as it is wanted: a corrected one takes its place.
        return match (target::no_longer_wanted(w, i), container) {
            (None, _) => start(w, i, container),
            (Some(_), Some(c)) if c.needs_stop() => attempt(w, Step::Stop(new)),
            (Some(_), Some(_)) => attempt(w, Step::Remove(new)),
            (Some(reason), None) => Do(Step::Write(Box::new(Change::Abandon(reason)))),
        };
    };
    if let Some(why) = unwanted(w) {
        // The stop is durable as it is: it does not wait for a way back.
        return match container {
            Some(c) if c.needs_stop() && is_gone_here(w, old) => attempt(w, Step::Stop(new)),
            _ if is_lost(w, old) => Idle(why),
            _ => verdict(w, i, target::operators(w), StepName::Probation),
        };
    }
    let same_boot = i.probation.as_ref().is_some_and(|p| p.boot_id == w.boot);
    if !same_boot {
        return again(w, i, Code::BoardRestarted);
    }
    let begun = w.evidence.begun.as_ref().filter(|b| b.generation == new && b.boots == i.boots());
    let Some(begun) = begun else {
        return again(w, i, Code::ExitUnseen);
    };
    let Some(c) = container else {
        let code = Code::StoppedOutside;
        return if begun.sent || begun.running { again(w, i, code) } else { start(w, i, None) };
    };
    let has_started = begun.running || c.started_at != begun.started_at;
    match &c.exit {
        _ if has_started && c.state == ContainerState::Restarting => {
            mend::started(w, i).unwrap_or_else(|| prove(w, i)) // armed before its mark was written
        }
        _ if has_started && c.is_up() => prove(w, i),
        _ if !has_started => start(w, i, container),
        _ if is_stopped_by_us(w, new) => again(w, i, Code::StoppedOutside), // for an operator
        Some(Exit::Own(reason)) => mend::started(w, i)
            .unwrap_or_else(|| verdict(w, i, reason.clone(), StepName::Probation)),
        Some(Exit::Ambiguous(code)) => again(w, i, *code),
        None => again(w, i, Code::ExitUnseen), // a dead pid, a person's pause
    }
}

/// The new one runs in this probation: commit, go back, or wait for its probes.
fn prove(w: &World, i: &Intent) -> Decision {
    let health = &i.spec.definition.health;
    let failed = |code, message| {
        let hint = "look at the release's log: docker logs, or the snapshot it left";
        verdict(w, i, w.reason(code, Class::Release, message, hint), StepName::Probation)
    };
    match w.health {
        Health::Settled => commit(w, i),
        Health::Unhealthy => failed(
            Code::Unhealthy,
            alloc::format!("its probe said no {} times in a row", health.retries),
        ),
        Health::Late { said_no } => failed(
            if said_no { Code::Unhealthy } else { Code::Deadline },
            alloc::format!("it was not healthy for {} within {}", health.settle, health.deadline),
        ),
        Health::Starting | Health::Healthy => Wait(Why::Probation, None),
    }
}

/// Starts the new one, the first time or again, where its fork still fits.
fn start(w: &World, i: &Intent, container: Option<&Container>) -> Decision {
    let new = i.generation;
    let old = w.record.current.as_ref();
    if old.is_some() && !i.old_state && !is_of_parent(w, i) {
        let reason = w.reason(
            Code::ParentStarted,
            Class::Environment,
            "the old container was started meanwhile: the copy of its state is not the latest",
            "nothing: it is tried again with a new copy",
        );
        return verdict(w, i, reason, StepName::Start);
    }
    let steps = [StepName::Fetch, StepName::Create, StepName::Own, StepName::Start];
    let failed = steps.into_iter().find_map(|step| w.failure(new, step));
    if let Some(failed) = failed.filter(|_| old.is_some()) {
        let image = mend::started(w, i).filter(|_| failed.reason.class == Class::Release);
        return image.unwrap_or_else(|| verdict(w, i, failed.reason.clone(), failed.step)); // the old one is down
    }
    let step = match container {
        None if !w.images.contains(&new) => Step::Fetch(new, i.spec.clone()),
        None => Step::Create(new, i.spec.clone(), false),
        Some(c) if c.needs_stop() => Step::Stop(new),
        Some(_) if w.fork(new).is_some_and(|f| !f.owned) => Step::Own(new, i.spec.clone()),
        Some(_) => Step::Start(new),
    };
    attempt(w, step)
}

/// One more start in the same probation, or the end of it.
fn again(w: &World, i: &Intent, code: Code) -> Decision {
    if i.boots() >= BOOTS_MAX {
        let reason = quarantine::ambiguous(w, code, i.boots());
        return verdict(w, i, reason, StepName::Probation);
    }
    let boots = i.boots() + 1;
    Do(Step::Write(Box::new(Change::Boots { boots, boot: w.boot.clone() })))
}

/// Policy, mark; the record follows from the mark.
fn commit(w: &World, i: &Intent) -> Decision {
    let new = i.generation;
    if w.keeps_policy && w.container(new).is_some_and(|c| !c.armed) {
        return attempt(w, Step::Arm(new));
    }
    let count = rebuild::highest_count(w) + 1;
    Do(Step::Mark(new, Box::new(Mark::Committed { count })))
}

/// Speaks the verdict: mark first, the record follows from it; but never without a way back.
fn verdict(w: &World, i: &Intent, reason: Reason, step: StepName) -> Decision {
    let reason = match &w.evidence.disk_low {
        Some(low) if reason.class == Class::Release && step == StepName::Probation => low.clone(),
        _ => reason,
    };
    if let Some(old) = w.record.current.as_ref().filter(|old| is_gone_here(w, old)) {
        let runs = w.container(i.generation).is_some_and(Container::is_up);
        let seek = || Step::Seek(old.generation, old.spec.clone());
        let sought = w.evidence.sought.filter(|(g, _)| *g == old.generation);
        match sought.map(|(g, found)| (g, found && !mend::is_beyond_repair(w, old))) {
            None if runs => return attempt(w, seek()),
            None => return attempt_down(w, seek()),
            // Another candidate is a way on.
            Some((_, false)) if target::next(w).map_or(true, |(spec, _)| spec.is(&i.spec)) => {
                let why = Why::NoWayBack(reason);
                return if runs { Wait(why, None) } else { Blocked(why, None) };
            }
            Some(_) => {}
        }
    }
    let ran = i.boots() > 0;
    Do(Step::Mark(i.generation, Box::new(Mark::Failed { reason, step, ran, word: None })))
}

/// The verdict is spoken: the new one goes, the old one runs on its own fork and shows itself.
fn back(w: &World, i: &Intent, verdict: &Verdict) -> Decision {
    let unwanted = unwanted(w).is_some();
    let old = w.record.current.as_ref();
    let (wanted, spare) = match old.map(|o| o.generation) {
        old if unwanted => (None, old),
        old => (old, None),
    };
    if let Some(go) = clear(w, wanted, spare) {
        return go;
    }
    let mut old_is_healthy = true;
    // One that got lost after the verdict must not hold up the next candidate.
    if let Some(old) = old.filter(|old| !unwanted && !is_lost(w, old)) {
        if let Some(up) = bring_up(w, old) {
            return up;
        }
        match w.health {
            Health::Starting => return Wait(Why::Returning, None),
            Health::Healthy | Health::Settled => {}
            Health::Unhealthy | Health::Late { .. } => old_is_healthy = !w.record.proven,
        }
    }
    let word = quarantine::word(w, i, verdict, old_is_healthy);
    let ran = i.boots() > 0;
    let (reason, step) = (verdict.reason.clone(), verdict.step);
    let mark = Mark::Failed { reason, step, ran, word: Some(word) };
    Do(Step::Mark(i.generation, Box::new(mark)))
}
