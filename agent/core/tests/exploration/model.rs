//! A small world that does what engine, registry, volumes and store do: the fake parts are these, decide
//! is the real one.

use std::sync::{Arc, OnceLock};

use titania_core::definition::{Definition, Health as HealthRule, Shape, Update};
use titania_core::digest::Digest;
use titania_core::fork::Fork;
use titania_core::names::{BootId, Generation, Owner, StartedAt};
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Record;
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::status::ContainerState;
use titania_core::time::{Moment, Timestamp};
use titania_core::track::Track;
use titania_core::world::{
    Candidate, Container, Evidence, Exit, Health, RecordFrom, Wanted, World,
};

/// How a release behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nature {
    Good,
    Unhealthy,
    Crashes,
    KillsBoard,
    /// Its image is made for another board, and says so.
    NotRunnable,
}

/// What a search may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// How the releases behave.
    pub natures: [Nature; 3],
    /// How many of them there are.
    pub releases: u8,
    /// Go back by itself?
    pub rollback: bool,
    /// Docker, or Podman?
    pub keeps_policy: bool,
    /// May the definition change, go and come back?
    pub definitions: bool,
    /// Do the clock, a window and holds play a part?
    pub clock: bool,
    /// May a power cut damage images?
    pub damage: bool,
    /// Faults and persons' hands, all together.
    pub faults: u8,
    /// How often tag or definition may move.
    pub moves: u8,
}

/// What no observer sees: the truth about a fork's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Content {
    pub of: Generation,
    /// How often its generation was started on it.
    pub writes: u8,
    /// How often its generation was started at all: no two starts have one time.
    pub begun: u8,
    /// Parent and that one's writes when it was copied.
    pub base: Option<(Generation, u8)>,
    /// Was the parent running meanwhile?
    pub torn: bool,
    /// Do its files belong to the app?
    pub owned: bool,
    /// Was its own generation started on it before its probation?
    pub early: bool,
    /// Was its own generation started in vain, so that nothing was written: its image was damaged?
    pub fizzled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub w: World,
    pub bounds: Bounds,
    /// The record on disk, where memory went on without it.
    pub disk: Option<(Arc<Record>, RecordFrom)>,
    pub former: Option<Arc<Record>>,
    pub contents: Vec<Content>,
    /// Containers with an API stop behind them: the engine leaves them down.
    pub stopped: Vec<Generation>,
    /// The container that this run of the agent stopped, found running, and nobody started since.
    pub by_us: Option<Generation>,
    /// A start that lands later.
    pub late: Option<Generation>,
    /// Somebody else than the agent started a container, and the agent has not put it right.
    pub stranger: bool,
    /// Which releases were condemned under which definition, and nobody asked to retry them.
    pub condemned: [[bool; 2]; 3],
    /// Something happened that looks as the release's own fault does.
    pub doubt: bool,
    /// What both releases need is broken: neither is healthy.
    pub sick: bool,
    /// The registry does not answer.
    pub away: bool,
    /// No registry has the first release any more.
    pub unpublished: bool,
    /// Of which releases the layers on the disk lost what is in them.
    pub damaged: [bool; 3],
    /// Another app's image holds all layers of the first release.
    pub is_shared: bool,
    /// The disks are full, the room that was kept is used up, and nobody makes any.
    pub is_full: bool,
    /// The window is shut.
    pub is_day: bool,
    /// The agent was restarted just now.
    pub restarted: bool,
    /// Board, engine or agent came back just now.
    pub is_back: bool,
    /// Processes of the new one that the agent began in this probation.
    pub starts: u8,
    /// Highest number ever reserved.
    pub reserved: Generation,
    pub faults: u8,
    pub moves: u8,
    /// The first promise that was broken.
    pub broken: Option<&'static str>,
}

/// Config digest of a release; the first is 0.
pub fn config(release: u8) -> Digest {
    static ALL: OnceLock<[Digest; 3]> = OnceLock::new();
    let all =
        ALL.get_or_init(|| [Digest::of(b"first"), Digest::of(b"second"), Digest::of(b"third")]);
    all[usize::from(release)]
}

/// The number of a specification's release.
pub fn release(spec: &Spec) -> u8 {
    (1..3).find(|release| spec.release.config == Some(config(*release))).unwrap_or(0)
}

