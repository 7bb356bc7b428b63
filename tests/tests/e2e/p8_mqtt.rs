//! P8: the same truth over MQTT, as a real client sees it.

use crate::start;
use harness::{Board, Listener, Message, SOON, Settings, wait_until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The agent's connection back, its first waits over.
const BACK: Duration = Duration::from_secs(90);

/// Events so far, in the order of their arrival.
fn events(board: &Board, listener: &Listener) -> Vec<Value> {
    listener.on(&board.topic("event")).iter().map(Message::json).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

/// Waits until a new client finds the app's part of the status document retained.
fn wait_retained(board: &Board, app: &harness::App) {
    wait_until(SOON, "the retained document to be the agent's", || {
        let mut wanted = app.status();
        if wanted["next"]["act"] == "poll" {
            wanted["next"]["at"] = Value::Null;
        }
        wanted["schema"] = json!(1);
        let kept = board.broker().retained(&board.topic("app/wallet")).ok_or("nothing")?;
        match kept.json() == wanted {
            true => Ok(()),
            false => Err(format!("{:#} is not {wanted:#}", kept.json())),
        }
    });
}

#[test]
fn p8_client_sees_retained_documents_events_in_order_and_the_last_will() {
    let board = Board::start();
    let listener = board.listen();
    let definition = start::definition(&board).health("retries", 1);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    start::push(&board, &start::image("3.0.0").behaviour("unhealthy"));
    wallet.update();
    wallet.wait_ended(3, "rolled_back");
    wallet.wait_version("2.0.0");
    wait_retained(&board, &wallet);
    let kept = board.broker().retained(&board.topic("board")).expect("the board's document");
    assert!(kept.is_retained && kept.qos == 1);
    let document = kept.json();
    assert!(document["platform"].as_str().is_some_and(|it| it.starts_with("linux/amd64")));
    assert_eq!(document["engine"]["state"], "ready");
    let online = board.broker().retained(&board.topic("availability")).unwrap();
    assert_eq!((online.payload.as_str(), online.qos), ("online", 1));
    let wanted = [
        "agent_started",
        "update_started",
        "app_installed",
        "update_started",
        "update_committed",
        "update_started",
        "update_rolled_back",
    ];
    wait_until(SOON, "the events", || {
        let all = events(&board, &listener);
        let mut found = kinds(&all).into_iter().filter(|kind| wanted.contains(kind));
        match wanted.iter().all(|kind| found.next() == Some(kind)) {
            true => Ok(()),
            false => Err(format!("{:#?}", kinds(&all))),
        }
    });
    let all = events(&board, &listener);
    let numbers: Vec<u64> = all.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(numbers.len(), all.len());
    let undone = all.iter().find(|event| event["type"] == "update_rolled_back").unwrap();
    assert_eq!(undone["reason"]["code"], "unhealthy");
    assert_eq!((&undone["app"], &undone["update"]), (&json!("wallet"), &json!("wallet-g3")));
    assert_eq!((&undone["board"], &undone["schema"]), (&json!("board-1"), &json!(1)));
    assert!(kinds(&all).contains(&"release_quarantined"), "{:?}", kinds(&all));
    let raw = listener.on(&board.topic("event"));
    assert!(raw.iter().all(|one| one.qos == 1 && !one.is_retained), "{raw:#?}");
    board.agent().kill();
    listener.wait(SOON, "the last will", |one| {
        one.topic.ends_with("/availability") && one.payload == "offline"
    });
    let will = board.broker().retained(&board.topic("availability")).unwrap();
    assert_eq!((will.payload.as_str(), will.is_retained), ("offline", true));
    board.agent().start();
    wait_until(SOON, "online", || {
        let now = board.broker().retained(&board.topic("availability"));
        now.is_some_and(|now| now.payload == "online")
    });
    let seq = |event: &Value| event["seq"].as_u64();
    let highest = numbers.last().copied();
    let fresh = listener.wait(SOON, "the agent's start", |one| {
        one.json()["type"] == "agent_started" && seq(&one.json()) > highest
    });
    assert_eq!(fresh.qos, 1, "numbers are never used again");
}

#[test]
fn p8_broker_that_was_restarted_gets_all_retained_and_the_events_of_the_outage() {
    let board = Board::start();
    let listener = board.listen();
    let wallet = start::installed(&board);
    wait_retained(&board, &wallet);
    board.broker().kill();
    wait_until(SOON, "the loss to be shown", || {
        board.agent().status()["board"]["mqtt"]["state"] != "connected"
    });
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    let queued = board.agent().status()["board"]["mqtt"]["queued"].as_u64();
    assert!(queued > Some(0), "the events wait: {queued:?}");
    board.broker().start();
    let event = listener.wait(SOON, "the event of the outage", |one| {
        one.topic.ends_with("/event") && one.json()["type"] == "update_committed"
    });
    assert_eq!(event.json()["update"], "wallet-g2");
    wait_retained(&board, &wallet);
    for topic in ["availability", "board"] {
        assert!(board.broker().retained(&board.topic(topic)).is_some(), "{topic}");
    }
    wait_until(SOON, "the queue to be empty", || {
        let mqtt = board.agent().status()["board"]["mqtt"].clone();
        mqtt["state"] == "connected" && mqtt["queued"] == 0 && mqtt["dropped"] == 0
    });
    let all = events(&board, &listener);
    let numbers: Vec<u64> = all.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.is_sorted(), "in order: {numbers:?}");
}

#[test]
fn p8_events_of_an_outage_outlive_the_agent_and_are_told_in_order() {
    let board = Board::start();
    let listener = board.listen();
    let wallet = start::installed(&board);
    let kept =
        || std::fs::read_dir(board.agent().state().join("outbox")).map_or(0, Iterator::count);
    wait_until(SOON, "nothing to be kept when all is told", || kept() == 0);
    board.broker().kill();
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    board.agent().kill();
    board.agent().start();
    start::push(&board, &start::image("3.0.0").behaviour("unhealthy"));
    wallet.update();
    wallet.wait_ended(3, "rolled_back");
    assert!(kept() > 1, "a file for each run");
    board.agent().kill();
    board.agent().start();
    board.broker().start();
    listener.wait(SOON, "the newest event", |one| {
        one.topic.ends_with("/event") && one.json()["type"] == "update_rolled_back"
    });
    wait_until(SOON, "nothing to be kept", || kept() == 0);
    let all = events(&board, &listener);
    let numbers: Vec<u64> = all.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(numbers.is_sorted(), "in order: {numbers:?}");
    let starts = kinds(&all).iter().filter(|kind| **kind == "agent_started").count();
    assert!(starts >= 3, "of each run: {:?}", kinds(&all));
    for (kind, update) in [("update_committed", "wallet-g2"), ("update_rolled_back", "wallet-g3")] {
        let told = all.iter().any(|one| one["type"] == kind && one["update"] == update);
        assert!(told, "{kind}: {:?}", kinds(&all));
    }
}

#[test]
fn p8_offline_of_ones_own_is_answered_by_online() {
    let board = Board::start();
    start::installed(&board);
    let topic = board.topic("availability");
    let is_online =
        || board.broker().retained(&topic).is_some_and(|message| message.payload == "online");
    wait_until(SOON, "online", is_online);
    board.broker().publish(&topic, "offline", true);
    wait_until(SOON, "online again", is_online);
}

#[test]
fn p8_agent_does_its_work_without_any_broker() {
    let board = Board::with(Settings { no_broker: true, ..Settings::default() });
    let wallet = start::installed(&board);
    assert_eq!(board.agent().status()["board"]["mqtt"]["state"], "disabled");
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
}

/// Takes the board's place at the broker, which keeps one connection of a name.
fn take_place(board: &Board) -> TcpStream {
    let topic = board.topic("");
    let name = format!("titania-{}", topic.split('/').nth(1).unwrap());
    let length = u8::try_from(name.len()).unwrap();
    let mut packet = vec![0x10, 12 + length, 0, 4];
    packet.extend(b"MQTT\x04\x02\x00\x3c\x00");
    packet.push(length);
    packet.extend(name.as_bytes());
    let mut stream = TcpStream::connect(("127.0.0.1", board.broker().port())).unwrap();
    stream.write_all(&packet).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0], "accepted");
    stream
}

