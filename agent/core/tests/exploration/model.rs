//! A small world that does what engine, volumes and store do: the fake parts are these, decide is the real one.

use std::collections::BTreeMap;
use std::sync::Arc;

use titania_core::definition::{Definition, Health as HealthRule, Shape, Update};
use titania_core::digest::Digest;
use titania_core::fork::Fork;
use titania_core::names::{BootId, Generation, Owner, StartedAt};
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::{Record, Verdict};
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::status::{ContainerState, StepName};
use titania_core::step::Step;
use titania_core::time::{Moment, Timestamp};
use titania_core::track::Track;
use titania_core::world::{
    Candidate, Container, Evidence, Exit, Failure, Health, RecordFrom, Wanted, World,
};

/// How a release behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nature {
    Good,
    Unhealthy,
    Crashes,
}

/// What no observer sees: the truth about a fork's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Content {
    /// How often its generation was started on it.
    pub writes: u8,
    /// Parent and that one's writes when it was copied.
    pub base: Option<(Generation, u8)>,
    /// Was the parent running meanwhile?
    pub torn: bool,
    /// Was its own generation started on it before its probation?
    pub early: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub w: World,
    pub former: Option<Record>,
    pub content: BTreeMap<Generation, Content>,
    /// Containers with an API stop behind them: the engine leaves them down.
    pub stopped: Vec<Generation>,
    /// A start that lands later.
    pub late: Option<Generation>,
    pub natures: [Nature; 2],
    /// Somebody else than the agent started a container, and the agent has not put it right.
    pub stranger: bool,
    /// The second release was condemned, and nobody asked to retry it.
    pub condemned: bool,
    /// Something happened that can't be told from the release's fault.
    pub doubt: bool,
    pub boots: u8,
    pub faults: u8,
    /// How often the tag may still move.
    pub moves: u8,
}

pub fn spec(config: u8, whole: bool, rollback: bool) -> Arc<Spec> {
    let image = "example.org/app:1".parse().expect("a reference");
    let update = Update { rollback, ..Update::default() };
    let definition = Definition {
        shape: Shape::of(image),
        track: Track::Tag("1".into()),
        after: vec![],
        health: HealthRule::default(),
        update,
    };
    Arc::new(Spec {
        definition,
        hash: Digest::of(b"definition"),
        release: Release { config: Some(Digest::of(&[config])), ..Release::default() },
        user: whole.then_some(Owner { uid: 70000, gid: 70000 }),
        groups: vec![],
    })
}

pub fn reason(code: Code, class: Class) -> Reason {
    Reason::new(code, class, "", "", Timestamp(0))
}

impl State {
    pub fn new(natures: [Nature; 2], rollback: bool, faults: u8) -> Self {
        let wanted = Wanted { hash: Digest::of(b"definition"), with_current: None, rollback };
        let w = World {
            now: Moment(0),
            at: Timestamp(0),
            boot: BootId("0".into()),
            barrier: None,
            keeps_policy: true,
            wanted: Some(wanted),
            candidate: Candidate::Known(spec(0, false, rollback)),
            record: Record::default(),
            record_from: RecordFrom::Nowhere,
            containers: vec![],
            forks: vec![],
            images: vec![],
            evidence: Evidence::default(),
            health: Health::Starting,
            gate: None,
            dependency: None,
            keep: 1,
        };
        Self {
            w,
            former: None,
            content: BTreeMap::new(),
            stopped: vec![],
            late: None,
            natures,
            stranger: false,
            condemned: false,
            doubt: false,
            boots: 0,
            faults,
            moves: 2,
        }
    }

    /// What a generation's release is like.
    pub fn nature(&self, g: Generation) -> Nature {
        self.natures[usize::from(self.is_second(g))]
    }

    pub fn is_second(&self, g: Generation) -> bool {
        self.w.spec(g).is_some_and(|s| s.release.config == Some(Digest::of(&[1])))
    }

    pub fn up(&self) -> Vec<Generation> {
        self.w.containers.iter().filter(|c| c.is_up()).map(|c| c.generation).collect()
    }

    pub fn container(&mut self, g: Generation) -> Option<&mut Container> {
        self.w.containers.iter_mut().find(|c| c.generation == g)
    }

    pub fn fork(&mut self, g: Generation) -> Option<&mut Fork> {
        self.w.forks.iter_mut().find(|f| f.generation == g)
    }

    /// The memory of the agent is gone; what happened unseen stays unseen.
    pub fn forget(&mut self) {
        self.w.evidence = Evidence::default();
        self.w.health = Health::Starting;
        for c in &mut self.w.containers {
            if matches!(c.exit, Some(Exit::Own(_))) {
                c.exit = Some(Exit::Ambiguous(Code::ExitUnseen));
            }
        }
    }

    /// A process begins: only ever through here.
    pub fn run(&mut self, g: Generation) {
        let intent = self.w.record.intent.as_ref().filter(|i| i.generation == g && !i.old_state);
        let early = intent.is_some_and(|i| i.boots() == 0);
        let content = self.content.entry(g).or_default();
        content.early |= early;
        content.writes = content.writes.saturating_add(1);
        let started = StartedAt(content.writes.to_string());
        if let Some(c) = self.container(g) {
            c.state = ContainerState::Running;
            c.alive = true;
            c.started_at = Some(started);
            c.exit = None;
        }
        self.stopped.retain(|s| *s != g);
        if self.late == Some(g) {
            self.late = None;
        }
        if self.w.evidence.was_down == Some(g) {
            self.w.evidence.was_down = None;
        }
        self.w.health = Health::Starting;
        self.w.evidence.settled = false;
    }

    /// A container is removed: another of its name is another container.
    pub fn vanish(&mut self, g: Generation) {
        self.w.containers.retain(|c| c.generation != g);
        self.stopped.retain(|s| *s != g);
        self.w.evidence.compared.take_if(|id| *id == g.to_string());
        self.w.health = Health::Starting;
    }

    /// Forgets what no longer tells two worlds apart.
    pub fn reduce(&mut self) {
        if self.faults == 0 {
            self.former = None;
        }
        self.stopped.sort_unstable();
        let kept: Vec<_> = self.w.forks.iter().map(|f| f.generation).collect();
        self.content.retain(|g, _| kept.contains(g));
    }

    pub fn end(&mut self, g: Generation, exit: Exit) {
        if let Some(c) = self.container(g) {
            c.state = ContainerState::Exited;
            c.alive = false;
            c.exit = Some(exit);
        }
        self.w.health = Health::Starting;
        self.w.evidence.settled = false;
    }

    /// A step that failed with a reason.
    pub fn fail(&mut self, step: &Step, class: Class) {
        let Some((name, g)) = step.name() else { return };
        let code = if class == Class::Release { Code::NotRunnable } else { Code::EngineError };
        let retry_at = Moment(1);
        self.w.evidence.failed.retain(|f| (f.generation, f.step) != (g, name));
        self.w.evidence.failed.push(Failure {
            generation: g,
            step: name,
            reason: reason(code, class),
            retry_at,
        });
        if matches!(step, Step::Start(_)) {
            self.sent(g);
        }
    }

    /// A write that met a full disk though room was kept.
    pub fn unwritable(&mut self) {
        let reason = reason(Code::DiskLow, Class::Environment);
        self.w.evidence.unwritable = Some(Verdict { reason, step: StepName::Start });
    }
}
