//! What the agent keeps in memory of one app.
//!
//! Promise: all of it may be lost at any instant: what must outlive a restart lies in the record and in the
//! forks' marks. Nothing here is borrowed across an `await`.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use titania_core::definition::Definition;
use titania_core::digest::Digest;
use titania_core::fork::Fork;
use titania_core::names::{AppName, Generation};
use titania_core::outcome::StepTime;
use titania_core::reason::{Code, Reason};
use titania_core::record::Record;
use titania_core::status::{AppStatus, Progress, Snapshot, StepName};
use titania_core::step::Decision;
use titania_core::time::{Millis, Moment};
use titania_core::world::{Candidate, Evidence, RecordFrom, World};
use tokio::sync::Notify;

use super::news::Block;
use super::perform::Early;
use super::requests::Taken;
use super::{backoff, orphans};
use crate::engine::Seen;

mod over;

/// So many restarts by the engine within [`CRASH_LOOP_SPAN`] are a crash loop (DESIGN §3.5).
pub const CRASH_LOOP_EXITS: usize = 3;
/// See [`CRASH_LOOP_EXITS`].
pub const CRASH_LOOP_SPAN: Millis = Millis::seconds(600);

/// One app.
#[derive(Debug)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// Woken when something may have changed.
    pub wake: Notify,
    /// Told when a request waits: a download may have to give way to it.
    pub asked: Notify,
    /// What is known of it.
    pub memory: RefCell<Memory>,
}

/// A definition in force.
#[derive(Clone)]
pub struct InForce {
    /// The definition.
    pub definition: Arc<Definition>,
    /// Its hash.
    pub hash: Digest,
    /// Its file.
    pub file: String,
    /// Was its env file read with it?
    pub has_env: bool,
    /// What that holds. Values never leave the board.
    pub env: BTreeMap<String, String>,
}

/// What is known of one app.
#[derive(Debug)]
pub struct Memory {
    /// The definition in force; null when its file is gone, or was never good.
    pub definition: Option<InForce>,
    /// Its file as it lies there, good or bad; null when it is gone.
    pub file: Option<String>,
    /// Why the file as it is now does not count.
    pub file_error: Option<Reason>,
    /// The record, written through.
    pub record: Record,
    /// Where it came from.
    pub record_from: RecordFrom,
    /// Why this app as a whole is left alone: a record or fork of a newer agent.
    pub untouchable: Option<Reason>,
    /// What the track points at, as last heard.
    pub candidate: Candidate,
    /// A candidate that is too young, and when it is old enough.
    pub young_until: Option<Moment>,
    /// What this run did and saw.
    pub evidence: Evidence,
    /// Whether something of its containers runs without the engine's knowledge.
    pub orphans: orphans::Looked,
    /// The generation whose image was looked into last for an end of its container, and when.
    pub looked: Option<(Generation, Moment)>,
    /// How often each step failed in a row.
    pub failures: BTreeMap<(Generation, StepName), u32>,
    /// Steps in a row whose answer was lost.
    pub unsure: u32,
    /// A write or a pruning that failed: no other is made before.
    pub pause: Option<Pause>,
    /// When the answer of the registry to "is it still there" is forgotten.
    pub sought_until: Option<Moment>,
    /// How often that was asked in vain.
    pub sought_count: u32,
    /// The copy that was made while the old container was being stopped: for the step that follows at once.
    pub early: Option<Early>,
    /// Since when the engine has not ended a container that it was told to stop.
    pub stopping: Option<(String, Moment)>,
    /// The container whose end was told to hang: once, not at each try.
    pub stuck: Option<String>,
    /// The last look at the world; null when it must be looked at afresh.
    pub seen: Option<Look>,
    /// How often it was told that something happened: a look that began before the last one is old.
    pub stale: u64,
    /// Something happened while the last look was made.
    pub is_overtaken: bool,
    /// When a look at shut gates, or at something that tells nobody of its change, is due.
    pub look_again: Option<Moment>,
    /// When the shut gate opens by itself, where that is known.
    pub gate_opens: Option<Moment>,
    /// Requests that were taken and not carried out yet.
    pub requests: VecDeque<Taken>,
    /// Ids of those that end with the update they began, of that number.
    pub ending: Vec<(String, Generation)>,
    /// Ids of those that wait until the app is deleted.
    pub purging: Vec<String>,
    /// Ids of those whose question the registry has answered: they end with what is decided on it.
    pub answered: Vec<String>,
    /// The world of the last round.
    pub world: Option<World>,
    /// What was decided of it.
    pub decision: Option<Decision>,
    /// Durations of the steps of the update under way.
    pub steps: Vec<StepTime>,
    /// How long the app has been down in the update under way.
    pub down: Down,
    /// Download under way.
    pub progress: Option<Progress>,
    /// The last image whose download met the reserve.
    pub outgrown: Option<Outgrown>,
    /// Images that the engine would not remove, and until when they are left alone.
    pub in_use: BTreeMap<Generation, Moment>,
    /// Forks in which something is mounted, and until when they are left alone.
    pub mounted: BTreeMap<Generation, Moment>,
    /// Exits that nobody asked for, of one generation, the newest last.
    pub exits: VecDeque<(Generation, Moment)>,
    /// Restarts in a row that no policy of the engine makes.
    pub restarts: u32,
    /// What is odd but stops nothing, by code.
    pub warnings: BTreeMap<Code, Reason>,
    /// Kept forks, as last measured.
    pub snapshots: Vec<Snapshot>,
    /// Sizes of forks that no longer change.
    pub sizes: BTreeMap<Generation, u64>,
    /// The block that was told and is not over.
    pub blocked: Option<Block>,
    /// Its part of the status document, as last made.
    pub status: Option<AppStatus>,
}

