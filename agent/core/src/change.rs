//! Changes of the record: pure, each from one whole record to the next.

use alloc::vec::Vec;

use crate::fork::{Mark, Word};
use crate::names::{AppName, BootId, Generation};
use crate::outcome::{Ending, Outcome, StepTime, Trigger};
use crate::quarantine;
use crate::reason::{Class, Reason};
use crate::record::{
    AGENT, Committed, Intent, Probation, Quarantined, Record, Refused, Stopped, Tries,
};
use crate::spec::Spec;
use crate::status::StepName;
use crate::step::{Change, Refusal};
use crate::time::{Millis, Moment, Timestamp};

/// What only the executor knows when it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The app.
    pub app: AppName,
    /// Wall clock.
    pub at: Timestamp,
    /// Boot clock.
    pub now: Moment,
    /// This boot.
    pub boot: BootId,
    /// Mark in the file of the intent's fork.
    pub mark: Option<Mark>,
    /// Durations of the update's steps, as far as this run saw them.
    pub steps: Vec<StepTime>,
    /// How long the app was down; null when that is not known.
    pub down_ms: Option<Millis>,
}

/// Entries kept of quarantine and refusals: each is one line of text in every record written.
const KEPT_MAX: usize = 32;

/// The record after `change`. A change that does not fit the record leaves it as it is.
#[must_use]
pub fn apply(record: &Record, change: &Change, stamp: &Stamp) -> Record {
    let mut new = record.clone();
    match change {
        Change::Begin(intent) => begin(&mut new, intent, stamp),
        Change::GoBack(intent, left) => {
            begin(&mut new, intent, stamp);
            new.left = *left;
        }
        Change::Resolve(spec) => {
            if let Some(intent) = &mut new.intent {
                intent.spec = spec.clone();
            }
        }
        Change::Boots { boots, boot } => {
            if let Some(intent) = &mut new.intent {
                let elapsed = intent.probation.as_ref().map_or(Millis(0), |p| elapsed(p, stamp));
                let (boot_id, since) = (boot.clone(), stamp.now);
                intent.probation =
                    Some(Probation { boot_id, boots: *boots, elapsed_ms: elapsed, since });
            }
        }
        Change::Verdict(verdict) => {
            if let Some(intent) = &mut new.intent {
                intent.verdict = Some(verdict.clone());
            }
        }
        Change::Conclude => conclude(&mut new, stamp),
        Change::Abandon(reason) => {
            if let Some(i) = new.intent.take() {
                let reason = Some(reason.clone());
                new.last = Some(line(&new, &i, Ending::Abandoned, reason, StepName::Wait, stamp));
            }
        }
        Change::Refuse(refusal) => refuse(&mut new, refusal, stamp),
        Change::Proven => new.proven = true,
        Change::Repaired(began) => repaired(&mut new, *began, stamp),
        Change::Rebuild(rebuilt) => {
            new.current.clone_from(&rebuilt.current);
            new.previous.clone_from(&rebuilt.previous);
            new.intent.clone_from(&rebuilt.intent);
            new.quarantine.clone_from(&rebuilt.quarantine);
            new.proven = false;
        }
        Change::Stop(by) => new.stopped = Some(Stopped { by: by.clone(), at: stamp.at }),
        Change::Start => new.stopped = None,
        Change::Purge(by) => {
            new.purge = Some(Stopped { by: by.clone(), at: stamp.at });
            new.intent = None; // what it was for goes, too
        }
        Change::Purged => {
            let (stopped, numbers) = (new.stopped.take(), new.numbers);
            new = Record { stopped, numbers, ..Record::default() };
        }
        Change::Retry => {
            new.quarantine.clear();
            new.refused.clear();
            new.tries = None;
            new.left = None;
            new.hold.take_if(|hold| hold.by == AGENT);
        }
        Change::Hold(hold) => {
            if hold.as_ref().is_some_and(|hold| hold.by == AGENT) {
                new.held = new.current.as_ref().map(|c| c.generation);
            }
            new.hold.clone_from(hold);
        }
        Change::Moved => new.left = None,
    }
    new
}

