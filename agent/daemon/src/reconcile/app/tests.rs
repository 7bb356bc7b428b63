//! What memory keeps of down time, restarts and exits, and what ends a failure.

use titania_core::reason::Class;
use titania_core::time::Timestamp;
use titania_core::world::{Doubt, Failure};

use super::*;

#[test]
fn down_time_adds_up_over_an_update_and_is_null_when_none_was_seen() {
    let mut down = Down::default();
    assert_eq!(down.total(Moment(5)), None);
    down.ended(Moment(6));
    assert_eq!(down.total(Moment(7)), None);
    down.began(Moment(10));
    down.began(Moment(15));
    assert_eq!(down.total(Moment(20)), Some(Millis(10)));
    down.ended(Moment(30));
    assert_eq!(down.total(Moment(90)), Some(Millis(20)));
    down.began(Moment(100));
    down.ended(Moment(107));
    assert_eq!(down.total(Moment(200)), Some(Millis(27)));
}

#[test]
fn a_release_that_keeps_ending_is_restarted_ever_more_slowly_until_it_ran_a_while() {
    let mut memory = Memory::new(Record::default(), RecordFrom::Nowhere);
    let mut now = Moment(100_000);
    for seconds in [1, 2, 4, 8] {
        memory.must_restart(now);
        let at = memory.evidence.restart_at.expect("a time");
        assert_eq!(at.since(now), Millis::seconds(seconds));
        now = at.after(Millis(500)); // it ran for half a second
    }
    now = memory.evidence.restart_at.expect("a time").after(Millis::seconds(11));
    memory.must_restart(now);
    assert_eq!(memory.evidence.restart_at, Some(now.after(Millis::seconds(1))));
}

#[test]
fn three_exits_within_ten_minutes_are_a_crash_loop() {
    let (first, second) = (Generation(1), Generation(2));
    let at = |minutes: u64| Moment(minutes * 60_000);
    let mut memory = Memory::new(Record::default(), RecordFrom::Nowhere);
    memory.exited(first, at(0));
    memory.exited(first, at(1));
    assert!(!memory.is_crash_loop(first, at(1)));
    memory.exited(first, at(2));
    assert!(memory.is_crash_loop(first, at(2)));
    assert!(memory.is_crash_loop(first, at(10)));
    assert!(!memory.is_crash_loop(first, at(11)));
    assert!(!memory.is_crash_loop(second, at(2)), "the next one is not to blame");
    memory.exited(second, at(3));
    assert_eq!(memory.exits.len(), 1);
}

#[test]
fn more_room_ends_what_waits_for_a_disk_and_nothing_else() {
    let mut memory = Memory::new(Record::default(), RecordFrom::Nowhere);
    assert!(!memory.waits_for_disk() && !memory.disk_has_more_room());
    let failure = |step, code| Failure {
        generation: Generation(2),
        step,
        reason: Reason::new(code, Class::Environment, "", "", Timestamp(0)),
        retry_at: Moment(900_000),
    };
    let others = failure(StepName::Stop, Code::EngineError);
    memory.evidence.failed = vec![
        failure(StepName::Reserve, Code::DiskLow),
        others.clone(),
        failure(StepName::Fetch, Code::DiskLow),
    ];
    memory.failures.insert((Generation(2), StepName::Reserve), 7);
    let pause =
        |code| Pause { reason: failure(StepName::Own, code).reason, until: Moment(1), count: 1 };
    memory.pause = Some(pause(Code::DiskLow));
    assert!(memory.waits_for_disk() && memory.disk_has_more_room());
    assert_eq!((memory.evidence.failed.clone(), memory.failures.len()), (vec![others], 0));
    assert!(memory.pause.is_none() && !memory.waits_for_disk());
    memory.pause = Some(pause(Code::EngineError));
    assert!(!memory.disk_has_more_room() && memory.pause.is_some());
}

#[test]
fn an_image_is_suspected_once_in_a_while_unless_it_was_removed_since() {
    let (first, second) = (Generation(1), Generation(2));
    let at = |minutes: u64| Moment(minutes * 60_000);
    let mut memory = Memory::new(Record::default(), RecordFrom::Nowhere);
    let suspected = Some((first, Doubt::Suspected));
    memory.suspect(first, at(1));
    assert_eq!(memory.evidence.doubt, suspected);
    (memory.looked, memory.evidence.doubt) = (Some((first, at(1))), None); // it was sound
    memory.suspect(first, at(11));
    assert_eq!(memory.evidence.doubt, None);
    memory.suspect(second, at(11));
    assert_eq!(memory.evidence.doubt, Some((second, Doubt::Suspected)), "another image");
    memory.suspect(first, at(12));
    assert_eq!(memory.evidence.doubt, suspected);
    memory.evidence.doubt = Some((first, Doubt::Damaged));
    memory.looked = None;
    memory.suspect(first, at(30));
    assert_eq!(memory.evidence.doubt, Some((first, Doubt::Damaged)), "that is known");
    memory.forgive_all();
    assert_eq!((memory.evidence.doubt, memory.looked), (None, None), "an operator's retry");
}

#[test]
fn an_image_that_is_gone_is_needed_where_its_container_ends_again_soon() {
    let first = Generation(1);
    let at = |minutes: u64| Moment(minutes * 60_000);
    let mut memory = Memory::new(Record::default(), RecordFrom::Nowhere);
    let gone = Some((first, Doubt::Gone));
    (memory.looked, memory.evidence.doubt) = (Some((first, at(1))), gone);
    memory.suspect(Generation(2), at(2));
    memory.evidence.doubt = gone;
    memory.suspect(first, at(3));
    assert_eq!(memory.evidence.doubt, Some((first, Doubt::Needed)));
    memory.suspect(first, at(30));
    assert_eq!(memory.evidence.doubt, Some((first, Doubt::Needed)), "until it is here");
    memory.evidence.doubt = gone;
    memory.suspect(first, at(31));
    assert_eq!(memory.evidence.doubt, Some((first, Doubt::Suspected)), "it ran for a while");
}
