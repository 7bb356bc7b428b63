//! What an operator may ask of an app, as changes of its record.

use alloc::string::{String, ToString};

use crate::api::{Options, Verb};
use crate::fork::Fork;
use crate::names::Generation;
use crate::outcome::Trigger;
use crate::record::{Committed, Intent};
use crate::step::Change;
use crate::target;
use crate::world::World;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub message: String,
    /// What to do instead.
    pub hint: String,
}

fn refused<T>(message: impl ToString, hint: impl ToString) -> Result<T, Refused> {
    Err(Refused { message: message.to_string(), hint: hint.to_string() })
}

/// The change that a verb makes, `None` when the record stays (the registry is asked at once).
///
/// # Errors
/// [`Refused`], with the record as it was.
pub fn change(
    w: &World,
    verb: Verb,
    options: Options,
    by: &str,
) -> Result<Option<Change>, Refused> {
    if let Err(wrong) = options.fit(verb) {
        return refused(wrong, "agentctl help shows which options a verb has");
    }
    Ok(match verb {
        Verb::Update if w.wanted.is_none() => {
            return refused("its definition is gone", "put its file back into apps.d");
        }
        Verb::Update | Verb::Adopt => None,
        Verb::Retry => Some(Change::Retry),
        Verb::Stop => w.record.stopped.is_none().then(|| Change::Stop(by.to_string())),
        Verb::Start if w.wanted.is_none() => {
            return refused("its definition is gone", "put its file back into apps.d");
        }
        Verb::Start if w.record.purge.is_some() => {
            return refused("it is being deleted", "agentctl status shows when that is done");
        }
        Verb::Start => w.record.stopped.is_some().then_some(Change::Start),
        Verb::Rollback => Some(go_back(w, options, by)?),
        Verb::Snapshot => Some(snapshot(w, by)?),
        Verb::Restore => Some(restore(w, options.fork.unwrap_or_default(), by)?),
        Verb::Purge if w.record.purge.is_some() => None,
        Verb::Purge if w.wanted.is_some() && w.record.stopped.is_none() => {
            return refused("it is defined, and not stopped", "agentctl stop comes first");
        }
        Verb::Purge => Some(Change::Purge(by.to_string())),
    })
}

/// Whether the app may be sent through an update by an operator.
fn is_ready(w: &World) -> Result<(), Refused> {
    if let Some(i) = &w.record.intent {
        let message = alloc::format!("an update to generation {} is under way", i.generation);
        return refused(message, "agentctl stop ends it; or wait for its outcome");
    }
    if w.wanted.is_none() {
        return refused("its definition is gone", "put its file back into apps.d");
    }
    if w.record.stopped.is_some() || w.record.purge.is_some() {
        return refused("it is stopped", "agentctl start comes first");
    }
    Ok(())
}

fn go_back(w: &World, options: Options, by: &str) -> Result<Change, Refused> {
    is_ready(w)?;
    let Some(previous) = &w.record.previous else {
        return refused("there is no previous release", "agentctl history shows what ran");
    };
    let has_state = !previous.spec.definition.shape.volumes.state.is_empty()
        || current(w).is_some_and(|c| !c.spec.definition.shape.volumes.state.is_empty());
    let old_state = match (options.old_state, options.keep_state) {
        (false, false) if has_state => {
            return refused(
                "its state has moved on since the previous release: say which to use",
                "--keep-state runs it on a copy of today's state; --old-state on the state it left, and leaves today's writes behind in a snapshot",
            );
        }
        (old, _) => old,
    };
    let fork = w.fork(previous.generation);
    if old_state && !fork.is_some_and(|f| f.is_complete() && f.failed().is_none()) {
        return refused(
            "the state that the previous release left is no longer whole",
            "use --keep-state",
        );
    }
    let mut intent = target::intent(w, previous.spec.clone(), Trigger::Operator);
    intent.by = Some(by.to_string());
    if old_state {
        intent = Intent { generation: previous.generation, parent: None, old_state, ..intent };
    }
    let left = current(w).and_then(|c| c.spec.release.config);
    Ok(Change::GoBack(intent, left))
}

fn current(w: &World) -> Option<&Committed> {
    w.record.current.as_ref()
}

/// The app goes on with a copy of its state; what it has now is kept as it is.
fn snapshot(w: &World, by: &str) -> Result<Change, Refused> {
    if w.keep == 0 {
        return refused(
            "it would be removed at once: [disk] keep is 0 in agent.toml",
            "set [disk] keep to how many copies shall be kept",
        );
    }
    let fork = current(w).map(|c| c.generation).unwrap_or_default();
    copy_of(w, fork, by)
}

/// The current release goes on with a copy of a kept fork; what it has now is kept as it is.
fn restore(w: &World, fork: Generation, by: &str) -> Result<Change, Refused> {
    if current(w).is_some_and(|c| c.generation == fork) {
        return refused(
            alloc::format!("fork {fork} is the one in use"),
            "agentctl snapshot keeps it as it is now",
        );
    }
    copy_of(w, fork, by)
}

/// An update with the same release, and another fork than today's where it is not that one.
fn copy_of(w: &World, fork: Generation, by: &str) -> Result<Change, Refused> {
    is_ready(w)?;
    let Some(current) = current(w) else {
        return refused("nothing is installed yet", "agentctl status shows what it waits for");
    };
    if current.spec.definition.shape.volumes.state.is_empty() {
        return refused(
            "it has no state: nothing of it is ever copied",
            "name its folders as state, under [volumes] in its definition",
        );
    }
    if !w.fork(fork).is_some_and(Fork::is_complete) {
        return refused(
            alloc::format!("there is no fork {fork}"),
            "agentctl snapshots lists those that are kept",
        );
    }
    let intent = target::intent(w, current.spec.clone(), Trigger::Operator);
    let intent = Intent { parent: Some(fork), by: Some(by.to_string()), ..intent };
    Ok(Change::GoBack(intent, w.record.left))
}
