//! What is due, and what is not.

use titania_core::outcome::Trigger;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::{Act, Next, Progress, StepName, UpdateStatus};
use titania_core::time::Timestamp;

use super::super::tests::sample;
use super::*;

/// Topics that are due, each acknowledged.
fn drain(desk: &mut Desk) -> Vec<String> {
    let mut topics = Vec::new();
    while let Some(message) = desk.next() {
        desk.acknowledged(&message.about);
        topics.push(message.topic.replace("titania/b/", ""));
    }
    topics
}

fn told() -> Desk {
    let mut desk = Desk::new("titania/b".into());
    desk.status(sample::changed(|_| {}));
    assert_eq!(drain(&mut desk), ["availability", "board", "app/tor", "app/wallet"]);
    desk
}

#[test]
fn p9_what_moves_by_itself_is_not_published() {
    let later = Timestamp(1_900_000_000_000);
    let refused =
        |at| Reason::new(Code::RegistryUnreachable, Class::Environment, "no route", "", at);
    let downloading = |done_bytes| {
        Some(UpdateStatus {
            id: "wallet-g13".into(),
            step: StepName::Fetch,
            step_since: Timestamp(0),
            trigger: Trigger::Tag,
            attempt: 1,
            to: titania_core::release::Release::default(),
            progress: Some(Progress { done_bytes, total_bytes: 1000 }),
        })
    };
    let mut desk = told();
    desk.status(sample::changed(|status| {
        status.at = later;
        status.board.mqtt.queued = 7;
        for disk in &mut status.board.disks {
            disk.free_bytes /= 2;
        }
        for app in &mut status.apps {
            app.next.at = Some(later);
        }
    }));
    assert_eq!(drain(&mut desk), [""; 0], "times, figures, the next poll");

    desk.status(sample::changed(|status| {
        status.board.problems.push(refused(Timestamp(1)));
        status.apps[1].reason = Some(refused(Timestamp(1)));
    }));
    assert_eq!(drain(&mut desk), ["board", "app/wallet"]);
    desk.status(sample::changed(|status| {
        status.board.problems.push(refused(later));
        status.apps[1].reason = Some(refused(later));
    }));
    assert_eq!(drain(&mut desk), [""; 0], "the same found again");

    let mut published = 0;
    for done in 0..=1000 {
        desk.status(sample::changed(|status| status.apps[1].update = downloading(done)));
        published += drain(&mut desk).len();
    }
    // The first has the problem above taken back on both documents.
    assert_eq!(published, 11 + 1, "a download in steps of 10 %");
}

#[test]
fn what_is_news_is_published_alone() {
    let mut desk = told();
    desk.status(sample::changed(|status| {
        status.apps[0].next = Next { act: Act::Retry, at: Some(Timestamp(5)), waiting_for: None };
    }));
    let message = desk.next().unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(message.topic, "titania/b/app/tor");
    assert!(message.retain);
    assert_eq!(payload["schema"], 1);
    assert_eq!(payload["app"], "tor");
    assert_eq!(payload["next"]["at"], "1970-01-01T00:00:00.005Z");
    assert!(payload["candidate"].is_null() && payload.get("candidate").is_some());
    assert!(desk.next().is_none());
}

#[test]
fn a_change_taken_back_before_it_went_out_is_no_news() {
    let mut desk = told();
    desk.status(sample::changed(|status| status.apps[0].proven = false));
    desk.status(sample::changed(|_| {}));
    assert_eq!(drain(&mut desk), [""; 0]);
}

#[test]
fn the_next_poll_has_no_time_over_mqtt() {
    let desk = told();
    let payload = AppDocument::of(&desk.status.unwrap().apps[0]);
    assert_eq!((payload.app.next.act, payload.app.next.at), (Act::Poll, None));
}

#[test]
fn a_new_connection_gets_all_of_it_again_with_the_event_that_was_in_flight() {
    let mut desk = told();
    desk.outbox.push(&sample::event(1));
    desk.outbox.push(&sample::event(2));
    assert_eq!(desk.next().unwrap().about, About::Event);
    desk.connected();
    let mut topics = drain(&mut desk);
    assert_eq!(topics.remove(0), "availability");
    topics.sort();
    assert_eq!(topics, ["app/tor", "app/wallet", "board", "event", "event"]);
}

#[test]
fn a_purged_app_is_emptied_until_the_broker_says_it_has_it() {
    let mut desk = told();
    desk.status(sample::changed(|status| {
        status.apps.remove(0);
    }));
    let message = desk.next().unwrap();
    assert_eq!(
        (message.topic.as_str(), message.payload.len(), message.retain),
        ("titania/b/app/tor", 0, true)
    );
    desk.connected(); // the acknowledgement never came
    assert!(drain(&mut desk).contains(&"app/tor".to_string()));
    desk.connected();
    assert!(!drain(&mut desk).contains(&"app/tor".to_string()));
    desk.status(sample::changed(|_| {}));
    assert_eq!(drain(&mut desk), ["app/tor"], "it is back");
}

#[test]
fn the_end_sends_the_events_then_offline() {
    let mut desk = told();
    desk.outbox.push(&sample::event(1));
    desk.status(sample::changed(|status| status.clock_synced = false));
    desk.close();
    assert_eq!(desk.next().unwrap().about, About::Event);
    desk.acknowledged(&About::Event);
    let last = desk.next().unwrap();
    assert_eq!((last.about, last.payload), (About::Offline, OFFLINE.into()));
    assert!(desk.next().is_none());
}
