//! Every state of an app, as the document tells it.

use std::sync::Arc;

use super::*;
use titania_core::definition::{Definition, Health as Rule, Shape, Update};
use titania_core::names::{BootId, StartedAt};
use titania_core::outcome::Trigger;
use titania_core::reason::{Class, Code};
use titania_core::record::{
    Committed, Hold, Intent, Probation, Quarantined, Record, Stopped, Verdict,
};
use titania_core::spec::Spec;
use titania_core::status::StepName;
use titania_core::step::{Change, Step};
use titania_core::time::Millis;
use titania_core::track::Track;
use titania_core::world::{Evidence, Failure, Health, RecordFrom, Wanted};

const NOW: Moment = Moment(100_000);
const AT: Timestamp = Timestamp(1_800_000_000_000);
const OLD: Generation = Generation(1);
const NEW: Generation = Generation(2);

fn spec(version: &str) -> Arc<Spec> {
    let definition = Definition {
        shape: Shape::of("docker.io/a/wallet:1".parse().unwrap()),
        track: Track::Tag("1".to_owned()),
        after: Vec::new(),
        health: Rule::default(),
        update: Update::default(),
    };
    Arc::new(Spec {
        hash: definition.shape.hash(),
        definition,
        release: Release {
            version: Some(version.to_owned()),
            config: Some(Digest::of(version.as_bytes())),
            ..Release::default()
        },
        user: None,
        groups: Vec::new(),
    })
}

fn container(generation: Generation, state: ContainerState) -> Container {
    Container {
        id: format!("id{generation}"),
        generation,
        state,
        alive: state == ContainerState::Running,
        started_at: Some(StartedAt("2026-11-23T21:00:00.123456789Z".to_owned())),
        armed: true,
        exit: None,
    }
}

/// Release 1 is current, proven, and runs; the track points at it.
fn well() -> World {
    let current = Committed { generation: OLD, count: 1, spec: spec("1.0.0"), at: AT };
    World {
        now: NOW,
        at: AT,
        clock_synced: true,
        boot: BootId("boot".to_owned()),
        barrier: None,
        keeps_policy: true,
        wanted: Some(Wanted { hash: current.spec.hash, with_current: None, rollback: true }),
        candidate: Candidate::Known(spec("1.0.0")),
        record: Record { current: Some(current), proven: true, ..Record::default() },
        record_from: RecordFrom::File,
        containers: vec![container(OLD, ContainerState::Running)],
        forks: Vec::new(),
        images: Vec::new(),
        evidence: Evidence::default(),
        health: Health::Settled,
        gate: None,
        dependency: None,
        keep: 3,
    }
}

fn intent(boots: u32) -> Intent {
    Intent {
        generation: NEW,
        parent: Some(OLD),
        spec: spec("2.0.0"),
        trigger: Trigger::Tag,
        by: None,
        started_at: AT,
        attempt: 1,
        old_state: false,
        probation: (boots > 0).then(|| Probation {
            boot_id: BootId("boot".to_owned()),
            boots,
            elapsed_ms: Millis(0),
            since: NOW,
        }),
        verdict: None,
    }
}

fn why(code: Code) -> Reason {
    Reason::new(code, Class::Environment, "it is so", "do this", AT)
}

struct Case {
    world: World,
    decision: Decision,
    health: HealthState,
    away: bool,
    file: bool,
    error: Option<Reason>,
    crash_loop: Option<Reason>,
}

impl Case {
    fn new(world: World, decision: Decision) -> Self {
        let (health, away, file) = (HealthState::Healthy, false, true);
        Self { world, decision, health, away, file, error: None, crash_loop: None }
    }

