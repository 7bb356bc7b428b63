//! Counts, quarantine, holds and numbers: what whole tries leave in the record, and what marks give back.

use alloc::vec::Vec;

use super::*;
use crate::api::{Options, Verb};
use crate::change::{self, Stamp};
use crate::fork::Word;
use crate::outcome::{Ending, Trigger};
use crate::record::{AGENT, Hold};
use crate::step::{Change, Prunable};
use crate::time::PLAUSIBLE;
use crate::{prune, verbs};

fn stamp(mark: Option<Mark>) -> Stamp {
    Stamp {
        app: "wallet".parse().expect("a name"),
        at: Timestamp(0),
        now: Moment(0),
        boot: BootId("this".into()),
        mark,
        steps: vec![],
        down_ms: None,
    }
}

pub(super) fn apply(w: &mut World, change: &Change) {
    let mark = w.record.intent.as_ref().and_then(|i| w.fork(i.generation));
    let mark = mark.and_then(|f| f.file.as_ref()).and_then(|f| f.mark.clone());
    w.record = change::apply(&w.record, change, &stamp(mark));
}

/// One more try of the new release ends with this reason; whether it is quarantined then.
fn ends(w: &mut World, why: &Reason, step: StepName, old_is_healthy: bool) -> bool {
    let new = w.next_generation();
    let intent = crate::target::intent(w, spec(b"new"), Trigger::Tag);
    apply(w, &Change::Begin(intent));
    apply(w, &Change::Boots { boots: 1, boot: w.boot.clone() });
    let mark = Mark::Failed { reason: why.clone(), step, ran: true, word: None };
    w.forks.push(fork(new, &spec(b"new"), Some(mark)));
    for _ in 0..8 {
        w.health = if old_is_healthy { Health::Healthy } else { Health::Unhealthy };
        match decide(w) {
            Do(Step::Write(change)) => apply(w, &change),
            Do(Step::Mark(g, mark)) => {
                let fork = w.forks.iter_mut().find(|f| f.generation == g).expect("a fork");
                fork.file.as_mut().expect("a file").mark = Some(*mark);
            }
            other => panic!("{other:?}"),
        }
        if w.record.intent.is_none() {
            return !w.record.quarantine.is_empty();
        }
    }
    panic!("no end");
}

#[test]
fn p4_tries_are_counted_until_they_condemn() {
    let environment = |code| reason(code, Class::Environment);
    let probation = StepName::Probation;
    for (case, why, step, old_is_healthy, tries) in [
        ("its own fault", reason(Code::Exited, Class::Release), probation, true, Some(1)),
        ("unseen: one more try", environment(Code::ExitUnseen), probation, true, Some(2)),
        ("the board: one more try", environment(Code::BoardRestarted), probation, true, Some(2)),
        ("a disk that filled up meanwhile", environment(Code::DiskLow), probation, true, Some(2)),
        ("a disk too full for a copy", environment(Code::DiskLow), StepName::Fork, true, None),
        ("a port in use", environment(Code::PortInUse), StepName::Start, true, None),
        ("a person", reason(Code::Operator, Class::Operator), probation, true, None),
        (
            "both victims: three more",
            reason(Code::Exited, Class::Release),
            probation,
            false,
            Some(4),
        ),
    ] {
        let mut w = steady();
        let condemned = (1..=6).find(|_| ends(&mut w, &why, step, old_is_healthy));
        assert_eq!(condemned, tries, "{case}");
    }
}

#[test]
fn p4_the_health_of_an_unproven_release_is_no_evidence() {
    let mut w = steady();
    w.record.proven = false;
    let why = reason(Code::Exited, Class::Release);
    assert!(ends(&mut w, &why, StepName::Probation, false));
    assert_eq!(w.record.last.map(|last| last.outcome), Some(Ending::RolledBack));
}

#[test]
fn p4_a_commit_ends_tries_quarantine_and_the_agents_hold() {
    let mut w = probation();
    w.forks[1] = fork(NEW, &spec(b"new"), Some(Mark::Committed { count: 2 }));
    let config = Digest::of(b"new");
    let definition = spec(b"new").hash;
    w.record.tries = Some(Tries { config, definition, named: 0, ambiguous: 1, victims: 0 });
    let (tag, at) = (None, Timestamp(0));
    let entry = |definition| {
        let reason = reason(Code::Exited, Class::Release);
        Quarantined { config, definition, tag: tag.clone(), reason, at }
    };
    w.record.quarantine = vec![entry(definition), entry(Digest::of(b"other"))];
    w.record.hold = Some(Hold { by: AGENT.into(), reason: "".into(), until: None });
    assert_eq!(say(&w), "write Conclude");
    apply(&mut w, &Change::Conclude);
    assert_eq!(w.record.current.as_ref().map(|c| (c.generation, c.count)), Some((NEW, 2)));
    assert_eq!(w.record.previous.as_ref().map(|c| c.generation), Some(OLD));
    assert!(w.record.proven && w.record.tries.is_none() && w.record.hold.is_none());
    assert_eq!(w.record.quarantine, [entry(Digest::of(b"other"))]);
}

