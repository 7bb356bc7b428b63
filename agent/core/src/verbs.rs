//! What an operator may ask of an app, as changes of its record.

use alloc::string::{String, ToString};

use crate::api::{Options, Verb};
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
    if verb != Verb::Rollback && options != Options::default() {
        return refused("only rollback has options", "leave --old-state and --keep-state out");
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
        Verb::Start => w.record.stopped.is_some().then_some(Change::Start),
        Verb::Rollback => Some(go_back(w, options, by)?),
    })
}

fn go_back(w: &World, options: Options, by: &str) -> Result<Change, Refused> {
    if let Some(i) = &w.record.intent {
        let message = alloc::format!("an update to generation {} is under way", i.generation);
        return refused(message, "agentctl stop ends it; or wait for its outcome");
    }
    if w.wanted.is_none() {
        return refused("its definition is gone", "put its file back into apps.d");
    }
    if w.record.stopped.is_some() {
        return refused("it is stopped", "agentctl start comes first");
    }
    let Some(previous) = &w.record.previous else {
        return refused("there is no previous release", "agentctl history shows what ran");
    };
    let has_state = !previous.spec.definition.shape.volumes.state.is_empty()
        || current(w).is_some_and(|c| !c.spec.definition.shape.volumes.state.is_empty());
    let old_state = match (options.old_state, options.keep_state) {
        (true, true) => {
            return refused("--old-state and --keep-state exclude each other", "give one");
        }
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
