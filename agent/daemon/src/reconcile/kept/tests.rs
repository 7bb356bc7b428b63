//! Events between disk and connection, with no broker to be had.

use std::path::PathBuf;
use std::time::Duration;

use titania_core::metrics::Metrics;

use super::*;
use crate::report::{Address, Backoff, MqttSettings};
use crate::sample;
use crate::scratch::{Scratch, fill};

/// Where nobody listens: TCP's discard port on loopback.
fn nobody() -> Mqtt {
    let settings = MqttSettings {
        address: Address { host: "127.0.0.1".into(), port: 9, tls: false },
        board: "b".into(),
        prefix: "titania/b".into(),
        user: None,
        password_file: None,
        ca: None,
        client_cert: None,
        client_key: None,
        metrics: Duration::ZERO,
        backoff: Backoff::default(),
    };
    Mqtt::start(settings, Metrics::default)
}

fn event(seq: u64, bytes: usize) -> Event {
    Event { text: "x".repeat(bytes), ..sample::event(seq) }
}

/// A disk that is full but for what was kept for events, of which the first is on it.
async fn filled() -> (Scratch, Store, Mqtt, Kept) {
    let disk = Scratch::disk(512 * 1024);
    let store = Store::new(disk.path().to_owned()).unwrap();
    let (mqtt, mut kept) = (nobody(), Kept::new(store.clone()));
    tell(&mut kept, &mqtt, &event(1, 10)).await;
    fill(disk.path());
    (disk, store, mqtt, kept)
}

fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

async fn on_disk(store: &Store) -> Vec<u64> {
    let (_, left) = Outbox::open(store).await.unwrap();
    left.events.iter().map(|event| event.seq).collect()
}

/// As the pump does it.
async fn tell(kept: &mut Kept, mqtt: &Mqtt, event: &Event) {
    kept.follow(mqtt).await;
    if kept.append(mqtt, event).await {
        mqtt.event(event);
    }
}

#[test]
fn events_that_a_full_disk_refused_are_written_in_their_place_when_there_is_room() {
    on_one_thread(async {
        let (disk, store, mqtt, mut kept) = filled().await;
        for seq in 2..=20 {
            tell(&mut kept, &mqtt, &event(seq, 8 * 1024)).await;
        }
        let some = on_disk(&store).await;
        assert!(some.len() < 20 && some.starts_with(&[1]), "{some:?}: the disk was full");
        assert_eq!(mqtt.state().borrow().queued, 20, "none is lost to the connection");
        std::fs::remove_file(disk.path().join("filler")).unwrap();
        tell(&mut kept, &mqtt, &event(21, 10)).await;
        assert_eq!(on_disk(&store).await, (1..=21).collect::<Vec<_>>());
        // Another connection gets them all again, and those once.
        let other = nobody();
        kept.follow(&other).await;
        assert_eq!(other.state().borrow().queued, 21);
    });
}

#[test]
fn what_waits_for_a_full_disk_is_bounded_as_what_waits_for_the_broker() {
    on_one_thread(async {
        let (_disk, _store, mqtt, mut kept) = filled().await;
        for seq in 2..=2_500 {
            tell(&mut kept, &mqtt, &event(seq, 700)).await;
        }
        kept.follow(&mqtt).await;
        let shown = mqtt.state().borrow().clone();
        assert!(kept.refused.len() <= 1_000, "{}", kept.refused.len());
        assert_eq!(shown.dropped + shown.queued, 2_501, "with the one that will tell: {shown:?}");
    });
}

/// A state folder with events 1 to 3 of an earlier run, and what keeps them from being read: a folder where a file should be.
async fn unreadable() -> (Scratch, Store, PathBuf) {
    let state = Scratch::new();
    let store = Store::new(state.path().to_owned()).unwrap();
    let (mut outbox, _) = Outbox::open(&store).await.unwrap();
    for seq in 1..=3 {
        outbox.append(&event(seq, 10)).await.unwrap();
    }
    let fault = state.path().join("outbox/00000000000000000009.jsonl");
    std::fs::create_dir(&fault).unwrap();
    assert!(Outbox::open(&store).await.is_err());
    (state, store, fault)
}

#[test]
fn what_was_left_and_can_not_be_read_at_once_goes_out_first_and_is_kept() {
    on_one_thread(async {
        let (_state, store, fault) = unreadable().await;
        let (mqtt, mut kept) = (nobody(), Kept::new(store.clone()));
        for seq in 4..=5 {
            tell(&mut kept, &mqtt, &event(seq, 10)).await;
        }
        assert_eq!(mqtt.state().borrow().queued, 0, "they wait for those before");
        std::fs::remove_dir(fault).unwrap();
        kept.follow(&mqtt).await;
        assert_eq!(mqtt.state().borrow().queued, 5);
        assert_eq!(on_disk(&store).await, [1, 2, 3, 4, 5], "before they are sent");
        tell(&mut kept, &mqtt, &event(6, 10)).await;
        assert_eq!(mqtt.delivery().borrow().kept_from, 1);
        assert_eq!(on_disk(&store).await, [1, 2, 3, 4, 5, 6]);
    });
}

#[test]
fn what_can_not_be_read_for_long_is_not_waited_for_and_stays_for_the_next_connection() {
    on_one_thread(async {
        let (_state, store, fault) = unreadable().await;
        let (mqtt, mut kept) = (nobody(), Kept::new(store.clone()));
        tell(&mut kept, &mqtt, &event(4, 10)).await;
        kept.unread_since = Instant::now().checked_sub(READ_MAX);
        tell(&mut kept, &mqtt, &event(5, 10)).await;
        assert_eq!(mqtt.state().borrow().queued, 2, "they go without");
        std::fs::remove_dir(fault).unwrap();
        tell(&mut kept, &mqtt, &event(6, 10)).await;
        assert_eq!(mqtt.delivery().borrow().kept_from, 4, "and are not overtaken");
        forget(&store, &mqtt).await.unwrap();
        assert_eq!(on_disk(&store).await, [1, 2, 3], "whose fate this connection does not know");
        let other = nobody();
        kept.follow(&other).await;
        assert_eq!(other.state().borrow().queued, 6);
        assert_eq!(on_disk(&store).await, [1, 2, 3, 4, 5, 6]);
    });
}

#[test]
fn an_agent_that_ends_before_it_read_what_was_left_removes_none_of_it() {
    on_one_thread(async {
        let (state, store, fault) = unreadable().await;
        let word = state.path().join("outbox/dropped.json");
        std::fs::write(
            &word,
            r#"{"count":1,"first":2,"last":2,"at":"2026-01-01T00:00:00.000Z","clock_synced":true}"#,
        )
        .unwrap();
        let (mqtt, mut kept) = (nobody(), Kept::new(store.clone()));
        tell(&mut kept, &mqtt, &event(4, 10)).await;
        std::fs::remove_dir(fault).unwrap();
        for (case, mqtt) in [("not read", mqtt), ("not followed", nobody())] {
            forget(&store, &mqtt).await.unwrap();
            assert_eq!(on_disk(&store).await, [1, 3], "{case}");
            assert!(word.exists(), "{case}");
        }
    });
}
