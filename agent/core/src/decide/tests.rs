//! One decision at a time; the search over all worlds is in `tests/exploration`.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::definition::{Definition, Health as HealthRule, Shape, Update};
use crate::digest::Digest;
use crate::fork::{Fork, ForkFile};
use crate::names::{BootId, Generation, Owner, StartedAt};
use crate::record::{Committed, Probation, Quarantined, Record, Stopped, Tries};
use crate::release::Release;
use crate::spec::Spec;
use crate::time::{Millis, Moment, Timestamp};
use crate::track::Track;
use crate::world::{Begun, Evidence, Failure, RecordFrom, Wanted};
use alloc::sync::Arc;

mod asked;
mod boot_rule;
mod candidates;
mod edges;
mod mend;
mod record;
mod room;

const OLD: Generation = Generation(1);
const NEW: Generation = Generation(2);

fn spec(release: &[u8]) -> Arc<Spec> {
    let shape = Shape::of("example.org/wallet:release".parse().expect("a reference"));
    let track = Track::Tag("release".into());
    let (health, update) = (HealthRule::default(), Update::default());
    Arc::new(Spec {
        hash: shape.hash(),
        definition: Definition { shape, track, after: vec![], health, update },
        release: Release { config: Some(Digest::of(release)), ..Release::default() },
        user: Some(Owner { uid: 70000, gid: 70000 }),
        groups: vec![],
    })
}

fn container(g: Generation, state: ContainerState) -> Container {
    let runs = state == ContainerState::Running;
    let started = (state != ContainerState::Created).then(|| StartedAt("then".into()));
    Container {
        id: g.to_string(),
        generation: g,
        state,
        alive: runs,
        started_at: started,
        armed: g == OLD,
        exit: None,
    }
}

fn fork(g: Generation, spec: &Arc<Spec>, mark: Option<Mark>) -> Fork {
    let file = ForkFile {
        schema: 1,
        parent: (g == NEW).then_some(OLD),
        generation: g,
        config: spec.release.config,
        definition: spec.hash,
        uid: Some(70000),
        gid: Some(70000),
        spec: spec.clone(),
        parent_started_at: (g == NEW).then(|| StartedAt("then".into())),
        mark,
    };
    Fork {
        generation: g,
        file: Some(file),
        folder: true,
        unfinished: false,
        owned: true,
        set_aside: false,
    }
}

/// The old release runs, proven; the tag points at it.
fn steady() -> World {
    let old = spec(b"old");
    let committed = Committed { generation: OLD, count: 1, spec: old.clone(), at: Timestamp(0) };
    World {
        now: Moment(1000),
        at: Timestamp(0),
        clock_synced: false,
        boot: BootId("this".into()),
        barrier: None,
        keeps_policy: true,
        wanted: Some(Wanted { hash: old.hash, with_current: None, rollback: true }),
        candidate: Candidate::Known(old.clone()),
        record: Record { current: Some(committed), proven: true, ..Record::default() },
        record_from: RecordFrom::File,
        containers: vec![container(OLD, ContainerState::Running)],
        forks: vec![fork(OLD, &old, Some(Mark::Committed { count: 1 }))],
        images: vec![OLD],
        evidence: Evidence::default(),
        health: Health::Settled,
        gate: None,
        dependency: None,
        keep: 3,
    }
}

/// The new release's container is made and compared; the old one runs.
fn ready() -> World {
    let new = spec(b"new");
    let mut w = steady();
    w.candidate = Candidate::Known(new.clone());
    w.record.intent = Some(crate::target::intent(&w, new.clone(), crate::outcome::Trigger::Tag));
    w.containers.push(container(NEW, ContainerState::Created));
    w.forks.push(Fork { unfinished: true, owned: false, ..fork(NEW, &new, None) });
    w.images.push(NEW);
    w.evidence.inspected = Some((NEW, new));
    w.evidence.compared = Some(NEW.to_string());
    w
}

/// The old one is stopped by this run, the fork is made and owned.
fn forked() -> World {
    let mut w = ready();
    w.containers[0] = container(OLD, ContainerState::Exited);
    w.evidence.stopped = Some((OLD, Some(StartedAt("then".into()))));
    w.forks[1] = fork(NEW, &spec(b"new"), None);
    w
}

/// The new one runs in its first probation.
fn probation() -> World {
    let mut w = forked();
    w.containers[1] = container(NEW, ContainerState::Running);
    let probation =
        Probation { boot_id: w.boot.clone(), boots: 1, elapsed_ms: Millis(0), since: Moment(0) };
    if let Some(i) = &mut w.record.intent {
        i.probation = Some(probation);
    }
    w.evidence.begun =
        Some(Begun { generation: NEW, boots: 1, started_at: None, running: false, sent: true });
    w.health = Health::Starting;
    w
}