fn begin(new: &mut Record, intent: &Intent, stamp: &Stamp) {
    new.numbers = new.numbers.max(intent.generation);
    new.intent = Some(Intent { started_at: stamp.at, ..intent.clone() });
}

/// Time spent in a probation so far, as far as its boots were seen.
pub fn elapsed(p: &Probation, stamp: &Stamp) -> Millis {
    let here = if p.boot_id == stamp.boot { stamp.now.since(p.since) } else { Millis(0) };
    Millis(p.elapsed_ms.0.saturating_add(here.0))
}

/// Ends the intent as its fork's mark says.
fn conclude(new: &mut Record, stamp: &Stamp) {
    let Some(i) = new.intent.take() else { return };
    match &stamp.mark {
        Some(Mark::Committed { count }) => {
            new.last = Some(line(new, &i, Ending::Committed, None, StepName::Commit, stamp));
            let (generation, spec) = (i.generation, i.spec.clone());
            let current = Committed { generation, count: *count, spec, at: stamp.at };
            new.proven = new.current.is_some() && i.spec.definition.update.rollback;
            // After a snapshot or a restore the release before is the one it was.
            let is_same = runs(new, &i.spec);
            let before = new.current.replace(current);
            if !is_same {
                new.previous = before;
            }
            new.tries = None;
            new.quarantine.retain(|q| !quarantine::is_for(q, &i.spec)); // an operator took it all the same
            new.hold.take_if(|hold| hold.by == AGENT);
        }
        Some(Mark::Failed { reason, step, word: Some(word), .. }) => {
            new.last = Some(line(new, &i, word.outcome, Some(reason.clone()), *step, stamp));
            count(new, &i.spec, reason, *step, *word);
            if word.quarantined {
                quarantine(new, &i.spec, reason, stamp.at);
            }
        }
        _ => new.intent = Some(i), // the mark went away again: nothing is concluded
    }
}

/// Whether a specification is that of the current release.
fn runs(record: &Record, spec: &Spec) -> bool {
    record.current.as_ref().is_some_and(|current| current.spec.is(spec))
}

/// Counts a try that did not end well; of the release that is current it was its state that was tried.
fn count(new: &mut Record, spec: &Spec, reason: &Reason, step: StepName, word: Word) {
    let Some(config) = spec.release.config.filter(|_| !runs(new, spec)) else {
        return;
    };
    let fresh = Tries { config, definition: spec.hash, named: 0, ambiguous: 0, victims: 0 };
    let mut tries = new.tries.take().filter(|t| quarantine::is_of(t, spec)).unwrap_or(fresh);
    match reason.class {
        Class::Operator => {}
        _ if !word.old_is_healthy => tries.victims = tries.victims.saturating_add(1),
        Class::Environment if quarantine::is_ambiguous(reason, step) => {
            tries.ambiguous = tries.ambiguous.saturating_add(1);
        }
        _ => tries.named = tries.named.saturating_add(1),
    }
    new.tries = Some(tries);
}

fn quarantine(new: &mut Record, spec: &Spec, reason: &Reason, at: Timestamp) {
    let Some(config) = spec.release.config else {
        return;
    };
    let (definition, tag) = (spec.hash, spec.release.tag.clone());
    keep(new, Quarantined { config, definition, tag, reason: reason.clone(), at });
}

fn keep(new: &mut Record, entry: Quarantined) {
    let is_same = |q: &Quarantined| q.config == entry.config && q.definition == entry.definition;
    if new.quarantine.iter().any(is_same) {
        return;
    }
    new.quarantine.push(entry);
    let surplus = new.quarantine.len().saturating_sub(KEPT_MAX);
    new.quarantine.drain(..surplus);
}