    fn made(&self, before: Option<&AppStatus>) -> AppStatus {
        app(&View {
            app: &"wallet".parse().unwrap(),
            world: &self.world,
            decision: &self.decision,
            is_engine_away: self.away,
            file: self.file.then_some("/etc/titania-agent/apps.d/wallet.toml"),
            hash: spec("1.0.0").hash,
            error: self.error.as_ref(),
            restarts: 0,
            user: Some("10000:10000"),
            health: self.health,
            crash_loop: self.crash_loop.as_ref(),
            progress: Some(Progress { done_bytes: 1, total_bytes: 2 }),
            snapshots: &[],
            warnings: &[],
            next_poll: Some(Moment(160_000)),
            gate_opens: Some(Moment(130_000)),
            before,
        })
    }
}

mod blocks;
mod states;

/// A change of the world that is well.
fn world(change: impl FnOnce(&mut World)) -> World {
    let mut world = well();
    change(&mut world);
    world
}

fn moving(boots: u32) -> World {
    world(|w| {
        w.record.intent = Some(intent(boots));
        w.candidate = Candidate::Known(spec("2.0.0"));
        if boots > 0 {
            w.containers = vec![
                container(OLD, ContainerState::Exited),
                container(NEW, ContainerState::Running),
            ];
        }
    })
}

fn no_app(candidate: Candidate) -> World {
    world(|w| {
        w.record = Record::default();
        w.containers = Vec::new();
        w.candidate = candidate;
    })
}

fn quarantine() -> World {
    world(|w| {
        let bad = spec("2.0.0");
        w.record.quarantine = vec![Quarantined {
            config: bad.release.config.unwrap(),
            definition: bad.hash,
            tag: None,
            reason: Reason::new(Code::Unhealthy, Class::Release, "its probe said no", "", AT),
            at: AT,
        }];
        w.candidate = Candidate::Known(bad);
    })
}

fn stopped() -> World {
    world(|w| {
        w.record.stopped = Some(Stopped { by: "uid:1000".to_owned(), at: AT });
        w.containers = vec![container(OLD, ContainerState::Exited)];
    })
}

#[test]
fn health_is_none_when_down_and_unknown_while_the_engine_is_away() {
    let idle = || Decision::Idle(Why::Steady);
    let down = world(|w| w.containers[0].state = ContainerState::Exited);
    assert_eq!(Case::new(down, idle()).made(None).health, HealthState::None);
    let dead = world(|w| w.containers[0].alive = false);
    let made = Case::new(dead, idle()).made(None);
    assert_eq!(made.health, HealthState::None, "the engine says running of a dead process");
    assert_eq!(made.container.unwrap().state, ContainerState::Dead);
    let away = Case { away: true, ..Case::new(world(|w| w.containers.clear()), idle()) };
    let before = Case::new(well(), idle()).made(None);
    let made = away.made(Some(&before));
    assert_eq!(made.health, HealthState::Unknown);
    assert_eq!(made.container, before.container, "the last known fields stay");
}

#[test]
fn the_container_shown_is_the_wanted_one() {
    let made = Case::new(moving(1), Decision::Wait(Why::Probation, None)).made(None);
    let shown = made.container.unwrap();
    assert_eq!((shown.name.as_str(), shown.generation), ("wallet-g2", NEW));
    assert_eq!(shown.started_at.unwrap().to_string(), "2026-11-23T21:00:00.123Z");
    assert_eq!(shown.user.as_deref(), Some("10000:10000"));
    let made = Case::new(stopped(), Decision::Idle(Why::Stopped)).made(None);
    assert_eq!(made.container.unwrap().name, "wallet-g1");
    let never =
        world(|w| w.containers[0].started_at = Some(StartedAt("0001-01-01T00:00:00Z".to_owned())));
    let made = Case::new(never, Decision::Idle(Why::Steady)).made(None);
    assert_eq!(made.container.unwrap().started_at, None);
}

#[test]
fn a_candidate_is_shown_only_where_it_is_another_release() {
    let idle = || Decision::Idle(Why::Steady);
    assert_eq!(Case::new(well(), idle()).made(None).candidate, None);
    let before = Case::new(moving(0), idle()).made(None);
    assert_eq!(before.candidate.as_ref().map(words::release).as_deref(), Some("2.0.0"));
    let gone = world(|w| w.candidate = Candidate::Unreachable(why(Code::RegistryUnreachable)));
    let made = Case::new(gone, idle()).made(Some(&before));
    assert_eq!(made.candidate, before.candidate, "what was known stays while the registry is away");
    assert_eq!(made.warnings.len(), 1);
}

