//! Against the real mosquitto, as a real MQTT client sees it.

mod broker;
mod hostile;
pub(in crate::report) mod sample;
mod secured;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use titania_core::status::Act;

use super::*;
use broker::{Broker, Watcher, on_one_thread, until};

fn settings(port: u16) -> MqttSettings {
    MqttSettings {
        address: Address { host: "127.0.0.1".into(), port, tls: false },
        board: "b".into(),
        prefix: "titania/b".into(),
        user: None,
        password_file: None,
        ca: None,
        client_cert: None,
        client_key: None,
        metrics: Duration::ZERO,
        backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_millis(400) },
    }
}

fn start(port: u16) -> Mqtt {
    let mqtt = Mqtt::start(settings(port), Metrics::default);
    mqtt.status(Rc::new(sample::status()));
    mqtt
}

async fn state(mqtt: &Mqtt, wanted: MqttState) -> MqttStatus {
    let mut states = mqtt.state();
    let found = until("state", states.wait_for(|status| status.state == wanted)).await;
    found.unwrap().clone()
}

async fn delivered(mqtt: &Mqtt) {
    let mut states = mqtt.state();
    until("queue", states.wait_for(|status| status.queued == 0)).await.unwrap();
}

#[test]
fn p8_a_client_that_comes_late_finds_the_board_and_its_apps() {
    on_one_thread(async {
        let broker = Broker::start();
        let mqtt = start(broker.port);
        mqtt.event(&sample::event(1));
        delivered(&mqtt).await;
        let mut early = Watcher::new(broker.port).await;
        let mut retained = early.take(4).await;
        retained.sort();
        let topics: Vec<&str> = retained.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "titania/b/app/tor",
                "titania/b/app/wallet",
                "titania/b/availability",
                "titania/b/board"
            ]
        );
        assert_eq!(retained[2].1, "online");
        let board: serde_json::Value = serde_json::from_str(&retained[3].1).unwrap();
        assert_eq!(board["schema"], 1);
        assert_eq!(board["engine"]["version"], "20.10.24");
        assert_eq!(board["platform"], "linux/arm/v7");
        let app: serde_json::Value = serde_json::from_str(&retained[1].1).unwrap();
        assert_eq!(app["current"]["version"], "0.26.1");
        // An event is not retained: the next one is all that this client sees.
        mqtt.event(&sample::event(2));
        let (topic, event) = early.take(1).await.remove(0);
        assert_eq!(topic, "titania/b/event");
        assert_eq!(serde_json::from_str::<Event>(&event).unwrap().seq, 2);
    });
}

#[test]
fn a_board_that_drops_off_is_offline_by_its_last_will() {
    on_one_thread(async {
        let broker = Broker::start();
        let mqtt = start(broker.port);
        state(&mqtt, MqttState::Connected).await;
        let mut watcher = Watcher::new(broker.port).await;
        watcher.wait_for("titania/b/availability", "online").await;
        mqtt.task.take().unwrap().abort(); // no DISCONNECT
        watcher.wait_for("titania/b/availability", "offline").await;
        let mut late = Watcher::new(broker.port).await;
        late.wait_for("titania/b/availability", "offline").await;
    });
}

#[test]
fn an_agent_that_ends_delivers_its_events_and_says_offline() {
    on_one_thread(async {
        let broker = Broker::start();
        let mqtt = start(broker.port);
        state(&mqtt, MqttState::Connected).await;
        let mut watcher = Watcher::new(broker.port).await;
        for seq in 1..=20 {
            mqtt.event(&sample::event(seq));
        }
        mqtt.close().await;
        let mut events = watcher.events(20).await;
        assert_eq!(events.pop(), Some(20));
        watcher.wait_for("titania/b/availability", "offline").await;
        broker.wait_for_log("Client titania-b disconnected.").await;
    });
}

#[test]
fn events_arrive_in_order_and_once() {
    on_one_thread(async {
        let broker = Broker::start();
        let mqtt = start(broker.port);
        let mut watcher = Watcher::new(broker.port).await;
        for seq in 1..=200 {
            mqtt.event(&sample::event(seq));
        }
        delivered(&mqtt).await;
        assert_eq!(watcher.events(200).await, (1..=200).collect::<Vec<u64>>());
        mqtt.event(&sample::event(201));
        assert_eq!(watcher.events(1).await, [201], "none came twice");
    });
}