fn reason(code: Code, class: Class) -> Reason {
    Reason::new(code, class, "it failed", "", Timestamp(0))
}

/// The decision in few words.
fn say(w: &World) -> alloc::string::String {
    let said = match decide(w) {
        Do(Step::Write(change)) => alloc::format!("write {change:?}"),
        Do(step) => alloc::format!("{step:?}"),
        Wait(why, _) => alloc::format!("wait {why:?}"),
        Idle(why) => alloc::format!("idle {why:?}"),
        Blocked(why, _) => alloc::format!("blocked {why:?}"),
    };
    said.split(['(', '{']).next().unwrap_or_default().trim().to_string()
}

fn check(cases: &[(&str, World, &str)]) {
    for (case, w, want) in cases {
        assert_eq!(say(w), *want, "{case}");
    }
}

fn with(mut w: World, change: impl FnOnce(&mut World)) -> World {
    change(&mut w);
    w
}

#[test]
fn p4_a_bad_release_is_tried_once() {
    let new = spec(b"new");
    let bad = with(steady(), |w| {
        w.candidate = Candidate::Known(new.clone());
        w.record.quarantine.push(Quarantined {
            config: Digest::of(b"new"),
            definition: new.hash,
            tag: None,
            reason: reason(Code::Exited, Class::Release),
            at: Timestamp(0),
        });
    });
    check(&[
        ("same release", bad.clone(), "idle Quarantined"),
        (
            "the tag moved on",
            with(bad.clone(), |w| w.candidate = Candidate::Known(spec(b"newer"))),
            "write Begin",
        ),
        (
            "another definition",
            with(bad.clone(), |w| w.record.quarantine[0].definition = Digest::of(b"other")),
            "write Begin",
        ),
        ("an operator retries", with(bad, |w| w.record.quarantine.clear()), "write Begin"),
    ]);
}

#[test]
fn p3_the_old_one_is_stopped_last_of_all() {
    let gate = (reason(Code::DiskLow, Class::Environment), crate::status::WaitingFor::Disk);
    check(&[
        ("all is ready", ready(), "Stop"),
        ("not compared in this run", with(ready(), |w| w.evidence.compared = None), "Compare"),
        ("not inspected in this run", with(ready(), |w| w.evidence.inspected = None), "Inspect"),
        ("a gate is shut", with(ready(), |w| w.gate = Some(gate)), "wait Gate"),
        (
            "the tag went back",
            with(ready(), |w| w.candidate = Candidate::Known(spec(b"old"))),
            "Remove",
        ),
    ]);
}

#[test]
fn p2_the_fork_is_a_copy_of_what_the_old_one_wrote_last() {
    let unfinished = with(forked(), |w| w.forks[1].unfinished = true);
    check(&[
        ("copied and owned", forked(), "write Boots"),
        ("not copied", unfinished, "Fork"),
        ("not owned", with(forked(), |w| w.forks[1].owned = false), "Own"),
        (
            "stopped by a former run: the marker goes back, then the old one comes up",
            with(forked(), |w| w.evidence.stopped = None),
            "Unfinish",
        ),
        (
            "started by somebody meanwhile",
            with(forked(), |w| w.containers[0].started_at = Some(StartedAt("later".into()))),
            "Unfinish",
        ),
        (
            "the copy failed: the app costs no more down time",
            with(forked(), |w| {
                w.forks[1].unfinished = true;
                let reason = reason(Code::ForkFailed, Class::Environment);
                let retry_at = Moment(0);
                w.evidence.failed.push(Failure {
                    generation: NEW,
                    step: StepName::Fork,
                    reason,
                    retry_at,
                });
            }),
            "Mark",
        ),
    ]);
}

