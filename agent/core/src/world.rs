//! The world as one app sees it: all that `decide` may know.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::fork::Fork;
use crate::names::{BootId, Generation, StartedAt};
use crate::reason::{Class, Code, Reason};
use crate::record::{Record, Verdict};
use crate::spec::Spec;
use crate::status::{ContainerState, StepName, WaitingFor};
use crate::step::Refusal;
use crate::time::{Moment, Timestamp};

/// All that is known of one app and its board at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// Boot clock.
    pub now: Moment,
    /// Wall clock: for reasons, and for the age of what is kept; else never compared.
    pub at: Timestamp,
    /// Can the wall clock be trusted?
    pub clock_synced: bool,
    /// This boot.
    pub boot: BootId,
    /// What stops every app of the board; null when nothing does.
    pub barrier: Option<(Reason, WaitingFor)>,
    /// Can the engine change a restart policy (Podman can't)?
    pub keeps_policy: bool,
    /// What the definition wants; null when its file is gone.
    pub wanted: Option<Wanted>,
    /// What the track points at.
    pub candidate: Candidate,
    /// The record, or what is left of it.
    pub record: Record,
    /// Where that came from.
    pub record_from: RecordFrom,
    /// The app's containers, by generation.
    pub containers: Vec<Container>,
    /// The app's forks, by generation.
    pub forks: Vec<Fork>,
    /// Generations whose image is here under the agent's own tag.
    pub images: Vec<Generation>,
    /// What only memory knows.
    pub evidence: Evidence,
    /// Health of the running container of the wanted generation.
    pub health: Health,
    /// First shut gate of a cutover; looked at when one is due.
    pub gate: Option<(Reason, WaitingFor)>,
    /// A dependency that holds back a start after the board's or the engine's return.
    pub dependency: Option<Reason>,
    /// Forks kept beside current and previous.
    pub keep: usize,
}

/// What the definition wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Definition hash.
    pub hash: Digest,
    /// Specification with the current release where there is one, user carried over: used when only the definition changed.
    pub with_current: Option<Arc<Spec>>,
    /// Go back by itself?
    pub rollback: bool,
}

/// What the track points at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// Not asked yet in this run.
    #[default]
    Unknown,
    /// The registry did not answer; what is known is unknown.
    Unreachable(Reason),
    /// A release that may be taken.
    Known(Arc<Spec>),
    /// A release that must not be taken.
    Refused(Box<Refusal>),
}

/// Where the record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordFrom {
    /// Its file.
    File,
    /// The former one, `.1`: it is older.
    Former,
    /// There is none.
    Nowhere,
}

/// One container of the app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// Engine's id.
    pub id: String,
    /// From its label.
    pub generation: Generation,
    /// State.
    pub state: ContainerState,
    /// Has a process of its pid been seen? Only asked of a running one.
    pub alive: bool,
    /// When it was last started; null: never.
    pub started_at: Option<StartedAt>,
    /// Has it the restart policy of a committed one?
    pub armed: bool,
    /// How it ended; null while it runs or was never started.
    pub exit: Option<Exit>,
}

/// How a container ended, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// By itself, on an unbroken event stream, with no signal but the agent's.
    Own(Reason),
    /// What can't be told apart.
    Ambiguous(Code),
}

/// Health of the running container of the wanted generation, by its own specification's probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// Not running, or nothing known yet.
    #[default]
    Starting,
    /// The last probe passed.
    Healthy,
    /// Probes have passed for `settle` without an exit.
    Settled,
    /// So many noes in a row.
    Unhealthy,
    /// `deadline` is over and it never settled; whether it ever answered no.
    Late {
        /// Did it ever answer no?
        said_no: bool,
    },
}

/// What only the memory of this run knows. Meant to be lost at a restart: read, or done, again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// Generation whose image was found runnable, with its specification made whole.
    pub inspected: Option<(Generation, Arc<Spec>)>,
    /// Container id that was compared with its specification.
    pub compared: Option<String>,
    /// This run stopped it, found running: generation and its `StartedAt` then.
    pub stopped: Option<(Generation, Option<StartedAt>)>,
    /// A stop of this run found it already down: its policy stays armed.
    pub was_down: Option<Generation>,
    /// The last write of `boots` by this run.
    pub begun: Option<Begun>,
    /// Failures of steps that still stand: one a generation and step, gone when that step succeeds.
    pub failed: Vec<Failure>,
    /// A verdict or `boots` that could not be written though room was kept: acted upon all the same.
    pub unwritable: Option<Verdict>,
    /// Whether the registry still has a release that may be needed again; forgotten after a back-off.
    pub sought: Option<(Generation, bool)>,
    /// What is thought of an image that was well once, of the generation that was asked about last.
    pub doubt: Option<(Generation, Doubt)>,
    /// Whose image this run removed as damaged, and when: once, until that generation has proven itself again.
    pub repaired: Option<(Generation, Timestamp)>,
    /// Current release healthy for `settle` within this boot.
    pub settled: bool,
    /// The candidate is not tried before.
    pub retry_at: Option<Moment>,
    /// The current release ended by itself, and no policy of the engine starts it (Podman): not started before.
    pub restart_at: Option<Moment>,
    /// A disk of its volumes is below the reserve now: what a release does then is not its own fault.
    pub disk_low: Option<Reason>,
    /// Images that the engine would not remove, since a container that is none of the app's uses them; forgotten after a
    /// while.
    pub in_use: Vec<Generation>,
    /// Forks that could not be pruned, since something is mounted in them; forgotten after a while.
    pub mounted: Vec<Generation>,
}

