//! Order, bounds, and what tells of events given up.

use super::*;

fn event(seq: u64, text: &str) -> Event {
    Event {
        schema: 1,
        board: "b".into(),
        seq,
        boot_id: BootId("boot".into()),
        at: Timestamp(1_000 * i64::try_from(seq).unwrap()),
        clock_synced: true,
        app: None,
        kind: EventType::AgentStarted,
        level: Level::Info,
        reason: None,
        release: None,
        update: None,
        text: text.into(),
    }
}

/// What is given up is written down when the outbox waits for that.
fn keep(outbox: &mut Outbox) {
    let delivery = outbox.delivery();
    if delivery.is_to_be_kept {
        outbox.kept(delivery.dropped.unwrap().last);
    }
}

fn take(outbox: &mut Outbox) -> Option<Event> {
    let _asked = outbox.head();
    keep(outbox);
    let payload = outbox.head()?;
    outbox.acknowledged();
    Some(serde_json::from_slice(&payload).unwrap())
}

#[test]
fn events_leave_in_order_and_the_head_stays_until_it_is_acknowledged() {
    let mut outbox = Outbox::default();
    outbox.push(&event(1, "first"));
    outbox.push(&event(2, "second"));
    let head = outbox.head().unwrap();
    assert_eq!(outbox.head().unwrap(), head, "a new connection sends it again");
    assert_eq!(outbox.queued(), 2);
    outbox.acknowledged();
    assert_eq!(take(&mut outbox).unwrap().text, "second");
    assert_eq!((take(&mut outbox), outbox.queued(), outbox.bytes), (None, 0, 0));
}

#[test]
fn the_oldest_go_first_and_one_event_says_so_where_they_were() {
    let mut outbox = Outbox::default();
    let most = EVENTS_MAX as u64;
    outbox.push(&event(1, "in flight"));
    assert!(outbox.head().is_some());
    for seq in 2..=most + 1 {
        outbox.push(&event(seq, "x"));
    }
    assert_eq!((outbox.dropped(), outbox.queued()), (0, most + 1), "at the limit");
    outbox.push(&event(most + 2, "x"));
    outbox.push(&event(most + 3, "x"));
    assert_eq!(outbox.dropped(), 2, "two past it");
    assert_eq!(take(&mut outbox).unwrap().seq, 1, "the one in flight is kept");
    let told = take(&mut outbox).unwrap();
    assert_eq!(
        (told.kind, told.seq, told.at, told.level),
        (EventType::EventsDropped, 3, Timestamp(3_000), Level::Warning)
    );
    assert_eq!(
        told.text,
        "2 events, numbers 2 to 3, were given up: the broker was away too long to keep them"
    );
    let rest: Vec<u64> = std::iter::from_fn(|| take(&mut outbox)).map(|e| e.seq).collect();
    assert_eq!(rest, (4..=most + 3).collect::<Vec<_>>());
}

#[test]
fn bytes_are_bounded_too() {
    let mut outbox = Outbox::default();
    let text = "x".repeat(50_000);
    for seq in 1..=20 {
        outbox.push(&event(seq, &text));
        assert!(outbox.bytes <= BYTES_MAX, "{}", outbox.bytes);
    }
    assert_eq!(outbox.dropped() + outbox.queued(), 21, "with the one that tells");
    assert!(outbox.dropped() >= 9);
}

#[test]
fn one_event_over_the_limit_is_given_up_alone() {
    let room = EVENT_BYTES_MAX - serde_json::to_vec(&event(2, "")).unwrap().len();
    for (case, length, dropped) in [("at it", room, 0), ("past it", room + 1, 1)] {
        let mut outbox = Outbox::default();
        outbox.push(&event(1, "before"));
        outbox.push(&event(2, &"x".repeat(length)));
        outbox.push(&event(3, "after"));
        assert_eq!(outbox.dropped(), dropped, "{case}");
        let seqs: Vec<u64> = std::iter::from_fn(|| take(&mut outbox)).map(|e| e.seq).collect();
        assert!(seqs.starts_with(&[1]) && seqs.ends_with(&[3]), "{case}: {seqs:?}");
    }
}

#[test]
fn what_was_too_long_ago_is_given_up_where_the_clock_could_be_trusted() {
    for (case, is_synced, old, dropped) in [
        ("at it", true, 0, 0),
        ("past it", true, -1, 1),
        ("past it, by a clock that was wrong", false, -1, 0),
    ] {
        let mut outbox = Outbox::default();
        outbox.push(&Event { at: Timestamp(old), clock_synced: is_synced, ..event(1, "old") });
        outbox.push(&Event { at: Timestamp(AGE_MAX), ..event(2, "new") });
        assert_eq!(outbox.dropped(), dropped, "{case}");
    }
}

#[test]
fn delivery_tells_what_is_still_needed() {
    let mut outbox = Outbox::default();
    let told = |in_flight, kept_from| Delivery { in_flight, kept_from, ..Delivery::default() };
    outbox.push(&event(7, "a"));
    outbox.push(&event(9, "b"));
    assert_eq!(outbox.delivery(), told(None, 7));
    let _sent = outbox.head();
    assert_eq!(outbox.delivery(), told(Some(7), 9));
    outbox.acknowledged();
    assert_eq!(outbox.delivery(), told(None, 9));
    let _told = take(&mut outbox);
    assert_eq!(outbox.delivery(), told(None, 10));
}

/// Overfills an outbox with the first event in flight.
fn overfilled() -> Outbox {
    let mut outbox = Outbox::default();
    outbox.push(&event(1, "in flight"));
    let _sent = outbox.head();
    for seq in 2..=EVENTS_MAX as u64 + 3 {
        outbox.push(&event(seq, "x"));
    }
    outbox
}