/// A write that failed.
#[derive(Clone, Debug)]
pub struct Pause {
    /// Why.
    pub reason: Reason,
    /// Until when.
    pub until: Moment,
    /// How often in a row.
    pub count: u32,
}

/// An image that takes more room than was thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgrown {
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Bytes that its download had taken when it met the reserve.
    pub bytes: u64,
    /// Until when that counts: others may have had a part in it.
    pub until: Moment,
}

/// A look at the world: what only rooms know.
#[derive(Clone, Debug)]
pub struct Look {
    /// The app's containers.
    pub containers: Vec<Seen>,
    /// Its forks.
    pub forks: Vec<Fork>,
    /// Generations with an image of the agent's own tag.
    pub images: Vec<Generation>,
}

/// How long an app has been down in the update under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Down {
    since: Option<Moment>,
    total: Option<Millis>,
}

impl Down {
    /// It went down.
    pub fn began(&mut self, now: Moment) {
        self.since.get_or_insert(now);
        self.total.get_or_insert(Millis(0));
    }

    /// It runs again.
    pub fn ended(&mut self, now: Moment) {
        if let (Some(since), Some(total)) = (self.since.take(), &mut self.total) {
            total.0 = total.0.saturating_add(now.since(since).0);
        }
    }

    /// All of it; null when this run of the agent did not see it.
    pub fn total(&self, now: Moment) -> Option<Millis> {
        let open = self.since.map_or(0, |since| now.since(since).0);
        self.total.map(|total| Millis(total.0.saturating_add(open)))
    }
}

// Without values of the environment: they never stand in a log.
impl std::fmt::Debug for InForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InForce")
            .field("hash", &self.hash)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl App {
    /// An app of which nothing but its record is known yet.
    pub fn new(name: AppName, record: Record, record_from: RecordFrom) -> Self {
        Self {
            name,
            wake: Notify::new(),
            asked: Notify::new(),
            memory: RefCell::new(Memory::new(record, record_from)),
        }
    }

    /// Something happened: the world is looked at afresh.
    pub fn is_stale(&self) {
        {
            let mut memory = self.memory.borrow_mut();
            memory.seen = None;
            memory.stale = memory.stale.wrapping_add(1);
        }
        self.wake.notify_one();
    }
}

impl Memory {
    fn new(record: Record, record_from: RecordFrom) -> Self {
        Self {
            definition: None,
            file: None,
            file_error: None,
            record,
            record_from,
            untouchable: None,
            candidate: Candidate::Unknown,
            young_until: None,
            evidence: Evidence::default(),
            orphans: orphans::Looked::default(),
            looked: None,
            failures: BTreeMap::new(),
            unsure: 0,
            pause: None,
            sought_until: None,
            sought_count: 0,
            early: None,
            stopping: None,
            stuck: None,
            seen: None,
            stale: 0,
            is_overtaken: false,
            look_again: None,
            gate_opens: None,
            requests: VecDeque::new(),
            ending: Vec::new(),
            purging: Vec::new(),
            answered: Vec::new(),
            world: None,
            decision: None,
            steps: Vec::new(),
            down: Down::default(),
            progress: None,
            exits: VecDeque::new(),
            restarts: 0,
            outgrown: None,
            in_use: BTreeMap::new(),
            mounted: BTreeMap::new(),
            warnings: BTreeMap::new(),
            snapshots: Vec::new(),
            sizes: BTreeMap::new(),
            blocked: None,
            status: None,
        }
    }

    /// Notes a duration of a step; one that is made again adds up.
    pub fn took(&mut self, step: StepName, ms: Millis) {
        match self.steps.iter_mut().find(|time| time.step == step) {
            Some(time) => time.ms.0 = time.ms.0.saturating_add(ms.0),
            None => self.steps.push(StepTime { step, ms }),
        }
    }

    /// Notes an exit that nobody asked for. Those of another generation say nothing of this one.
    pub fn exited(&mut self, generation: Generation, now: Moment) {
        self.exits.retain(|(of, _)| *of == generation);
        self.exits.push_back((generation, now));
        while self.exits.len() > CRASH_LOOP_EXITS {
            self.exits.pop_front();
        }
    }

    /// The current release ended by itself on an engine whose policy does not restart it: it is started after a wait.
    pub fn must_restart(&mut self, now: Moment) {
        let since = self.evidence.restart_at.map(|before| now.since(before));
        let is_in_row = since.is_some_and(|ran| ran < backoff::RESTART_FORGIVEN);
        self.restarts = if is_in_row { self.restarts.saturating_add(1) } else { 1 };
        self.evidence.restart_at = Some(now.after(backoff::restart(self.restarts)));
    }

    /// Whether that generation exits again and again.
    pub fn is_crash_loop(&self, generation: Generation, now: Moment) -> bool {
        let is_recent = |(of, at): &&(Generation, Moment)| {
            *of == generation && now.since(*at) <= CRASH_LOOP_SPAN
        };
        self.exits.iter().filter(is_recent).count() >= CRASH_LOOP_EXITS
    }
}

#[cfg(test)]
mod tests;