#[test]
fn p4_retry_clears_the_agents_hold_and_nobody_elses() {
    for (by, stays) in [(AGENT, false), ("uid:0", true)] {
        let mut w = steady();
        let hold = Hold { by: by.into(), reason: "".into(), until: None };
        apply(&mut w, &Change::Hold(Some(hold)));
        assert_eq!(w.record.held, (by == AGENT).then_some(OLD));
        apply(&mut w, &Change::Retry);
        assert_eq!(w.record.hold.is_some(), stays, "{by}");
    }
}

#[test]
fn p2_numbers_never_go_back() {
    let mut w = steady();
    let begin = |w: &mut World| {
        let intent = crate::target::intent(w, spec(b"new"), Trigger::Tag);
        let g = intent.generation;
        apply(w, &Change::Begin(intent));
        apply(w, &Change::Abandon(reason(Code::Operator, Class::Operator)));
        g
    };
    let numbers: Vec<_> = (0..3).map(|_| begin(&mut w).0).collect();
    assert_eq!(numbers, [2, 3, 4], "each ended before anything was reserved");
    w.record = Record::default();
    w.forks.push(Fork { folder: false, ..fork(Generation(7), &spec(b"new"), None) });
    assert_eq!(begin(&mut w).0, 8, "the file of a pruned fork still counts");
}

#[test]
fn p4_a_rebuilt_record_has_the_quarantine_that_still_holds() {
    let failed = |quarantined| {
        let word = Word { outcome: Ending::RolledBack, quarantined, old_is_healthy: true };
        let reason = reason(Code::Exited, Class::Release);
        Mark::Failed { reason, step: StepName::Probation, ran: true, word: Some(word) }
    };
    let rebuilt = |forks: Vec<Fork>| {
        let w = World {
            record: Record::default(),
            record_from: RecordFrom::Nowhere,
            forks,
            ..steady()
        };
        match crate::rebuild::forward(&w) {
            Some(Change::Rebuild(rebuilt)) => *rebuilt,
            other => panic!("{other:?}"),
        }
    };
    let (old, new) = (spec(b"old"), spec(b"new"));
    let first = || fork(OLD, &old, Some(Mark::Committed { count: 1 }));
    let known = rebuilt(vec![first(), fork(NEW, &new, Some(failed(true)))]);
    assert_eq!(known.current.map(|c| c.generation), Some(OLD));
    assert_eq!(known.quarantine.len(), 1);
    let doubted = rebuilt(vec![first(), fork(NEW, &new, Some(failed(false)))]);
    assert_eq!(doubted.quarantine.len(), 0);
    let third = fork(Generation(3), &new, Some(Mark::Committed { count: 2 }));
    let retried = rebuilt(vec![first(), fork(NEW, &new, Some(failed(true))), third]);
    assert_eq!(retried.current.map(|c| c.generation.0), Some(3));
    assert_eq!(retried.previous.map(|c| c.generation), Some(OLD));
    assert_eq!(retried.quarantine.len(), 0, "an operator had it tried again, and it won");
}