#[test]
fn p8_another_board_with_this_one_s_id_is_told_of_and_forgotten_when_it_has_gone() {
    let board = Board::start();
    let listener = board.listen();
    board.agent().start();
    let is_connected = || board.agent().status()["board"]["mqtt"]["state"] == "connected";
    let kept = || board.broker().retained(&board.topic("board")).map(|kept| kept.json());
    wait_until(SOON, "the board's document", || is_connected() && kept().is_some());
    let ours = kept().unwrap();
    let problems = || board.agent().status()["board"]["problems"].clone();
    let is_told = || problems().to_string().contains("another board has the id");
    let again = || {
        drop(take_place(&board));
        wait_until(BACK, "to be thrown out", || !is_connected());
        wait_until(BACK, "to be back", is_connected);
    };
    again();
    wait_until(SOON, "its document again", || kept().is_some());
    assert!(!is_told(), "a connection that ended is no other board: {}", problems());

    let mut theirs = ours.clone();
    theirs["boot_id"] = json!("11111111-2222-4333-8444-555555555555");
    theirs["agent"]["instance"] = json!("66666666-7777-4888-8999-aaaaaaaaaaaa");
    let other = take_place(&board);
    board.broker().publish(&board.topic("board"), &theirs.to_string(), true);
    drop(other);
    let told = listener.wait(BACK, "the event", |one| one.payload.contains("board_id_conflict"));
    assert_eq!(told.json()["level"], "error");
    wait_until(SOON, "the problem", is_told);
    assert!(problems().to_string().contains("[board] in agent.toml"), "{}", problems());
    wait_until(SOON, "its own document again", || {
        kept().is_some_and(|it| it["boot_id"] == ours["boot_id"])
    });
    again();
    wait_until(SOON, "the problem to go", || !is_told());
}