/// Hash of the first or second definition.
pub fn definition(second: bool) -> Digest {
    static ALL: OnceLock<[Digest; 2]> = OnceLock::new();
    ALL.get_or_init(|| [Digest::of(b"one"), Digest::of(b"other")])[usize::from(second)]
}

/// A specification: of which release, under which definition, with its user or before it was inspected.
pub fn spec(release: u8, other: bool, whole: bool, rollback: bool) -> Arc<Spec> {
    static ALL: OnceLock<Vec<Arc<Spec>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let bit = |n: u8, at: u32| n >> at & 1 == 1;
        (0..24).map(|n| Arc::new(make(n / 8, bit(n, 0), bit(n, 1), bit(n, 2)))).collect()
    });
    let bits = [other, whole, rollback].iter().rev().fold(0, |n, bit| n << 1 | usize::from(*bit));
    all[usize::from(release) * 8 + bits].clone()
}

fn make(release: u8, other: bool, whole: bool, rollback: bool) -> Spec {
    let image = "example.org/app:1".parse().expect("a reference");
    let update = Update { rollback, ..Update::default() };
    let (track, health) = (Track::Tag("1".into()), HealthRule::default());
    let mut shape = Shape::of(image);
    shape.volumes.state.push("/state".into());
    Spec {
        definition: Definition { shape, track, after: vec![], health, update },
        hash: definition(other),
        release: Release { config: Some(config(release)), ..Release::default() },
        user: whole.then_some(Owner { uid: 70000, gid: 70000 }),
        groups: vec![],
    }
}

/// Whether a process runs, whatever the engine says.
pub fn has_process(c: &Container) -> bool {
    c.alive && c.state == ContainerState::Running
}

pub fn reason(code: Code, class: Class) -> Reason {
    Reason::new(code, class, "", "", Timestamp(0))
}

impl State {
    pub fn new(bounds: Bounds) -> Self {
        let wanted =
            Wanted { hash: definition(false), with_current: None, rollback: bounds.rollback };
        let w = World {
            now: Moment(0),
            at: Timestamp(0),
            clock_synced: false,
            boot: BootId("0".into()),
            barrier: None,
            keeps_policy: bounds.keeps_policy,
            wanted: Some(wanted),
            candidate: Candidate::Known(spec(0, false, false, bounds.rollback)),
            record: Record::default(),
            record_from: RecordFrom::Nowhere,
            containers: vec![],
            forks: vec![],
            images: vec![],
            evidence: Evidence::default(),
            health: Health::Starting,
            gate: None,
            dependency: None,
            keep: usize::from(!bounds.clock),
        };
        Self {
            w,
            bounds,
            disk: None,
            former: None,
            contents: vec![],
            stopped: vec![],
            by_us: None,
            late: None,
            stranger: false,
            condemned: [[false; 2]; 3],
            doubt: false,
            sick: false,
            away: false,
            unpublished: false,
            damaged: [false; 3],
            is_shared: false,
            is_full: false,
            is_day: false,
            restarted: false,
            is_back: false,
            starts: 0,
            reserved: Generation(0),
            faults: bounds.faults,
            moves: bounds.moves,
            broken: None,
        }
    }

    /// What must hold here.
    pub fn promise(&mut self, holds: bool, what: &'static str) {
        if !holds {
            self.broken.get_or_insert(what);
        }
    }

    /// The number of a generation's release; the first is 0.
    pub fn release(&self, g: Generation) -> u8 {
        self.w.spec(g).map_or(0, |spec| release(spec))
    }

    /// How a generation does now.
    pub fn nature(&self, g: Generation) -> Nature {
        match self.bounds.natures[usize::from(self.release(g))] {
            Nature::NotRunnable => Nature::NotRunnable,
            _ if self.sick => Nature::Unhealthy,
            nature => nature,
        }
    }

    /// Whether some registry has a generation's release.
    pub fn is_published(&self, g: Generation) -> bool {
        !self.unpublished || self.release(g) > 0
    }

    /// Whether the image of a generation's release is here, under whatever tag of the agent's own.
    pub fn has_image(&self, g: Generation) -> bool {
        self.w.images.iter().any(|i| self.release(*i) == self.release(g))
    }