#[test]
fn p1_a_record_without_marks_is_rebuilt_from_what_the_engine_would_start() {
    let (old, new) = (spec(b"old"), spec(b"new"));
    let lost = World { record: Record::default(), record_from: RecordFrom::Nowhere, ..steady() };
    let current = |containers: Vec<Container>, forks: Vec<Fork>| {
        let w = World { containers, forks, ..lost.clone() };
        match crate::rebuild::forward(&w) {
            Some(Change::Rebuild(rebuilt)) => rebuilt.current.map(|c| c.generation),
            None => None,
            other => panic!("{other:?}"),
        }
    };
    let run = |g| container(g, ContainerState::Running);
    let armed = |g| Container { armed: true, ..run(g) };
    let plain = |g| Container { armed: false, ..run(g) };
    let both = || vec![fork(OLD, &old, None), fork(NEW, &new, None)];
    assert_eq!(current(vec![armed(OLD), plain(NEW)], both()), Some(OLD));
    assert_eq!(current(vec![armed(OLD), armed(NEW)], both()), Some(OLD), "of two the lower");
    assert_eq!(
        current(vec![plain(OLD), plain(NEW)], both()),
        Some(NEW),
        "the highest complete one"
    );
    let mut half = both();
    half[1].unfinished = true;
    assert_eq!(current(vec![armed(NEW)], half.clone()), Some(OLD), "it ran on half a copy");
    assert_eq!(current(vec![], half), Some(OLD));
    let mut gone = both();
    gone[0].folder = false;
    assert_eq!(current(vec![armed(OLD)], gone), Some(OLD), "its disk may come back");
    let failed = Mark::Failed {
        reason: reason(Code::Exited, Class::Release),
        step: StepName::Probation,
        ran: true,
        word: None,
    };
    let bad = vec![fork(OLD, &old, None), fork(NEW, &new, Some(failed))];
    assert_eq!(current(vec![], bad), Some(OLD), "the highest one has failed");
    assert_eq!(current(vec![], vec![]), None);
    let marked = World {
        record_from: RecordFrom::File, // written by a request before anything was looked at
        forks: vec![fork(OLD, &old, Some(Mark::Committed { count: 1 }))],
        ..lost
    };
    assert_eq!(say(&marked), "write Rebuild");
    let mut older = World { record_from: RecordFrom::Former, ..steady() };
    let change = crate::rebuild::forward(&older).expect("a change");
    apply(&mut older, &change);
    assert!(!older.record.proven, "until its probes pass again");
}

#[test]
fn p8_a_record_lost_between_mark_and_outcome_is_concluded_from_the_one_before() {
    for is_first in [false, true] {
        let mut w = World { record_from: RecordFrom::Former, ..ready() };
        if is_first {
            w.record.current = None;
            w.forks.clear();
        }
        w.forks.retain(|f| f.generation != NEW);
        w.forks.push(fork(NEW, &spec(b"new"), Some(Mark::Committed { count: 7 })));
        assert_eq!(crate::rebuild::forward(&w), Some(Change::Conclude), "first: {is_first}");
        apply(&mut w, &Change::Conclude);
        let last = w.record.last.as_ref().map(|last| (last.generation, last.outcome));
        assert_eq!(last, Some((Some(NEW), Ending::Committed)));
        assert_eq!(w.record.current.as_ref().map(|c| (c.generation, c.count)), Some((NEW, 7)));
    }
}

#[test]
fn p1_time_in_probation_goes_on_over_starts_and_boots() {
    let mut record = ready().record;
    for (case, boot, now, want) in [
        ("the first start", "this", 5_000, 0),
        ("a second one in the same boot", "this", 9_000, 4_000),
        ("another boot: the time since the last start is not known", "next", 3_000, 4_000),
        ("a second one there", "next", 3_500, 4_500),
    ] {
        let boot = BootId(boot.into());
        let at = Stamp { now: Moment(now), boot: boot.clone(), ..stamp(None) };
        record = change::apply(&record, &Change::Boots { boots: 1, boot }, &at);
        let probation = record.intent.as_ref().and_then(|i| i.probation.as_ref());
        assert_eq!(probation.map(|p| p.elapsed_ms), Some(Millis(want)), "{case}");
    }
}

fn options(old_state: bool, keep_state: bool) -> Options {
    Options { old_state, keep_state, ..Options::default() }
}

/// Two commits; the newer one is current.
pub(super) fn twice() -> World {
    with(steady(), |w| {
        w.record.previous = w.record.current.clone();
        let (generation, count, spec, at) = (NEW, 2, spec(b"new"), Timestamp(0));
        w.forks.push(fork(NEW, &spec, Some(Mark::Committed { count })));
        w.candidate = Candidate::Known(spec.clone());
        w.record.current = Some(Committed { generation, count, spec, at });
        w.containers = vec![Container { armed: true, ..container(NEW, ContainerState::Running) }];
        w.images.push(NEW);
    })
}

#[test]
fn p4_an_old_fork_has_an_old_commit_that_ends_no_new_try() {
    let mut w = twice();
    let change = verbs::change(&w, Verb::Rollback, options(true, false), "uid:0");
    apply(&mut w, &change.expect("it may go back").expect("a change"));
    assert_eq!(w.record.left, Some(Digest::of(b"new")));
    assert_eq!(w.record.intent.as_ref().map(|i| (i.generation, i.parent)), Some((OLD, None)));
    assert_eq!(say(&w), "Inspect", "its mark, count 1, is below that of the current one");
    w.record.intent.as_mut().expect("an intent").probation = Some(Probation {
        boot_id: w.boot.clone(),
        boots: 1,
        elapsed_ms: Millis(0),
        since: Moment(0),
    });
    w.forks[0] = fork(OLD, &spec(b"old"), Some(Mark::Committed { count: 3 }));
    assert_eq!(say(&w), "write Conclude");
    apply(&mut w, &Change::Conclude);
    assert_eq!(w.record.current.as_ref().map(|c| (c.generation, c.count)), Some((OLD, 3)));
    assert_eq!(w.record.previous.as_ref().map(|c| c.generation), Some(NEW));
    w.containers = vec![container(OLD, ContainerState::Running)];
    assert_eq!(say(&w), "idle Left", "not taken again by itself");
}