#[test]
fn a_restarted_broker_gets_everything_again_and_what_happened_meanwhile() {
    on_one_thread(async {
        let broker = Broker::start();
        let port = broker.port;
        let mqtt = start(port);
        mqtt.event(&sample::event(1));
        delivered(&mqtt).await;
        drop(broker);
        let away = state(&mqtt, MqttState::Backoff).await;
        assert_eq!(away.error.unwrap().code, titania_core::reason::Code::BrokerUnreachable);
        for seq in 2..=30 {
            mqtt.event(&sample::event(seq));
        }
        mqtt.status(sample::changed(|status| status.apps[0].proven = false));
        mqtt.status(sample::changed(|status| status.apps[0].next.act = Act::None));
        let broker = Broker::start_at(port); // an empty one: it keeps nothing over a restart
        let mut watcher = Watcher::new(port).await;
        assert_eq!(watcher.events(29).await, (2..=30).collect::<Vec<u64>>());
        delivered(&mqtt).await;
        assert_eq!(mqtt.state().borrow().error, None);
        let mut late = Watcher::new(port).await;
        let retained = late.take(4).await;
        let (_, tor) = retained.iter().find(|(topic, _)| topic.ends_with("/tor")).unwrap();
        let tor: serde_json::Value = serde_json::from_str(tor).unwrap();
        assert_eq!(
            (&tor["proven"], &tor["next"]["act"]),
            (&true.into(), &"none".into()),
            "the newest alone"
        );
        drop(broker);
    });
}

#[test]
fn p9_nothing_is_published_when_nothing_changes() {
    on_one_thread(async {
        let broker = Broker::start();
        let mqtt = start(broker.port);
        state(&mqtt, MqttState::Connected).await;
        let mut watcher = Watcher::new(broker.port).await;
        watcher.take(4).await;
        for minute in 0..50 {
            mqtt.status(sample::changed(|status| {
                status.at.0 += minute * 60_000;
                status.board.disks[0].free_bytes -= 1;
            }));
            tokio::task::yield_now().await;
        }
        mqtt.status(sample::changed(|status| status.clock_synced = false));
        let (topic, payload) = watcher.take(1).await.remove(0);
        assert_eq!(topic, "titania/b/board", "the first message after the set of retained ones");
        assert!(payload.contains("\"clock_synced\":false"));
    });
}

#[test]
fn an_offline_of_ones_own_is_answered_by_online() {
    on_one_thread(async {
        let broker = Broker::start();
        let mqtt = start(broker.port);
        state(&mqtt, MqttState::Connected).await;
        let mut watcher = Watcher::new(broker.port).await;
        watcher.take(4).await;
        for _ in 0..3 {
            watcher.say("titania/b/availability", "offline").await;
            watcher.wait_for("titania/b/availability", "offline").await;
            watcher.wait_for("titania/b/availability", "online").await;
        }
    });
}

#[test]
fn metrics_come_when_asked_for_and_are_not_retained() {
    on_one_thread(async {
        let broker = Broker::start();
        let mut settings = settings(broker.port);
        settings.metrics = Duration::from_millis(50);
        let taken = Rc::new(Cell::new(0));
        let count = taken.clone();
        let mut watcher = Watcher::new(broker.port).await;
        let _mqtt = Mqtt::start(settings, move || {
            count.set(count.get() + 1);
            Metrics {
                schema: 1,
                load: Some([0.5, 0.25, f64::from(count.get())]),
                ..Metrics::default()
            }
        });
        for wanted in 1..=3 {
            let payload = watcher.next_on("titania/b/metrics").await;
            let metrics: Metrics = serde_json::from_str(&payload).unwrap();
            assert_eq!(metrics.load.unwrap()[2].to_bits(), f64::from(wanted).to_bits());
        }
        let mut late = Watcher::new(broker.port).await;
        assert_eq!(late.take(1).await[0].0, "titania/b/availability", "retained ones come first");
    });
}

#[test]
fn without_a_broker_setting_everything_is_taken_and_nothing_kept() {
    let mqtt = Mqtt::disabled();
    mqtt.event(&sample::event(1));
    mqtt.status(Rc::new(sample::status()));
    let shown = mqtt.state().borrow().clone();
    assert_eq!((shown.state, shown.queued), (MqttState::Disabled, 0));
}
