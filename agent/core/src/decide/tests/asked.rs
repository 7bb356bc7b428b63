//! What an operator has done with the state: snapshot, restore, purge.

use super::record::{apply, twice};
use super::*;
use crate::api::{Options, Verb};
use crate::outcome::{Ending, Trigger};
use crate::step::Change;
use crate::verbs;

const PLAIN: Options = Options { old_state: false, keep_state: false, fork: None, yes: false };

fn fork_of(number: u64) -> Options {
    Options { fork: Some(Generation(number)), ..PLAIN }
}

/// A world in which an operator has asked for this.
fn asked(mut w: World, verb: Verb, options: Options) -> World {
    let change = verbs::change(&w, verb, options, "uid:0").expect("it is taken");
    apply(&mut w, &change.expect("a change"));
    w
}

/// The same app, with state.
fn with_state(mut w: World) -> World {
    let give = |spec: &mut Arc<Spec>| {
        Arc::make_mut(spec).definition.shape.volumes.state.push("/wallet".into());
    };
    let record = &mut w.record;
    for committed in [&mut record.current, &mut record.previous].into_iter().flatten() {
        give(&mut committed.spec);
    }
    w
}

/// The copy is made, its container runs in its first probation.
fn on_the_copy(mut w: World) -> World {
    let i = w.record.intent.clone().expect("an intent");
    let mut made = fork(i.generation, &i.spec, None);
    if let Some(file) = &mut made.file {
        (file.parent, file.parent_started_at) = (i.parent, None);
    }
    w.forks.push(made);
    w.images.push(i.generation);
    let begun =
        Begun { generation: i.generation, boots: 1, started_at: None, running: false, sent: true };
    w.evidence.begun = Some(begun);
    let boot = w.boot.clone();
    apply(&mut w, &Change::Boots { boots: 1, boot });
    w.containers[0] = container(NEW, ContainerState::Exited);
    w.containers
        .push(Container { armed: true, ..container(i.generation, ContainerState::Running) });
    w
}

#[test]
fn p2_a_restore_is_an_update_to_the_same_release_on_a_copy_of_the_fork_named() {
    let w = asked(with_state(twice()), Verb::Restore, fork_of(1));
    let i = w.record.intent.clone().expect("an intent");
    assert_eq!((i.generation, i.parent, i.trigger), (Generation(3), Some(OLD), Trigger::Operator));
    assert_eq!(i.spec.release.config, Some(Digest::of(b"new")));
    assert_eq!(i.by.as_deref(), Some("uid:0"));
    let Do(Step::Reserve(file)) = decide(&w) else { panic!("{:?}", decide(&w)) };
    assert_eq!((file.generation, file.parent), (Generation(3), Some(OLD)));
    let mut w = on_the_copy(w);
    w.health = Health::Settled;
    assert_eq!(say(&w), "Mark");
    w.forks[2].file.as_mut().expect("a file").mark = Some(Mark::Committed { count: 3 });
    apply(&mut w, &Change::Conclude);
    let record = &w.record;
    assert_eq!(record.current.as_ref().map(|c| c.generation), Some(Generation(3)));
    assert_eq!(record.previous.as_ref().map(|c| c.generation), Some(OLD), "the release before");
    assert_eq!(record.left, None);
    let last = record.last.clone().expect("a line");
    assert_eq!((last.outcome, last.snapshot), (Ending::Committed, Some(NEW)));
    assert!(!crate::prune::prunable(&w).forks.contains(&NEW), "what it had is kept");
    assert!(!w.forks[0].is_manual(&w.forks) && !w.forks[1].is_manual(&w.forks));
    // The same is said by the marks alone.
    let lost = World { record: Record::default(), record_from: RecordFrom::Nowhere, ..w.clone() };
    let Some(Change::Rebuild(rebuilt)) = rebuild::forward(&lost) else { panic!("nothing") };
    assert_eq!(rebuilt.previous.map(|c| c.generation), Some(OLD));
}

#[test]
fn p4_a_release_that_fails_on_another_state_is_not_condemned_nor_counted() {
    let mut w = on_the_copy(asked(with_state(twice()), Verb::Restore, fork_of(1)));
    w.health = Health::Unhealthy;
    let Do(Step::Mark(g, mark)) = decide(&w) else { panic!("{:?}", decide(&w)) };
    w.forks[2].file.as_mut().expect("a file").mark = Some(*mark);
    assert_eq!((g, say(&w).as_str()), (Generation(3), "write Verdict"));
    let Do(Step::Write(change)) = decide(&w) else { panic!("{:?}", decide(&w)) };
    apply(&mut w, &change);
    w.containers = vec![Container { armed: true, ..container(NEW, ContainerState::Running) }];
    w.health = Health::Healthy;
    let Do(Step::Mark(_, mark)) = decide(&w) else { panic!("{:?}", decide(&w)) };
    w.forks[2].file.as_mut().expect("a file").mark = Some(*mark);
    apply(&mut w, &Change::Conclude);
    assert_eq!(w.record.last.as_ref().map(|last| last.outcome), Some(Ending::RolledBack));
    assert!(w.record.quarantine.is_empty());
    assert_eq!(w.record.tries, None);
    assert_eq!(w.record.current.as_ref().map(|c| c.generation), Some(NEW));
}

