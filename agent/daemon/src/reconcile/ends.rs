//! Ends of which the engine does not tell: after a crash of containerd it calls a dead process running, for ever.
//!
//! Promise: of each app that runs, the first process is watched by the kernel's own word (a pidfd); when it has ended
//! and the engine has told nothing for a while, the app is looked at. Nothing is asked meanwhile.
//! Trusts: the kernel. Where it can't tell (an engine in another pid namespace, Linux before 5.3) probes and the look
//! at everything, each five minutes, remain.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use titania_core::names::{AppName, StartedAt};
use tokio::task::JoinHandle;

use super::agent::Agent;
use crate::engine::{FirstProcess, Seen};

/// An engine that tells of an end does it within this time: 26.1 some 250 ms after, a busy board ten times that.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// What is watched.
#[derive(Debug, Default)]
pub struct Ends(RefCell<BTreeMap<AppName, Watched>>);

#[derive(Debug)]
struct Watched {
    pid: u32,
    started_at: Option<StartedAt>,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Watches the process of an app's running container, or none. The same one again goes on.
pub fn watch(agent: &Rc<Agent>, app: &AppName, seen: Option<&Seen>) {
    let mut watched = agent.ends.0.borrow_mut();
    let process = seen.and_then(|seen| Some((seen.pid?, &seen.started_at)));
    let Some((pid, started_at)) = process else {
        watched.remove(app);
        return;
    };
    let is_same = |old: &Watched| old.pid == pid && old.started_at == *started_at;
    if watched.get(app).is_some_and(is_same) {
        return;
    }
    watched.remove(app);
    if let Some(process) = agent.engine.first_process(pid) {
        let task = tokio::task::spawn_local(wait(Rc::clone(agent), app.clone(), process));
        watched.insert(app.clone(), Watched { pid, started_at: started_at.clone(), task });
    }
}

async fn wait(agent: Rc<Agent>, name: AppName, process: FirstProcess) {
    process.ended().await;
    // What the engine tells of leads to a look, and that ends this watch.
    tokio::time::sleep(TOLD_WITHIN).await;
    if let Some(app) = agent.app(&name) {
        log::info!("{name}: its process has ended, and the engine does not say so");
        app.is_stale();
    }
}