#[test]
fn p1_a_started_release_is_judged_by_what_was_seen() {
    let exit = |exit: Exit| {
        with(probation(), |w| {
            w.containers[1].state = ContainerState::Exited;
            w.containers[1].alive = false;
            w.containers[1].exit = Some(exit);
        })
    };
    let own = Exit::Own(reason(Code::Exited, Class::Release));
    let boots = |n: u32, mut w: World| {
        if let Some(p) = w.record.intent.as_mut().and_then(|i| i.probation.as_mut()) {
            p.boots = n;
        }
        if let Some(b) = &mut w.evidence.begun {
            b.boots = n;
        }
        w
    };
    let third = boots(3, exit(Exit::Ambiguous(Code::ExitUnseen)));
    check(&[
        ("probes not yet through", probation(), "wait Probation"),
        ("settled", with(probation(), |w| w.health = Health::Settled), "Arm"),
        ("unhealthy", with(probation(), |w| w.health = Health::Unhealthy), "Mark"),
        ("too late", with(probation(), |w| w.health = Health::Late { said_no: false }), "Mark"),
        ("ended by itself", exit(own), "Mark"),
        ("ended unseen", exit(Exit::Ambiguous(Code::ExitUnseen)), "write Boots"),
        ("ended unseen the third time", third, "Mark"),
        ("another boot", with(probation(), |w| w.boot = BootId("next".into())), "write Boots"),
        ("another run of the agent", with(probation(), |w| w.evidence.begun = None), "write Boots"),
        (
            "the old one runs as well",
            with(probation(), |w| w.containers[0].state = ContainerState::Running),
            "Stop",
        ),
        (
            "an operator stops the app",
            with(probation(), |w| {
                w.record.stopped = Some(Stopped { by: "uid:0".into(), at: Timestamp(0) })
            }),
            "Mark",
        ),
    ]);
}

#[test]
fn p1_no_verdict_without_a_way_back() {
    let lost = with(probation(), |w| {
        w.health = Health::Unhealthy;
        w.containers.remove(0);
        w.images.retain(|g| *g != OLD);
    });
    check(&[
        ("the registry is asked", lost.clone(), "Seek"),
        ("it has it", with(lost.clone(), |w| w.evidence.sought = Some((OLD, true))), "Mark"),
        ("nobody has it", with(lost, |w| w.evidence.sought = Some((OLD, false))), "wait NoWayBack"),
    ]);
}

#[test]
fn p1_the_current_release_comes_back_whatever_took_it_down() {
    let down = |state| with(steady(), |w| w.containers[0] = container(OLD, state));
    let gone = with(steady(), |w| w.containers.clear());
    let dead = with(steady(), |w| w.containers[0].alive = false);
    check(&[
        ("exited", down(ContainerState::Exited), "Start"),
        ("never started", down(ContainerState::Created), "Start"),
        ("paused by a person", down(ContainerState::Paused), "Stop"),
        ("a dead pid that the engine calls running", dead, "Stop"),
        ("container gone", gone.clone(), "Create"),
        ("image gone as well", with(gone.clone(), |w| w.images.clear()), "Seek"),
        (
            "its fork gone",
            with(down(ContainerState::Exited), |w| w.forks[0].folder = false),
            "blocked Failed",
        ),
        ("record lost", with(steady(), |w| w.record_from = RecordFrom::Nowhere), "write Rebuild"),
        ("all well", steady(), "idle Steady"),
    ]);
}

#[test]
fn p4_what_can_not_be_told_apart_gets_one_more_try_after_the_old_one_settled() {
    let tried = with(steady(), |w| {
        let new = spec(b"new");
        w.candidate = Candidate::Known(new.clone());
        let config = Digest::of(b"new");
        w.record.tries =
            Some(Tries { config, definition: new.hash, named: 0, ambiguous: 1, victims: 0 });
    });
    check(&[
        ("old one not settled in this boot", tried.clone(), "wait Settling"),
        ("settled", with(tried.clone(), |w| w.evidence.settled = true), "write Begin"),
        (
            "never proven: it may never settle",
            with(tried.clone(), |w| {
                w.record.proven = false;
                w.health = Health::Healthy;
            }),
            "write Begin",
        ),
        (
            "settled, back-off not over",
            with(tried, |w| {
                w.evidence.settled = true;
                w.evidence.retry_at = Some(Moment(2000));
            }),
            "wait Backoff",
        ),
    ]);
}

#[test]
fn an_equal_specification_is_the_record_s_own_another_stays_what_it_is() {
    let mut w = ready();
    let of_record = |w: &World| w.record.current.as_ref().map(|current| Arc::clone(&current.spec));
    let shared = w.record.share(spec(b"old"));
    assert!(of_record(&w).is_some_and(|own| Arc::ptr_eq(&own, &shared)));
    let intended = w.record.share(spec(b"new"));
    assert!(w.record.intent.as_ref().is_some_and(|own| Arc::ptr_eq(&own.spec, &intended)));
    w.record.intent = None;
    let other = spec(b"new");
    assert!(Arc::ptr_eq(&w.record.share(Arc::clone(&other)), &other));
}