#[test]
fn the_step_shown_is_the_one_the_decision_belongs_to() {
    let boots = || Step::Write(Box::new(Change::Boots { boots: 1, boot: BootId::default() }));
    let mut failed = moving(0);
    failed.evidence.failed = vec![Failure {
        generation: NEW,
        step: StepName::Fetch,
        reason: why(Code::DiskLow),
        retry_at: NOW,
    }];
    let mut back = moving(1);
    let verdict = Verdict { reason: why(Code::Unhealthy), step: StepName::Probation };
    back.record.intent.as_mut().unwrap().verdict = Some(verdict);
    let gate = Why::Gate(why(Code::Operator), WaitingFor::Window);
    for (world, decision, want) in [
        (moving(0), Decision::Do(Step::Fetch(NEW, spec("2"))), StepName::Fetch),
        (moving(0), Decision::Do(Step::Compare(NEW, spec("2"))), StepName::Create),
        (moving(0), Decision::Wait(gate, None), StepName::Wait),
        (moving(0), Decision::Do(Step::Stop(OLD)), StepName::Stop),
        (moving(0), Decision::Do(Step::Start(OLD)), StepName::Reserve),
        (moving(0), Decision::Do(boots()), StepName::Start),
        (moving(1), Decision::Wait(Why::Probation, None), StepName::Probation),
        (moving(1), Decision::Do(Step::Arm(NEW)), StepName::Commit),
        (back, Decision::Do(Step::Start(OLD)), StepName::RollBack),
        (failed, Decision::Wait(Why::Failed(why(Code::DiskLow)), None), StepName::Fetch),
    ] {
        let case = Case::new(world, decision);
        let update = case.made(None).update.unwrap();
        assert_eq!(update.step, want, "{:?}", case.decision);
        assert_eq!(update.id, "wallet-g2");
        assert_eq!(update.progress.is_some(), want == StepName::Fetch);
    }
}

#[test]
fn nothing_changes_because_a_clock_went_on() {
    let case = |later: u64, decision| {
        let world = world(|w| {
            w.now = Moment(NOW.0 + later);
            // The wall clock is read a moment after the boot clock.
            w.at = Timestamp(AT.0 + later as i64 + 3);
            w.candidate =
                Candidate::Unreachable(Reason { at: w.at, ..why(Code::RegistryUnreachable) });
            w.record.intent = Some(intent(0));
        });
        Case { health: HealthState::Unhealthy, ..Case::new(world, decision) }
    };
    let waits = || Decision::Wait(Why::Failed(why(Code::DiskLow)), Some(Moment(900_000)));
    let before = case(0, waits()).made(None);
    let after = case(60_000, waits()).made(Some(&before));
    assert_eq!(after, before);
    let moved =
        case(60_000, Decision::Wait(Why::Failed(why(Code::DiskLow)), Some(Moment(903_000))));
    assert_ne!(moved.made(Some(&before)).next.at, before.next.at, "another time is told");
}

#[test]
fn since_moves_only_with_state_or_health() {
    let later = |health| {
        let world = world(|w| {
            w.at = Timestamp(AT.0 + 5_000);
            w.record.hold =
                Some(Hold { by: "uid:0".to_owned(), reason: String::new(), until: None });
        });
        Case { health, ..Case::new(world, Decision::Idle(Why::Steady)) }
    };
    let before = Case::new(well(), Decision::Idle(Why::Steady)).made(None);
    assert_eq!(before.since, AT);
    assert_eq!(later(HealthState::Healthy).made(Some(&before)).since, AT);
    assert_eq!(later(HealthState::Unhealthy).made(Some(&before)).since.0, AT.0 + 5_000);
}
