//! The status document: what is known of an app, made into what an operator sees (DESIGN §7).
//!
//! Promise: pure; two views that differ only in the time give equal documents, so that nothing is
//! published because a clock went on. Times that are worked out anew each round stay as they were told
//! first while they mean the same.

mod board;
mod update;

use titania_core::digest::Digest;
use titania_core::names::{AppName, Generation};
use titania_core::reason::Reason;
use titania_core::release::Release;
use titania_core::status::{
    AppState, AppStatus, ContainerState, ContainerStatus, DefinitionStatus, HealthState, Next,
    Progress, Snapshot, WaitingFor,
};
use titania_core::step::{Decision, Why};
use titania_core::time::{Moment, Timestamp};
use titania_core::world::{Candidate, Container, World};

use super::words;

pub use board::{BoardView, board};

/// A time worked out anew is the same as before when it is this near: clocks are read twice, and round.
const SAME_TIME: i64 = 2_000;

/// What is known of one app beside the world. The loop keeps it from round to round.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Name.
    pub app: &'a AppName,
    /// The world of this round; while the engine is away the last one seen, with its `barrier`.
    pub world: &'a World,
    /// What `decide` said of it.
    pub decision: &'a Decision,
    /// Is what the world says of containers old, because the engine does not answer (or never did)?
    pub is_engine_away: bool,
    /// The definition's file; null when it is gone.
    pub file: Option<&'a str>,
    /// Hash of the definition in force.
    pub hash: Digest,
    /// Why the file as it is now does not count.
    pub error: Option<&'a Reason>,
    /// Restarts by the engine, of the container that is shown.
    pub restarts: u32,
    /// `uid:gid` of the container that is shown, as the engine tells it.
    pub user: Option<&'a str>,
    /// Health of the wanted container as the probes show it ([`super::probes::Probes::health`]).
    pub health: HealthState,
    /// It restarts too often: `crash_loop`.
    pub crash_loop: Option<&'a Reason>,
    /// Download under way.
    pub progress: Option<Progress>,
    /// Kept forks.
    pub snapshots: &'a [Snapshot],
    /// What is odd but stops nothing.
    pub warnings: &'a [Reason],
    /// When the registry is asked next; null for a pinned digest.
    pub next_poll: Option<Moment>,
    /// When the shut gate opens by itself (a window, a hold with an end); null when nobody knows.
    pub gate_opens: Option<Moment>,
    /// The document before this one.
    pub before: Option<&'a AppStatus>,
}

/// The app's part of the status document.
pub fn app(view: &View<'_>) -> AppStatus {
    let record = &view.world.record;
    let (state, health) = (view.state(), view.shown_health());
    let before = view.before;
    let same = before.filter(|before| (before.state, before.health) == (state, health));
    let mut warnings: Vec<Reason> = view.warnings.to_vec();
    warnings.extend(view.registry_warning());
    AppStatus {
        app: view.app.clone(),
        state,
        health,
        since: same.map_or(view.world.at, |before| before.since),
        reason: steady(view.reason(state), before.and_then(|before| before.reason.as_ref())),
        container: view.container(),
        current: record.current.as_ref().map(|current| current.spec.release.clone()),
        proven: record.proven,
        previous: record.previous.as_ref().map(|previous| previous.spec.release.clone()),
        candidate: view.candidate(),
        definition: DefinitionStatus {
            hash: view.hash,
            file: view.file.map(str::to_owned),
            error: view.error.cloned(),
        },
        update: update::update(view),
        next: view.next(),
        hold: record.hold.clone(),
        quarantine: record.quarantine.clone(),
        snapshots: newest_first(view.snapshots),
        warnings: warnings
            .into_iter()
            .map(|warning| as_before(warning, before.map_or(&[], |before| &before.warnings)))
            .collect(),
        last: record.last.clone(),
    }
}

fn newest_first(snapshots: &[Snapshot]) -> Vec<Snapshot> {
    let mut snapshots = snapshots.to_vec();
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.fork));
    snapshots
}

/// The same failure keeps the time it was found first.
fn steady(reason: Option<Reason>, before: Option<&Reason>) -> Option<Reason> {
    reason.map(|reason| as_before(reason, before.map_or(&[], std::slice::from_ref)))
}

fn as_before(reason: Reason, before: &[Reason]) -> Reason {
    before.iter().find(|before| before.same(&reason)).cloned().unwrap_or(reason)
}

