//! Requests to the agent and their answers: control socket and MQTT alike.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::names::Generation;
use crate::outcome::Outcome;

/// What can be asked of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Ask the registry at once, and take what is there.
    Update,
    /// Go back to the previous release.
    Rollback,
    /// Forget the quarantine and the back-off, try again.
    Retry,
    /// Stop it and keep it stopped.
    Stop,
    /// Start it again.
    Start,
    /// Settle whose board this is.
    Adopt,
    /// Go on with a copy of the state, so that the state as it is now is kept.
    Snapshot,
    /// Run on a copy of a kept fork.
    Restore,
    /// Delete the app with all its volumes.
    Purge,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Update,
        Self::Rollback,
        Self::Retry,
        Self::Stop,
        Self::Start,
        Self::Adopt,
        Self::Snapshot,
        Self::Restore,
        Self::Purge,
    ];

    /// The word as it stands in paths.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Retry => "retry",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Adopt => "adopt",
            Self::Snapshot => "snapshot",
            Self::Restore => "restore",
            Self::Purge => "purge",
        }
    }
}

/// Options of a verb, by their long flag names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// Of `rollback`: with the state as the previous release left it.
    pub old_state: bool,
    /// Of `rollback`: with today's state.
    pub keep_state: bool,
    /// Of `restore`: the fork to be copied; needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork: Option<Generation>,
    /// Of `purge`: it is meant; needed, so that nothing is deleted by a slip.
    #[serde(skip_serializing_if = "is_no")]
    pub yes: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_no(yes: &bool) -> bool {
    !yes
}

impl Options {
    /// Whether these are options of that verb.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn fit(self, verb: Verb) -> Result<(), &'static str> {
        let is_of_rollback = verb == Verb::Rollback || !(self.old_state || self.keep_state);
        if !is_of_rollback {
            return Err("old-state and keep-state are options of rollback alone");
        }
        match (verb, self.fork, self.yes) {
            _ if self.old_state && self.keep_state => {
                Err("old-state and keep-state exclude each other: give one")
            }
            (Verb::Restore, Some(_), false) | (Verb::Purge, None, true) => Ok(()),
            (Verb::Restore, None, _) => Err("restore needs the number of a fork"),
            (Verb::Purge, _, false) => Err("purge deletes for good: it needs yes"),
            (_, None, false) => Ok(()),
            (_, Some(_), _) => Err("fork is an option of restore alone"),
            (_, _, true) => Err("yes is an option of purge alone"),
        }
    }
}

/// State of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Not begun.
    Waiting,
    /// Under way.
    Running,
    /// Ended well.
    Done,
    /// Ended otherwise.
    Failed,
}

/// `GET /v1/requests/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestStatus {
    /// 1.
    pub schema: u32,
    /// Its id.
    pub id: String,
    /// State.
    pub state: RequestState,
    /// Why it failed.
    pub error: Option<Problem>,
}

/// Answer to a verb: 202.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Id to ask for.
    pub id: String,
}

/// An error as RFC 9457 `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Short summary (RFC 9457 §3.1.3).
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What and why.
    pub detail: String,
    /// A reason's code, or `unknown_app`, `not_allowed`, `bad_request`.
    pub code: String,
    /// What to do; empty when there is nothing.
    pub hint: String,
}

/// `GET /v1/history`: newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// 1.
    pub schema: u32,
    /// Lines.
    pub outcomes: Vec<Outcome>,
}
