//! State, reason and next act of every situation, by table.

use super::*;
use titania_core::status::Act;
use titania_core::step::Refusal;
use titania_core::world::Doubt;

use AppState as S;
use Decision::{Blocked, Do, Idle, Wait};

/// Next act, seconds from now, what it waits for.
type Comes = (Act, Option<i64>, Option<WaitingFor>);

const POLL: Comes = (Act::Poll, Some(60), None);
const POLL_IN_VAIN: Comes = (Act::Poll, Some(60), Some(WaitingFor::Registry));
const UPDATE: Comes = (Act::Update, None, None);
const NONE: Comes = (Act::None, None, None);

#[track_caller]
fn is(case: Case, state: AppState, reason: Option<Code>, (act, after, waiting_for): Comes) {
    let made = case.made(None);
    assert_eq!(made.state, state, "{:?}", case.decision);
    assert_eq!(made.reason.as_ref().map(|reason| reason.code), reason, "{:?}", case.decision);
    let at = after.map(|seconds| Timestamp(AT.0 + seconds * 1000));
    assert_eq!(made.next, Next { act, at, waiting_for }, "{:?}", case.decision);
}

fn sick(case: Case) -> Case {
    Case { health: HealthState::Unhealthy, ..case }
}

fn steady(world: World) -> Case {
    Case::new(world, Idle(Why::Steady))
}

fn gate(waiting_for: WaitingFor) -> Case {
    Case::new(moving(0), Wait(Why::Gate(why(Code::Operator), waiting_for), None))
}

fn failed(code: Code) -> Why {
    Why::Failed(why(code))
}

fn board(code: Code, waiting_for: WaitingFor) -> Decision {
    Blocked(Why::Board(why(code), waiting_for), None)
}

fn down() -> World {
    world(|w| w.containers = vec![container(OLD, ContainerState::Exited)])
}

fn refused() -> Candidate {
    let release = spec("2.0.0").release.clone();
    let reason = why(Code::NoPlatform);
    Candidate::Refused(Box::new(Refusal { release, definition: spec("2.0.0").hash, reason }))
}

fn unreachable() -> Candidate {
    Candidate::Unreachable(why(Code::RegistryUnreachable))
}

#[test]
fn an_app_that_runs_is_ok_only_when_healthy_and_proven() {
    is(steady(well()), S::Ok, None, POLL);
    is(sick(steady(well())), S::Degraded, Some(Code::Unhealthy), POLL);
    let starting = Case { health: HealthState::Starting, ..steady(well()) };
    is(starting, S::Degraded, None, POLL);
    is(steady(world(|w| w.record.proven = false)), S::Degraded, None, POLL);
    let loops = Case { crash_loop: Some(why(Code::CrashLoop)), ..steady(well()) };
    is(loops, S::Degraded, Some(Code::CrashLoop), POLL);
}

#[test]
fn an_update_that_moves_is_updating_one_that_waits_says_for_what() {
    let fetching = Case::new(moving(0), Do(Step::Fetch(NEW, spec("2.0.0"))));
    is(fetching, S::Updating, None, UPDATE);
    let starting = Case::new(moving(1), Wait(Why::Probation, None));
    is(Case { health: HealthState::Starting, ..starting }, S::Updating, None, UPDATE);
    let window = (Act::Update, Some(30), Some(WaitingFor::Window));
    is(gate(WaitingFor::Window), S::Waiting, Some(Code::Operator), window);
    let hold = (Act::Update, Some(30), Some(WaitingFor::Hold));
    is(gate(WaitingFor::Hold), S::Held, Some(Code::Operator), hold);
    is(sick(gate(WaitingFor::Hold)), S::Degraded, Some(Code::Unhealthy), hold);
    let full = Case::new(moving(0), Wait(failed(Code::DiskLow), Some(Moment(110_000))));
    let disk = (Act::Retry, Some(10), Some(WaitingFor::Disk));
    is(full, S::Waiting, Some(Code::DiskLow), disk);
    let way_back = Case::new(moving(1), Wait(Why::NoWayBack(why(Code::Unhealthy)), None));
    let registry = (Act::Retry, None, Some(WaitingFor::Registry));
    is(way_back, S::Degraded, Some(Code::ImageMissing), registry);
}

#[test]
fn a_candidate_that_is_not_taken_leaves_the_app_as_it_was() {
    let known_bad = Case::new(quarantine(), Idle(Why::Quarantined));
    is(known_bad, S::Ok, Some(Code::Quarantined), POLL);
    let odd = Idle(Why::Refused(Code::NoPlatform));
    let runs = Case::new(world(|w| w.candidate = refused()), odd.clone());
    is(runs, S::Ok, Some(Code::NoPlatform), POLL);
    is(Case::new(no_app(refused()), odd), S::Blocked, Some(Code::NoPlatform), POLL);
}