/// Refuses a candidate: one line of history, and never again by itself.
fn refuse(new: &mut Record, refusal: &Refusal, stamp: &Stamp) {
    let release = &refusal.release;
    let digest = release.config.or(release.index).or(release.manifest);
    let intent = new.intent.take();
    let short = digest.map(|d| d.short()).unwrap_or_default();
    new.last = Some(Outcome {
        schema: 1,
        id: alloc::format!("{}-{short}", stamp.app),
        app: stamp.app.clone(),
        generation: intent.as_ref().map(|i| i.generation),
        trigger: intent.as_ref().map_or(Trigger::Tag, |i| i.trigger),
        by: intent.as_ref().and_then(|i| i.by.clone()),
        from: new.current.as_ref().map(|c| c.spec.release.clone()),
        to: Some(release.clone()),
        boot_id: stamp.boot.clone(),
        started_at: intent.as_ref().map_or(stamp.at, |i| i.started_at),
        ended_at: stamp.at,
        outcome: Ending::Refused,
        reason: Some(refusal.reason.clone()),
        step: if intent.is_some() { StepName::Inspect } else { StepName::Resolve },
        down_ms: Some(Millis(0)),
        snapshot: None,
        steps: stamp.steps.clone(),
    });
    let Some(digest) = digest else { return };
    if refusal.reason.class == Class::Release && release.config.is_some() {
        let tag = release.tag.clone();
        let (definition, reason, at) = (refusal.definition, refusal.reason.clone(), stamp.at);
        keep(new, Quarantined { config: digest, definition, tag, reason, at });
    } else {
        let (definition, code) = (refusal.definition, refusal.reason.code);
        let inspected = intent.is_some();
        new.refused.retain(|r| r.digest != digest || r.definition != definition);
        new.refused.push(Refused { digest, definition, code, inspected });
        let surplus = new.refused.len().saturating_sub(KEPT_MAX);
        new.refused.drain(..surplus);
    }
}

/// A line of history for an image that was fetched again: same generation, same fork, no probation (§3.6).
fn repaired(new: &mut Record, began: Timestamp, stamp: &Stamp) {
    let Some(current) = &new.current else { return };
    let release = Some(current.spec.release.clone());
    new.last = Some(Outcome {
        schema: 1,
        // One generation may be repaired more than once.
        id: alloc::format!("{}-repair-{}", stamp.app.container(current.generation), stamp.at.0),
        app: stamp.app.clone(),
        generation: Some(current.generation),
        trigger: Trigger::Repair,
        by: None,
        from: release.clone(),
        to: release,
        boot_id: stamp.boot.clone(),
        started_at: began,
        ended_at: stamp.at,
        outcome: Ending::Committed,
        reason: None,
        step: StepName::Commit,
        down_ms: None,
        snapshot: None,
        steps: stamp.steps.clone(),
    });
}

fn line(
    record: &Record,
    i: &Intent,
    outcome: Ending,
    reason: Option<Reason>,
    step: StepName,
    stamp: &Stamp,
) -> Outcome {
    let left: Option<Generation> = match outcome {
        Ending::Committed => record.current.as_ref().map(|c| c.generation),
        Ending::RolledBack | Ending::Inconclusive if i.boots() > 0 => Some(i.generation),
        _ => None,
    };
    Outcome {
        schema: 1,
        id: stamp.app.container(i.generation),
        app: stamp.app.clone(),
        generation: Some(i.generation),
        trigger: i.trigger,
        by: i.by.clone(),
        from: record.current.as_ref().map(|c| c.spec.release.clone()),
        to: Some(i.spec.release.clone()),
        boot_id: stamp.boot.clone(),
        started_at: i.started_at,
        ended_at: stamp.at,
        outcome,
        reason,
        step,
        down_ms: stamp.down_ms,
        snapshot: left,
        steps: stamp.steps.clone(),
    }
}
