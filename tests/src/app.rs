//! An app as a case looks at it: by the agent's word, by the engine's, by its own.

use crate::SOON;
use crate::board::Board;
use crate::container::Container;
use crate::http::Response;
use crate::tree::Tree;
use crate::wait::{wait_between, wait_until};
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Port of the program in the images.
const PORT: u16 = 8080;

/// Steps that come when a new release was started.
const AFTER_START: [&str; 3] = ["probation", "commit", "roll_back"];
/// Between two looks into the agent's log.
const LOG_PAUSE: Duration = Duration::from_millis(2);
/// Between two looks in a probation, which lasts for seconds: an agent has other things to do than to answer.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// One app on a board.
pub struct App<'b> {
    board: &'b Board,
    name: String,
}

impl<'b> App<'b> {
    pub(crate) fn new(board: &'b Board, name: &str) -> Self {
        Self { board, name: name.to_owned() }
    }

    /// The board that it is on.
    pub(crate) fn board(&self) -> &'b Board {
        self.board
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its definition file.
    pub fn file(&self) -> PathBuf {
        let folder = self.board.agent().definitions();
        folder.join(format!("{}.toml", self.name))
    }

    /// Its part of the status document; null when the agent does not know it.
    pub fn status(&self) -> Value {
        self.board.agent().app(&self.name)
    }

    /// Its history, newest first.
    pub fn history(&self) -> Vec<Value> {
        self.board.agent().history(&self.name)
    }

    /// All its containers by the agent's label, running or not, oldest generation first.
    pub fn containers(&self) -> Vec<Container> {
        let mut all = self.board.engine().containers();
        all.retain(|one| one.app().as_deref() == Some(&self.name));
        all.sort_by_key(Container::generation);
        all
    }

    /// Its running containers.
    pub fn running(&self) -> Vec<Container> {
        let mut all = self.containers();
        all.retain(Container::is_running);
        all
    }

    /// The one that runs.
    ///
    /// # Panics
    /// When none or two do.
    #[track_caller]
    pub fn container(&self) -> Container {
        let mut running = self.running();
        let count = running.len();
        match running.pop() {
            Some(one) if count == 1 => one,
            _ => panic!(
                "{} has {count} running containers; all it has: {:?}",
                self.name,
                self.containers().iter().map(|one| (one.name(), one.state())).collect::<Vec<_>>()
            ),
        }
    }

    /// Asks the program in its running container.
    ///
    /// # Errors
    /// As the connection says; `NotFound` when none runs.
    pub fn get(&self, path: &str) -> io::Result<Response> {
        let running = self.running();
        let one = running.first().ok_or(io::ErrorKind::NotFound)?;
        one.get(PORT, path)
    }

