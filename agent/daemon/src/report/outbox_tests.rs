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

fn take(outbox: &mut Outbox) -> Option<Event> {
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
