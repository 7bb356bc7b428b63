//! Requests: what became of the verbs that were taken.
//!
//! Promise: bounded; an unfinished request is never forgotten, of the finished ones the oldest go first.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use titania_core::api::{Problem, RequestState, RequestStatus};
use tokio::sync::watch;

/// Most requests remembered.
pub(super) const REQUESTS_MAX: usize = 256;

#[derive(Debug)]
struct Table {
    /// Tells this run of the agent from others, so that an id is never another's.
    run: String,
    count: u64,
    requests: VecDeque<RequestStatus>,
}

/// Clones share one table.
#[derive(Clone, Debug)]
pub struct Requests {
    table: Rc<RefCell<Table>>,
    changed: Rc<watch::Sender<()>>,
}

impl Default for Requests {
    fn default() -> Self {
        Self::new()
    }
}

impl Requests {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        let started = jiff::Timestamp::now().as_millisecond();
        let run = format!("{started:x}-{:x}", std::process::id());
        let table = Table { run, count: 0, requests: VecDeque::new() };
        Self { table: Rc::new(RefCell::new(table)), changed: Rc::new(watch::Sender::new(())) }
    }

    /// It was begun.
    pub fn running(&self, id: &str) {
        self.set(id, RequestState::Running, None);
    }

    /// It ended well.
    pub fn done(&self, id: &str) {
        self.set(id, RequestState::Done, None);
    }

    /// It ended otherwise.
    pub fn failed(&self, id: &str, problem: Problem) {
        self.set(id, RequestState::Failed, Some(problem));
    }

    /// Opens a request; none when all that are remembered are unfinished.
    pub(super) fn open(&self) -> Option<String> {
        let mut table = self.table.borrow_mut();
        if table.requests.len() >= REQUESTS_MAX {
            let oldest = table.requests.iter().position(|request| is_finished(request.state))?;
            table.requests.remove(oldest);
        }
        table.count += 1;
        let id = format!("{}-{}", table.run, table.count);
        let state = RequestState::Waiting;
        table.requests.push_back(RequestStatus { schema: 1, id: id.clone(), state, error: None });
        Some(id)
    }

    /// Forgets one that was not taken.
    pub(super) fn withdraw(&self, id: &str) {
        self.table.borrow_mut().requests.retain(|request| request.id != id);
        self.changed.send_replace(());
    }

    pub(super) fn get(&self, id: &str) -> Option<RequestStatus> {
        self.table.borrow().requests.iter().find(|request| request.id == id).cloned()
    }

    /// Waits until it is finished, or forgotten.
    pub(super) async fn finished(&self, id: &str) {
        let mut changed = self.changed.subscribe();
        let is_over = || self.get(id).is_none_or(|request| is_finished(request.state));
        let _ = changed.wait_for(|()| is_over()).await;
    }

    fn set(&self, id: &str, state: RequestState, error: Option<Problem>) {
        let mut table = self.table.borrow_mut();
        if let Some(request) = table.requests.iter_mut().find(|request| request.id == id) {
            request.state = state;
            request.error = error;
        }
        drop(table);
        self.changed.send_replace(());
    }
}

fn is_finished(state: RequestState) -> bool {
    matches!(state, RequestState::Done | RequestState::Failed)
}