    pub fn current(&self) -> Option<Generation> {
        self.w.record.current.as_ref().map(|c| c.generation)
    }

    pub fn runs(&self, g: Generation) -> bool {
        self.w.container(g).is_some_and(has_process)
    }

    pub fn up(&self) -> Vec<Generation> {
        self.w.containers.iter().filter(|c| has_process(c)).map(|c| c.generation).collect()
    }

    pub fn container(&mut self, g: Generation) -> Option<&mut Container> {
        self.w.containers.iter_mut().find(|c| c.generation == g)
    }

    pub fn fork(&mut self, g: Generation) -> Option<&mut Fork> {
        self.w.forks.iter_mut().find(|f| f.generation == g)
    }

    pub fn content(&self, g: Generation) -> Content {
        let of = |c: &&Content| c.of == g;
        self.contents.iter().find(of).copied().unwrap_or(Content { of: g, ..Content::default() })
    }

    pub fn put(&mut self, content: Content) {
        self.contents.retain(|c| c.of != content.of);
        self.contents.push(content);
        self.contents.sort_by_key(|c| c.of);
    }

    /// The memory of the agent is gone; what happened unseen stays unseen.
    pub fn forget(&mut self) {
        self.restarted = true;
        self.w.evidence = Evidence::default();
        self.w.health = Health::Starting;
        self.by_us = None;
        if let Some((record, from)) = self.disk.take() {
            self.w.record = (*record).clone();
            self.w.record_from = from;
        }
        self.unseen();
    }

    /// The stream of events broke: no exit before it can be told.
    pub fn unseen(&mut self) {
        self.is_back = true;
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
        let mut content = self.content(g);
        let is_process = !self.is_damaged(g);
        content.early |= early && is_process;
        content.fizzled |= !is_process;
        content.writes = content.writes.saturating_add(u8::from(is_process));
        content.begun = content.begun.saturating_add(1);
        self.put(content);
        let started = StartedAt(content.begun.to_string());
        if let Some(c) = self.container(g) {
            c.state = ContainerState::Running;
            c.alive = true;
            c.started_at = Some(started);
            c.exit = None;
        }
        self.stopped.retain(|s| *s != g);
        self.by_us.take_if(|s| *s == g);
        self.late.take_if(|l| *l == g);
        self.w.evidence.was_down.take_if(|d| *d == g);
        self.w.health = Health::Starting;
        self.w.evidence.settled = false;
        if !is_process {
            self.fizzle(g);
        }
    }

    /// A container is removed: another of its name is another container.
    pub fn vanish(&mut self, g: Generation) {
        self.w.containers.retain(|c| c.generation != g);
        self.stopped.retain(|s| *s != g);
        self.by_us.take_if(|s| *s == g);
        self.late.take_if(|l| *l == g);
        self.w.evidence.compared.take_if(|id| *id == g.to_string());
        self.w.evidence.was_down.take_if(|d| *d == g);
        self.w.health = Health::Starting;
    }

    pub fn end(&mut self, g: Generation, exit: Exit) {
        let signals = self.w.keeps_policy; // Podman tells of none: no exit is the release's own
        if let Some(c) = self.container(g) {
            c.state = ContainerState::Exited;
            c.alive = false;
            c.exit = Some(match exit {
                Exit::Own(_) if !signals => Exit::Ambiguous(Code::ExitUnseen),
                exit => exit,
            });
        }
        self.w.health = Health::Starting;
        self.w.evidence.settled = false;
    }

    /// The board starts anew: the engine starts what has a policy and was not stopped by its API.
    pub fn reboot(&mut self) {
        self.w.boot.0.push('+');
        self.lose_clock();
        self.late = None;
        for g in self.up() {
            self.end(g, Exit::Ambiguous(Code::BoardRestarted));
        }
        self.forget();
        let is_due = |c: &&Container| {
            c.armed && c.state == ContainerState::Exited && !self.stopped.contains(&c.generation)
        };
        let due: Vec<_> = self.w.containers.iter().filter(is_due).map(|c| c.generation).collect();
        if !self.w.keeps_policy {
            return; // Podman starts nothing at boot
        }
        for g in due {
            self.run(g);
            self.stranger = true;
        }
    }
}