#[test]
fn a_restart_goes_on_with_the_one_in_flight_the_gap_and_the_rest() {
    let before = overfilled();
    let delivery = before.delivery();
    let gap = delivery.dropped.unwrap();
    assert_eq!((gap.count, gap.first, gap.last), (2, 2, 3));
    assert_eq!((delivery.in_flight, delivery.kept_from), (Some(1), 4));
    let left: Vec<Event> =
        std::iter::once(1).chain(4..=EVENTS_MAX as u64 + 3).map(|seq| event(seq, "x")).collect();
    let mut after = Outbox::default();
    after.restore(&left, delivery.dropped);
    assert_eq!((after.delivery(), after.dropped()), (delivery, 2));
    let told: Vec<_> = std::iter::from_fn(|| take(&mut after)).map(|e| (e.seq, e.kind)).collect();
    assert_eq!(told[0], (1, EventType::AgentStarted));
    assert_eq!(told[1], (3, EventType::EventsDropped));
    assert_eq!(told[2], (4, EventType::AgentStarted));
    assert_eq!(told.len(), EVENTS_MAX + 2);
    assert_eq!(after.delivery().dropped, None, "told");
}

/// The broker has nine and went deaf on the tenth; the file of that holds all ten.
#[test]
fn a_restart_takes_what_was_acknowledged_before_the_one_in_flight_for_no_part_of_the_gap() {
    let gap = Dropped { count: 4, first: 22, last: 28, at: Timestamp(28_000), clock_synced: true };
    let told = |rest: std::ops::RangeInclusive<u64>| {
        let left: Vec<Event> = (1..=10).chain(rest).map(|n| event(2 * n, "x")).collect();
        let mut after = Outbox::default();
        after.restore(&left, Some(gap));
        assert_eq!(after.delivery().in_flight, Some(20));
        let told: Vec<_> = std::iter::from_fn(|| take(&mut after)).collect();
        told
    };
    let numbers = |told: &[Event]| told.iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(numbers(&told(15..=16)), [20, 29, 30, 32], "with room left");
    let full = told(15..=EVENTS_MAX as u64 + 15);
    assert_eq!(numbers(&full[..3]), [20, 31, 32], "the oldest goes, as at any time");
    assert!(full[1].text.starts_with("5 events, numbers 22 to 30, "), "{}", full[1].text);
}

#[test]
fn a_restart_with_nothing_but_a_gap_tells_it_as_this_board_and_needs_nothing_below() {
    let gap = Dropped { count: 2, first: 2, last: 3, at: Timestamp(3_000), clock_synced: true };
    let mut after = Outbox::default();
    after.restore(&[event(1, "in flight")], Some(gap));
    let told: Vec<_> = std::iter::from_fn(|| take(&mut after)).collect();
    assert_eq!(told.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((&*told[1].board, &*told[1].boot_id.0), ("b", "boot"));
    assert_eq!(after.delivery().kept_from, 4);
}

#[test]
fn what_is_given_up_while_that_is_being_told_is_told_next() {
    let mut outbox = overfilled();
    outbox.acknowledged();
    let _asked = outbox.head();
    keep(&mut outbox);
    let _confession = outbox.head().unwrap();
    outbox.push(&event(EVENTS_MAX as u64 + 4, "x"));
    let dropped = outbox.delivery().dropped.unwrap();
    assert_eq!((dropped.count, dropped.first, dropped.last), (3, 2, 4), "none of it told yet");
    assert_eq!(outbox.delivery().in_flight, None, "no event of the board's");
    outbox.acknowledged();
    let dropped = outbox.delivery().dropped.unwrap();
    assert_eq!((dropped.count, dropped.first, dropped.last), (1, 4, 4));
}

/// Else an agent killed in that instant would read them again, and send the last of them after it.
#[test]
fn what_was_given_up_is_told_only_when_it_is_on_disk_as_that() {
    let mut outbox = overfilled();
    assert!(!outbox.delivery().is_to_be_kept, "its turn has not come");
    outbox.acknowledged();
    assert_eq!(outbox.head(), None, "nor is one after it sent meanwhile");
    assert_eq!(outbox.queued(), EVENTS_MAX as u64 + 1);
    let waits_for = outbox.delivery();
    assert!(waits_for.is_to_be_kept);
    outbox.push(&event(EVENTS_MAX as u64 + 4, "x"));
    outbox.kept(waits_for.dropped.unwrap().last - 1);
    assert_eq!(outbox.head(), None, "not all of them");
    outbox.kept(waits_for.dropped.unwrap().last);
    let told = take(&mut outbox).unwrap();
    assert_eq!((told.kind, told.seq), (EventType::EventsDropped, 3));
    assert!(told.text.starts_with("2 events, numbers 2 to 3, "), "{}", told.text);
    assert_eq!(outbox.head(), None, "the next one waits for itself");
    let told = take(&mut outbox).unwrap();
    assert_eq!((told.kind, told.seq), (EventType::EventsDropped, 5));
}

#[test]
fn a_gap_that_is_all_that_was_left_is_told_when_it_is_known_whose_it_is() {
    let gap = Dropped { count: 2, first: 2, last: 4, at: Timestamp(3_000), clock_synced: true };
    let mut after = Outbox::default();
    after.restore(&[], Some(gap));
    assert_eq!(take(&mut after), None);
    after.push(&event(6, "first of this run"));
    let told: Vec<_> = std::iter::from_fn(|| take(&mut after)).collect();
    assert_eq!(
        told.iter().map(|event| (event.seq, &*event.board)).collect::<Vec<_>>(),
        [(5, "b"), (6, "b")]
    );
}