    /// The body of a page that must be there.
    #[track_caller]
    pub fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        let answer = answer.unwrap_or_else(|error| panic!("{} {path}: {error}", self.name));
        answer.well(path).text()
    }

    /// A page that is JSON: `/id`, `/env`.
    #[track_caller]
    pub fn page_json(&self, path: &str) -> Value {
        let text = self.page(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The version that its program says it is.
    pub fn version(&self) -> Option<String> {
        Some(self.get("/version").ok()?.text())
    }

    /// Folder of all its volumes.
    pub fn folder(&self) -> PathBuf {
        self.board.agent().volumes().join(&self.name)
    }

    /// Its record.
    pub fn record(&self) -> PathBuf {
        self.board.agent().state().join("apps").join(format!("{}.json", self.name))
    }

    /// A state folder of one fork; `key` as on disk (`/state` is `state`).
    pub fn fork(&self, fork: u64, key: &str) -> PathBuf {
        self.folder().join("state").join(fork.to_string()).join(key)
    }

    /// A data folder.
    pub fn data(&self, key: &str) -> PathBuf {
        self.folder().join("data").join(key)
    }

    /// Content of a state folder of one fork.
    #[track_caller]
    pub fn fork_tree(&self, fork: u64, key: &str) -> Tree {
        Tree::read(&self.fork(fork, key))
    }

    /// The folder that is mounted at `path` in its running container.
    #[track_caller]
    pub fn source(&self, path: &str) -> PathBuf {
        let binds = self.container().binds();
        let source = binds.get(path);
        PathBuf::from(source.unwrap_or_else(|| panic!("nothing is mounted at {path}: {binds:?}")))
    }

    /// `agentctl update`: asks the registry at once.
    #[track_caller]
    pub fn update(&self) {
        self.board.agent().ctl_well(&["update", &self.name]);
    }

    /// Waits until its part of the status document is as wanted, and returns it.
    #[track_caller]
    pub fn wait(&self, what: &str, mut is_so: impl FnMut(&Value) -> bool) -> Value {
        let what = format!("{}: {what}", self.name);
        wait_until(SOON, &what, || {
            let status = self.status();
            match is_so(&status) {
                true => Ok(status),
                false => Err(format!("{status:#}")),
            }
        })
    }

    /// Waits until the agent calls it ok and healthy with nothing under way.
    #[track_caller]
    pub fn wait_ok(&self) -> Value {
        self.wait("to be ok", |app| {
            app["state"] == "ok" && app["health"] == "healthy" && app["update"].is_null()
        })
    }

    /// Waits until it is ok and its program says that it is `version`.
    #[track_caller]
    pub fn wait_version(&self, version: &str) -> Value {
        self.wait(&format!("to be ok with version {version}"), |app| {
            app["state"] == "ok"
                && app["health"] == "healthy"
                && app["update"].is_null()
                && self.version().as_deref() == Some(version)
        })
    }

    /// Waits for a state of the agent's (`blocked`, `degraded`, …).
    #[track_caller]
    pub fn wait_state(&self, state: &str) -> Value {
        self.wait(&format!("to be {state}"), |app| app["state"] == state)
    }

    /// Waits until its reason has this code.
    #[track_caller]
    pub fn wait_reason(&self, code: &str) -> Value {
        self.wait(&format!("to have the reason {code}"), |app| app["reason"]["code"] == code)
    }

    /// Waits until the outcome that ended last is this one and nothing is under way; returns it.
    #[track_caller]
    pub fn wait_outcome(&self, outcome: &str) -> Value {
        let status = self.wait(&format!("to end its update as {outcome}"), |app| {
            app["last"]["outcome"] == outcome && app["update"].is_null()
        });
        status["last"].clone()
    }

    /// Waits until the update to `generation` has ended as `outcome`; returns it.
    #[track_caller]
    pub fn wait_ended(&self, generation: u64, outcome: &str) -> Value {
        let id = format!("{}-g{generation}", self.name);
        let status = self.wait(&format!("{id} to end as {outcome}"), |app| {
            let last = &app["last"];
            app["update"].is_null() && last["id"] == id.as_str() && last["outcome"] == outcome
        });
        status["last"].clone()
    }

    /// Waits until an update is at this step.
    #[track_caller]
    pub fn wait_step(&self, step: &str) -> Value {
        self.wait(&format!("to be at step {step}"), |app| app["update"]["step"] == step)
    }

    /// Returns as soon as an update of this app is seen at `step`; looks often, since some steps are
    /// short. False: the step went by unseen.
    #[track_caller]
    pub fn is_caught_at(&self, step: &str) -> bool {
        let last = self.status()["last"].clone();
        if step == "fork" {
            return self.is_caught_forking(last["generation"].as_u64().unwrap_or(0));
        }
        let last_before = last["id"].clone();
        let begun = Instant::now();
        // Hit, passed by unseen, or neither yet; and whether a probation is on.
        let look = || {
            let status = self.status();
            let now = &status["update"]["step"];
            let is_probation = now == "probation";
            let is_past = is_probation && !AFTER_START.contains(&step);
            let has_ended = !status.is_null() && status["last"]["id"] != last_before;
            let is_hit = (now == step).then_some(true);
            (is_hit.or((is_past || has_ended).then_some(false)), is_probation)
        };
        loop {
            match look() {
                (Some(is_hit), _) => return is_hit,
                (None, true) => break,
                (None, false) => {}
            }
            let passed = begun.elapsed();
            assert!(passed < SOON, "{}: no update in {passed:?}", self.name);
        }
        wait_between(SOON, LOOK_PAUSE, &format!("{} to be at {step}", self.name), || look().0)
    }

    /// A fork takes some milliseconds, too few to be seen in the status document: the agent's log tells of it, with
    /// [`crate::Agent::log_steps`]. `last` is the generation of the update before.
    #[track_caller]
    fn is_caught_forking(&self, last: u64) -> bool {
        let begins = format!("{}: fork g", self.name);
        wait_between(SOON, LOG_PAUSE, &format!("{} to fork", self.name), || {
            let log = self.board.agent().log();
            let numbers = log.lines().filter_map(|line| line.split_once(&begins)?.1.parse().ok());
            numbers.max().is_some_and(|number: u64| number > last)
        });
        true
    }

    /// SIGKILL for the agent as soon as an update of this app is seen at `step`. Returns whether it
    /// was hit, see [`App::is_caught_at`].
    #[track_caller]
    pub fn kill_agent_at(&self, step: &str) -> bool {
        let is_caught = self.is_caught_at(step);
        if is_caught {
            self.board.agent().kill();
        }
        is_caught
    }
}
