//! Requests to the agent and their answers: control socket and MQTT alike.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

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
}

impl Verb {
    /// The word as it stands in paths.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Rollback => "rollback",
            Self::Retry => "retry",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Adopt => "adopt",
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