#[test]
fn a_rollback_is_refused_where_it_would_end_at_once() {
    let go = |w: &World, old, keep| verbs::change(w, Verb::Rollback, options(old, keep), "uid:0");
    let stopped = Stopped { by: "uid:0".into(), at: Timestamp(0) };
    let fork_gone = with(twice(), |w| w.forks[0].folder = false);
    for (case, w, old, keep, is_taken) in [
        ("as it is", twice(), true, false, true),
        ("both options", twice(), true, true, false),
        ("no previous release", steady(), true, false, false),
        ("stopped", with(twice(), |w| w.record.stopped = Some(stopped)), true, false, false),
        ("its definition is gone", with(twice(), |w| w.wanted = None), true, false, false),
        ("under way", probation(), true, false, false),
        ("the previous fork is gone, old state", fork_gone.clone(), true, false, false),
        ("the previous fork is gone, today's state", fork_gone, false, true, true),
    ] {
        assert_eq!(go(&w, old, keep).is_ok(), is_taken, "{case}");
    }
}

#[test]
fn p2_a_number_is_never_given_out_twice() {
    for (case, change) in [
        (
            "a container's label",
            (|w| w.containers.push(container(Generation(7), ContainerState::Exited)))
                as fn(&mut World),
        ),
        ("a fork", |w| w.forks.push(fork(Generation(7), &spec(b"new"), None))),
        ("the record", |w| w.record.numbers = Generation(7)),
    ] {
        assert_eq!(with(steady(), change).next_generation(), Generation(8), "{case}");
    }
}

#[test]
fn p2_what_is_kept_of_forks() {
    let failed = |ran| Mark::Failed {
        reason: reason(Code::Exited, Class::Release),
        step: StepName::Probation,
        ran,
        word: None,
    };
    let g = |n: u64, mark: Option<Mark>| fork(Generation(n), &spec(b"new"), mark);
    let committed = |count| Some(Mark::Committed { count });
    let mut w = twice();
    w.keep = 1;
    w.forks.extend([
        g(3, committed(0)),
        g(4, committed(0)),
        g(5, Some(failed(true))),
        g(6, Some(failed(true))),
        g(7, Some(failed(false))),
        g(8, None),
    ]);
    let gone = |w: &World| {
        let Prunable { mut forks, .. } = prune::prunable(w);
        forks.sort_unstable();
        forks.iter().map(|g| g.0).collect::<Vec<_>>()
    };
    // 1 and 2 are previous and current, 6 is the newest that failed, 5 the one more that is kept.
    assert_eq!(gone(&w), [3, 4, 7, 8]);
    let day = 24 * 60 * 60 * 1000;
    for (case, found, now, is_synced, want) in [
        ("30 days", 0, 30, true, &[3, 4, 7, 8][..]),
        ("31 days: one of them is kept beside current and previous", 0, 31, true, &[3, 4, 5, 7, 8]),
        ("31 days by a clock that nobody set", 0, 31, false, &[3, 4, 7, 8]),
        ("found by a clock that nobody had set", -1, 31, true, &[3, 4, 7, 8]),
        ("found by a clock that was a year ahead", 365, 31, true, &[3, 4, 7, 8]),
    ] {
        let mut w = w.clone();
        let at = |days: i64| Timestamp(if days < 0 { 0 } else { PLAUSIBLE.0 + days * day });
        for mark in w.forks.iter_mut().filter_map(|f| f.file.as_mut()?.mark.as_mut()) {
            if let Mark::Failed { reason, .. } = mark {
                reason.at = at(found);
            }
        }
        (w.at, w.clock_synced) = (at(now), is_synced);
        assert_eq!(gone(&w), want, "{case}");
    }
    w.forks[6].folder = false;
    w.forks[7].folder = false;
    assert_eq!(
        gone(&w),
        [3, 4, 7],
        "of 7 the file alone is left, and goes; that of the highest stays"
    );
    let mut first = World { record: Record::default(), ..w };
    first.forks = vec![g(1, None), g(2, None)];
    assert_eq!(gone(&first), [1], "nobody is current: the next update copies the newest");
}
