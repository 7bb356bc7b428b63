//! Control: HTTP/JSON over a Unix socket (DESIGN §7).
//!
//! Promise: reads answer from what is already in memory, whatever the engine, the disk or the network do. A verb is
//! handed to `reconcile` and nowhere else; only root, the agent's own user and members of a named group may use one.
//! Trusts: the peer's uid as the kernel tells it. Distrusts: every byte that a peer sends, its pace, and how many come.

mod events;
mod http;
mod peer;
mod requests;
mod routes;
mod socket;

pub use events::EventRing;
pub use requests::Requests;
pub use socket::{SocketError, listen};

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use titania_core::api::{Options, Problem, Verb};
use titania_core::names::AppName;
use titania_core::outcome::Outcome;
use titania_core::status::Status;
use titania_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

/// One verb, already parsed, allowed and about an app that the status document knows. `reconcile` answers whether it is
/// taken, and tells `Requests` how it goes on under `id`.
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
    /// Taken, or why not. Dropped unanswered: 503.
    pub answer: oneshot::Sender<Result<(), Problem>>,
}

/// What of the history is asked for.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Of one app; of all where none.
    pub app: Option<AppName>,
    /// At most so many, newest first.
    pub limit: usize,
    /// Ended before this.
    pub before: Option<Timestamp>,
}

/// Reads history for the server; given by `reconcile`, which knows the store.
pub type ReadHistory =
    Rc<dyn Fn(HistoryQuery) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, Problem>>>>>;

/// What the server needs of the rest of the agent.
#[derive(Clone)]
pub struct Control {
    /// The newest status document; its `at` is set to `now` in each answer.
    pub status: watch::Receiver<Rc<Status>>,
    /// History.
    pub history: ReadHistory,
    /// Newest events.
    pub events: EventRing,
    /// Requests.
    pub requests: Requests,
    /// Where verbs go.
    pub commands: mpsc::Sender<Command>,
    /// Groups whose members may use verbs, besides root.
    pub operators: Vec<String>,
}

/// Serves until the future is dropped.
pub async fn serve(listener: tokio::net::UnixListener, control: Control);

// requests.rs
impl Requests {
    pub fn new() -> Self;
    pub fn running(&self, id: &str);
    pub fn done(&self, id: &str);
    pub fn failed(&self, id: &str, problem: Problem);
}
// events.rs
impl EventRing {
    pub fn new() -> Self;
    pub fn push(&self, event: &Event);
}
// socket.rs
/// Makes the folder, removes a stale socket, binds 0660 root:<group> if that group exists.
pub fn listen(path: &std::path::Path, group: &str) -> Result<tokio::net::UnixListener, SocketError>;