#[test]
fn p2_a_snapshot_goes_on_with_a_copy_and_leaves_what_was_there() {
    let w = asked(with_state(twice()), Verb::Snapshot, PLAIN);
    let i = w.record.intent.clone().expect("an intent");
    assert_eq!((i.generation, i.parent), (Generation(3), Some(NEW)));
    let mut w = on_the_copy(w);
    assert!(!w.forks[1].is_manual(&w.forks), "not yet");
    w.forks[2].file.as_mut().expect("a file").mark = Some(Mark::Committed { count: 3 });
    assert!(w.forks[1].is_manual(&w.forks));
    assert!(!w.forks[0].is_manual(&w.forks) && !w.forks[2].is_manual(&w.forks));
}

#[test]
fn what_does_not_fit_the_app_is_refused() {
    let stopped = || Some(Stopped { by: "uid:0".into(), at: Timestamp(0) });
    let fits = || with_state(twice());
    for (case, w, verb, options, is_taken) in [
        ("a kept fork", fits(), Verb::Restore, fork_of(1), true),
        ("the one in use", fits(), Verb::Restore, fork_of(2), false),
        ("a fork that is not there", fits(), Verb::Restore, fork_of(9), false),
        (
            "half a fork",
            with(fits(), |w| w.forks[0].unfinished = true),
            Verb::Restore,
            fork_of(1),
            false,
        ),
        ("no number", fits(), Verb::Restore, PLAIN, false),
        ("no state", twice(), Verb::Restore, fork_of(1), false),
        ("stopped", with(fits(), |w| w.record.stopped = stopped()), Verb::Snapshot, PLAIN, false),
        ("no definition", with(fits(), |w| w.wanted = None), Verb::Snapshot, PLAIN, false),
        ("nothing is kept", with(fits(), |w| w.keep = 0), Verb::Snapshot, PLAIN, false),
        (
            "not installed",
            with(fits(), |w| w.record = Record::default()),
            Verb::Snapshot,
            PLAIN,
            false,
        ),
        ("a snapshot", fits(), Verb::Snapshot, PLAIN, true),
        ("a number", fits(), Verb::Snapshot, fork_of(1), false),
        ("it runs", fits(), Verb::Purge, Options { yes: true, ..PLAIN }, false),
    ] {
        assert_eq!(verbs::change(&w, verb, options, "uid:0").is_ok(), is_taken, "{case}");
    }
    let mut w = fits();
    w.record.intent = Some(crate::target::intent(&w, spec(b"new"), Trigger::Tag));
    assert!(verbs::change(&w, Verb::Snapshot, PLAIN, "uid:0").is_err(), "under way");
}

#[test]
fn p2_a_purge_stops_first_and_ends_with_an_app_that_stays_stopped() {
    let yes = Options { yes: true, ..PLAIN };
    let stopped = Stopped { by: "uid:0".into(), at: Timestamp(0) };
    let mut w = asked(with(twice(), |w| w.record.stopped = Some(stopped)), Verb::Purge, yes);
    assert_eq!(w.wanted_generation(), None);
    assert_eq!(say(&w), "Stop");
    w.containers = vec![container(NEW, ContainerState::Exited)];
    assert_eq!(say(&w), "Remove");
    w.containers.clear();
    assert_eq!(say(&w), "Purge");
    assert!(verbs::change(&w, Verb::Start, PLAIN, "uid:0").is_err(), "not meanwhile");
    assert_eq!(verbs::change(&w, Verb::Purge, yes, "uid:0"), Ok(None), "twice is once");
    // Half done, and nobody remembers: it goes on.
    w.forks.clear();
    w.evidence = Evidence::default();
    assert_eq!(say(&w), "Purge");
    w.record.numbers = Generation(2);
    apply(&mut w, &Change::Purged);
    assert_eq!(say(&w), "idle Stopped");
    assert_eq!((w.record.current.clone(), w.next_generation()), (None, Generation(3)));
    let orphan = asked(with(twice(), |w| w.wanted = None), Verb::Purge, yes);
    assert_eq!(say(&orphan), "Stop", "an orphan needs no stop before");
}