/// What is thought of an image that was well when its release was looked into first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// Its container ended, or would not start: it is to be looked into.
    Suspected,
    /// It was looked into, and is no worse than it was.
    Sound,
    /// Its entry point lost its content, and can be fetched again: no stranger's image holds all of its layers.
    Damaged,
}

/// A write of `boots`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Begun {
    /// Generation.
    pub generation: Generation,
    /// Count written.
    pub boots: u32,
    /// `StartedAt` of its container then: another one now means it was started since.
    pub started_at: Option<StartedAt>,
    /// Was it running then, so that no start is due?
    pub running: bool,
    /// Was a start sent since, whatever its answer?
    pub sent: bool,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Generation.
    pub generation: Generation,
    /// Step.
    pub step: StepName,
    /// Why.
    pub reason: Reason,
    /// When it may be tried again.
    pub retry_at: Moment,
}

impl Container {
    /// Whether a process of it runs, or the engine is about to start it.
    pub fn is_up(&self) -> bool {
        match self.state {
            ContainerState::Running => self.alive,
            ContainerState::Restarting => true,
            _ => false,
        }
    }

    /// Whether a stop is needed before it can be removed or started: also a dead one that the engine calls running.
    pub fn needs_stop(&self) -> bool {
        matches!(
            self.state,
            ContainerState::Running | ContainerState::Restarting | ContainerState::Paused
        )
    }
}

impl World {
    /// The container of a generation.
    pub fn container(&self, generation: Generation) -> Option<&Container> {
        self.containers.iter().find(|c| c.generation == generation)
    }

    /// The fork of a generation.
    pub fn fork(&self, generation: Generation) -> Option<&Fork> {
        self.forks.iter().find(|f| f.generation == generation)
    }

    /// The specification of a generation: from the record, else from its fork's file.
    pub fn spec(&self, generation: Generation) -> Option<&Arc<Spec>> {
        let kept = [&self.record.current, &self.record.previous];
        let intent = self.record.intent.as_ref().filter(|i| i.generation == generation);
        intent
            .map(|i| &i.spec)
            .or_else(|| {
                kept.into_iter().flatten().find(|c| c.generation == generation).map(|c| &c.spec)
            })
            .or_else(|| self.fork(generation)?.file.as_ref().map(|f| &f.spec))
    }

    /// The generation that shall run now; null when none shall (§3.3, "Who is wanted").
    pub fn wanted_generation(&self) -> Option<Generation> {
        let is_unwanted = self.record.stopped.is_some() || self.record.purge.is_some();
        if is_unwanted || self.wanted.is_none() {
            return None;
        }
        let old = self.record.current.as_ref().map(|c| c.generation);
        match &self.record.intent {
            Some(i)
                if i.boots() > 0 && i.verdict.is_none() && self.evidence.unwritable.is_none() =>
            {
                Some(i.generation)
            }
            _ => old,
        }
    }

    /// A reason found now.
    pub fn reason(
        &self,
        code: Code,
        class: Class,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Reason {
        Reason::new(code, class, message, hint, self.at)
    }

    /// The failure of a step that still stands.
    pub fn failure(&self, generation: Generation, step: StepName) -> Option<&Failure> {
        self.evidence.failed.iter().find(|f| f.generation == generation && f.step == step)
    }

    /// 1 + the highest number that record, containers or forks ever had.
    pub fn next_generation(&self) -> Generation {
        let record = &self.record;
        let kept = [&record.current, &record.previous].into_iter().flatten().map(|c| c.generation);
        kept.chain(record.intent.iter().map(|i| i.generation))
            .chain([record.numbers])
            .chain(self.containers.iter().map(|c| c.generation))
            .chain(self.forks.iter().map(|f| f.generation))
            .max()
            .unwrap_or_default()
            .next()
    }
}