impl View<'_> {
    /// The generation whose container is shown: the wanted one, of a stopped app the current one.
    fn shown_generation(&self) -> Option<Generation> {
        let current = || self.world.record.current.as_ref().map(|current| current.generation);
        self.world.wanted_generation().or_else(current)
    }

    fn shown_container(&self) -> Option<&Container> {
        self.world.container(self.shown_generation()?)
    }

    /// Whether the container that shall run does.
    fn runs(&self) -> bool {
        let wanted = self.world.wanted_generation();
        wanted.and_then(|wanted| self.world.container(wanted)).is_some_and(Container::is_up)
    }

    fn is_config_bad(&self) -> bool {
        self.world.wanted.is_none() && self.file.is_some()
    }

    fn state(&self) -> AppState {
        let world = self.world;
        let is_held = matches!(self.decision, Decision::Wait(Why::Gate(_, WaitingFor::Hold), _));
        if world.wanted.is_none() && !self.is_config_bad() {
            return AppState::Orphaned;
        }
        if world.record.stopped.is_some() {
            return AppState::Stopped;
        }
        if self.is_engine_away {
            return AppState::Unknown;
        }
        let is_well = self.health == HealthState::Healthy && world.record.proven;
        let is_well = is_well && self.crash_loop.is_none() && !self.has_no_way_back();
        let moves = match self.decision {
            Decision::Blocked(..) => return AppState::Blocked,
            Decision::Do(_) => true,
            Decision::Wait(why, _) => matches!(why, Why::Probation | Why::Returning),
            Decision::Idle(_) => false,
        };
        if self.is_config_bad() && !self.runs() {
            return AppState::Blocked;
        }
        match (self.runs(), world.record.intent.is_some()) {
            (_, true) if moves => AppState::Updating,
            (true, _) if !is_well => AppState::Degraded,
            (true, _) if is_held => AppState::Held,
            (true, _) if matches!(self.decision, Decision::Wait(..)) => AppState::Waiting,
            (true, _) => AppState::Ok,
            (false, _) if is_held => AppState::Held,
            (false, _) => self.state_while_down(),
        }
    }

    fn has_no_way_back(&self) -> bool {
        matches!(self.decision, Decision::Wait(Why::NoWayBack(_), _))
    }

    /// It shall run, does not, and nothing blocks it: it would start, or there is nothing that may.
    fn state_while_down(&self) -> AppState {
        match self.decision {
            Decision::Idle(Why::Quarantined | Why::Refused(_) | Why::Left) => AppState::Blocked,
            _ => AppState::Waiting,
        }
    }

    fn shown_health(&self) -> HealthState {
        if self.is_engine_away {
            HealthState::Unknown
        } else if !self.runs() {
            HealthState::None
        } else {
            self.health
        }
    }

    fn reason(&self, state: AppState) -> Option<Reason> {
        let world = self.world;
        let barrier = || world.barrier.as_ref().map(|(reason, _)| reason.clone());
        let why = match self.decision {
            Decision::Do(_) => None,
            Decision::Wait(why, _) | Decision::Idle(why) | Decision::Blocked(why, _) => Some(why),
        };
        let why = why.and_then(|why| words::reason(self.app, world, why));
        match state {
            AppState::Stopped => words::reason(self.app, world, &Why::Stopped),
            AppState::Orphaned => words::reason(self.app, world, &Why::Orphaned),
            AppState::Unknown => barrier().or(why),
            AppState::Degraded if self.has_no_way_back() => why,
            AppState::Degraded => self
                .crash_loop
                .cloned()
                .or_else(|| words::unwell(self.app, world, self.health))
                .or(why),
            AppState::Blocked if self.is_config_bad() => self.error.cloned().or(why),
            AppState::Updating => why.or_else(|| self.verdict()),
            // A registry that does not answer is a warning, while the app is well.
            AppState::Ok => why.filter(|_| self.registry_warning().is_none()),
            _ => why.or_else(|| self.standing()),
        }
    }

    /// Why the new release failed, while the way back is gone.
    fn verdict(&self) -> Option<Reason> {
        let verdict = self.world.record.intent.as_ref()?.verdict.as_ref();
        verdict.map(|verdict| verdict.reason.clone())
    }

    /// A failure that is being tried again just now.
    fn standing(&self) -> Option<Reason> {
        self.world.evidence.failed.last().map(|failure| failure.reason.clone())
    }

    fn registry_warning(&self) -> Option<Reason> {
        match &self.world.candidate {
            Candidate::Unreachable(reason) if self.world.record.current.is_some() => {
                Some(reason.clone())
            }
            _ => None,
        }
    }

    fn container(&self) -> Option<ContainerStatus> {
        if self.is_engine_away {
            return self.before.and_then(|before| before.container.clone());
        }
        let container = self.shown_container()?;
        // The engine says "running" of a dead process after a crash of containerd.
        let state = match container.state {
            ContainerState::Running if !container.alive => ContainerState::Dead,
            state => state,
        };
        let started = container.started_at.as_ref().and_then(|at| at.0.parse::<Timestamp>().ok());
        Some(ContainerStatus {
            id: container.id.clone(),
            name: self.app.container(container.generation),
            generation: container.generation,
            state,
            started_at: started.filter(|at| at.0 > 0),
            restarts: self.restarts,
            user: self.user.map(str::to_owned),
        })
    }

    /// The release the track points at, where that is another than the current one; what was last known
    /// while the registry does not answer.
    fn candidate(&self) -> Option<Release> {
        let current = self.world.record.current.as_ref().map(|current| &current.spec.release);
        let known = match &self.world.candidate {
            Candidate::Known(spec) => Some(spec.release.clone()),
            Candidate::Refused(refusal) => Some(refusal.release.clone()),
            Candidate::Unknown | Candidate::Unreachable(_) => {
                self.before.and_then(|before| before.candidate.clone())
            }
        };
        known.filter(|known| !current.is_some_and(|current| current.is(known)))
    }

    fn next(&self) -> Next {
        let wall = |at: Moment| self.wall_of(at);
        let times = words::Times { poll: self.next_poll, gate: self.gate_opens, wall: &wall };
        let next = words::next(self.world, self.decision, times);
        match self.before.map(|before| before.next) {
            Some(before) if means_the_same(before, next) => before,
            _ => next,
        }
    }

    fn wall_of(&self, at: Moment) -> Timestamp {
        let ahead = i128::from(at.0) - i128::from(self.world.now.0);
        let time = i128::from(self.world.at.0) + ahead;
        Timestamp(i64::try_from(time).unwrap_or(i64::MAX))
    }
}

fn means_the_same(one: Next, other: Next) -> bool {
    let is_near = match (one.at, other.at) {
        (Some(one), Some(other)) => one.0.abs_diff(other.0) <= SAME_TIME.unsigned_abs(),
        (None, None) => true,
        _ => false,
    };
    is_near && (one.act, one.waiting_for) == (other.act, other.waiting_for)
}

#[cfg(test)]
mod tests;