#[test]
fn a_registry_that_is_away_is_a_warning_while_the_app_is_well() {
    let lost = Code::RegistryUnreachable;
    let runs = Case::new(world(|w| w.candidate = unreachable()), Idle(failed(lost)));
    assert_eq!(runs.made(None).warnings.len(), 1);
    is(runs, S::Ok, None, POLL_IN_VAIN);
    let first = Case::new(no_app(unreachable()), Idle(failed(lost)));
    is(first, S::Waiting, Some(lost), POLL_IN_VAIN);
    let fresh = Case::new(no_app(Candidate::Unknown), Idle(Why::NoCandidate));
    is(fresh, S::Waiting, Some(lost), POLL_IN_VAIN);
}

#[test]
fn an_app_that_is_down_says_what_keeps_it_down() {
    is(Case::new(down(), Do(Step::Start(OLD))), S::Waiting, None, (Act::Retry, None, None));
    let port = Blocked(failed(Code::PortInUse), Some(Moment(110_000)));
    let next = (Act::Retry, Some(10), Some(WaitingFor::Port));
    is(Case::new(down(), port), S::Blocked, Some(Code::PortInUse), next);
    let gone = Case::new(world(|w| w.containers.clear()), Blocked(Why::ImageMissing, None));
    let next = (Act::Retry, None, Some(WaitingFor::Registry));
    is(gone, S::Blocked, Some(Code::ImageMissing), next);
    let root = Case::new(well(), board(Code::VolumesMissing, WaitingFor::Volumes));
    let next = (Act::Retry, Some(30), Some(WaitingFor::Volumes));
    is(root, S::Blocked, Some(Code::VolumesMissing), next);
}

#[test]
fn what_a_person_did_comes_before_all_else() {
    is(Case::new(stopped(), Idle(Why::Stopped)), S::Stopped, Some(Code::Operator), NONE);
    let removed = World { wanted: None, ..down() };
    let orphan = Case { file: false, ..Case::new(removed, Idle(Why::Orphaned)) };
    is(orphan, S::Orphaned, Some(Code::Operator), NONE);
    let never_good = World { wanted: None, ..no_app(Candidate::Unknown) };
    let bad = Case {
        error: Some(why(Code::ConfigInvalid)),
        ..Case::new(never_good, Idle(Why::Orphaned))
    };
    is(bad, S::Blocked, Some(Code::ConfigInvalid), NONE);
}

#[test]
fn while_the_engine_is_away_nobody_knows() {
    let barrier = Some((why(Code::EngineAway), WaitingFor::Engine));
    let away = world(|w| w.barrier = barrier);
    let case = Case::new(away, board(Code::EngineAway, WaitingFor::Engine));
    let next = (Act::Retry, Some(30), Some(WaitingFor::Engine));
    is(Case { away: true, ..case }, S::Unknown, Some(Code::EngineAway), next);
}

#[test]
fn a_damaged_image_is_shown_as_a_repair_until_the_app_is_up() {
    let damaged = |change: fn(&mut World)| {
        let mut world = down();
        world.evidence.doubt = Some((OLD, Doubt::Damaged));
        change(&mut world);
        world
    };
    let away = Blocked(failed(Code::RegistryUnreachable), Some(Moment(110_000)));
    let next = (Act::Retry, Some(10), Some(WaitingFor::Registry));
    is(Case::new(damaged(|_| ()), away.clone()), S::Blocked, Some(Code::RegistryUnreachable), next);
    let shown = Case::new(damaged(|_| ()), away).made(None).update.expect("it is shown");
    assert_eq!((shown.id.as_str(), shown.trigger), ("wallet-g1", Trigger::Repair));
    assert_eq!(shown.to.version.as_deref(), Some("1.0.0"));
    let removed = |w: &mut World| {
        w.evidence.doubt = None;
        w.evidence.repaired = Some((OLD, AT));
    };
    let fetching = Case::new(damaged(removed), Do(Step::Fetch(OLD, spec("1.0.0"))));
    assert_eq!(fetching.made(None).update.map(|update| update.step), Some(StepName::Fetch));
    let up = |w: &mut World| {
        w.evidence.doubt = None;
        w.evidence.repaired = Some((OLD, AT));
        w.containers = vec![container(OLD, ContainerState::Running)];
    };
    assert_eq!(steady(damaged(up)).made(None).update, None);
    assert_eq!(steady(well()).made(None).update, None);
    for (again, waiting_for) in [(false, WaitingFor::Registry), (true, WaitingFor::Operator)] {
        let stuck = Case::new(damaged(|_| ()), Blocked(Why::ImageDamaged { again }, None));
        is(stuck, S::Blocked, Some(Code::ImageDamaged), (Act::Retry, None, Some(waiting_for)));
    }
}
