//! Control: HTTP/JSON over a Unix socket (DESIGN §7).
//!
//! Promise: reads answer from what is already in memory, whatever the engine, the disk or the network do. A verb is
//! handed to `reconcile` and nowhere else; only root, the agent's own user and members of one named group may use one.
//! Trusts: the peer's uid as the kernel tells it. Distrusts: every byte that a peer sends, its pace, and how many come.

mod answer;
mod events;
mod pace;
mod peer;
mod query;
mod requests;
mod routes;
mod server;
mod socket;
mod stream;
mod verb;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use titania_core::api::{Options, Problem, Verb};
use titania_core::names::AppName;
use titania_core::outcome::Outcome;
use titania_core::status::Status;
use titania_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

pub use events::EventRing;
pub use requests::Requests;
pub use server::serve;
pub use socket::{SocketError, listen};

/// Verbs on their way to `reconcile`, which takes each at once: more than so many come from a loop gone wild.
pub const COMMANDS_MAX: usize = 16;

/// One verb, already parsed, allowed, and about an app that the status document knows. `reconcile` answers whether it
/// is taken, and tells [`Requests`] how it goes on under `id`.
#[derive(Debug)]
pub struct Command {
    /// Id of the request, already in the table as `waiting`.
    pub id: String,
    /// App; none for `adopt`, which concerns the board.
    pub app: Option<AppName>,
    /// What.
    pub verb: Verb,
    /// How.
    pub options: Options,
    /// Who: `uid:1000`.
    pub by: String,
    /// Taken, or why not. Dropped without an answer it counts as "not now".
    pub answer: oneshot::Sender<Result<(), Problem>>,
}

/// What of the history is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of one app; of all where none.
    pub app: Option<AppName>,
    /// At most so many, newest first.
    pub limit: usize,
    /// Ended before this.
    pub before: Option<Timestamp>,
}

/// Answer of [`ReadHistory`].
pub type HistoryAnswer = Pin<Box<dyn Future<Output = Result<Vec<Outcome>, Problem>>>>;

/// Reads history for the server; given by `reconcile`, which knows where it lies.
pub type ReadHistory = Rc<dyn Fn(HistoryQuery) -> HistoryAnswer>;

/// What the server needs of the rest of the agent.
#[derive(Clone)]
pub struct Control {
    /// The newest status document; its `at` is set to the time of the answer.
    pub status: watch::Receiver<Rc<Status>>,
    /// History.
    pub history: ReadHistory,
    /// Newest events.
    pub events: EventRing,
    /// Requests.
    pub requests: Requests,
    /// Where verbs go: a channel of [`COMMANDS_MAX`].
    pub commands: mpsc::Sender<Command>,
    /// Group whose members may use verbs, besides root.
    pub operators: Option<String>,
}

/// A problem document (RFC 9457) with one of the words of DESIGN §7 as its code.
#[must_use]
pub fn problem(status: u16, code: &str, title: &str, detail: String, hint: &str) -> Problem {
    Problem { title: title.into(), status, detail, code: code.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests;
