//! P8: no event is lost on its way but those that are counted: the broker away, deaf or slow, the agent killed.

use crate::start;
use harness::{Board, Listener, Mute, SOON, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Definitions that are no good: each is told of when it is read anew.
const BAD_FILES: u32 = 20;

/// Makes events: one for each file whose fault is another one than before.
fn make_events(board: &Board, round: u32) {
    for number in 0..BAD_FILES {
        board.define(&format!("bad-{number}"), &format!("fault_{round}_{number} = 1\n"));
    }
    board.agent().reload();
}

fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().unwrap_or_else(|| panic!("no number: {event}"))
}

/// Events as a client heard them, in the order of their arrival.
fn heard(board: &Board, listener: &Listener) -> Vec<Value> {
    listener.on(&board.topic("event")).iter().map(harness::Message::json).collect()
}

/// Events that are told over the control socket now, newer than `after`.
fn shown(board: &Board, after: u64) -> Vec<Value> {
    let answer = board.agent().ask("GET", &format!("/v1/events?after={after}"), &Value::Null);
    let text = answer.map(|answer| answer.text()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn outbox_files(board: &Board) -> Vec<std::fs::DirEntry> {
    let folder = std::fs::read_dir(board.agent().state().join("outbox"));
    folder.into_iter().flatten().flatten().collect()
}

/// Those with events, the oldest first.
fn event_files(board: &Board) -> Vec<PathBuf> {
    let mut names: Vec<_> = outbox_files(board).iter().map(std::fs::DirEntry::path).collect();
    names.retain(|path| path.extension().is_some_and(|it| it == "jsonl"));
    names.sort();
    names
}

fn wait_all_told(board: &Board) {
    wait_until(SOON, "all to be told, and nothing to be kept", || {
        let mqtt = board.agent().status()["board"]["mqtt"].clone();
        let is_done = mqtt["state"] == "connected" && mqtt["queued"] == 0;
        match is_done && outbox_files(board).is_empty() {
            true => Ok(()),
            false => Err(format!("{mqtt}, {} files", outbox_files(board).len())),
        }
    });
}

/// Waits until a client has heard the newest event: the broker hands on what the agent has got off its hands.
fn wait_all_heard(board: &Board, listener: &Listener) -> Vec<Value> {
    let newest = shown(board, 0).last().map(seq).expect("an event");
    listener.wait(SOON, "the newest event", |one| {
        one.topic.ends_with("/event") && seq(&one.json()) >= newest
    });
    heard(board, listener)
}

/// Each number stands for one event, and their first arrivals are in order.
fn assert_in_order_and_unique(heard: &[Value]) -> BTreeMap<u64, Value> {
    let mut first: BTreeMap<u64, Value> = BTreeMap::new();
    for event in heard {
        let number = seq(event);
        let newest = first.keys().next_back().copied();
        match first.get(&number) {
            Some(before) => assert_eq!(before, event, "one number, two events"),
            None => {
                assert!(newest < Some(number), "{number} came after {newest:?}");
                first.insert(number, event.clone());
            }
        }
    }
    first
}

#[test]
fn p8_agent_that_is_killed_at_any_instant_tells_each_event_at_least_once_and_in_order() {
    let board = Board::start();
    let listener = board.listen();
    let mut told: BTreeMap<u64, Value> = BTreeMap::new();
    let mut random = 20_261_124_u64;
    for round in 0..16 {
        board.agent().start();
        // The broker takes what comes and does not answer, so that events wait and the one in flight is not known.
        let is_frozen = round % 3 == 1;
        if is_frozen {
            board.broker().freeze();
        }
        make_events(&board, round);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let span = Duration::from_millis(random % 500);
        let begun = Instant::now();
        while begun.elapsed() < span {
            let newest = told.keys().next_back().copied().unwrap_or(0);
            for event in shown(&board, newest) {
                let before = told.insert(seq(&event), event);
                assert_eq!(before, None, "round {round}: a number was used again");
            }
        }
        board.agent().kill();
        if is_frozen {
            board.broker().thaw();
        }
    }
    board.agent().start();
    wait_all_told(&board);
    let newest = told.keys().next_back().copied().unwrap_or(0);
    listener.wait(SOON, "what was told last", |one| {
        one.topic.ends_with("/event") && seq(&one.json()) > newest
    });
    let arrived = assert_in_order_and_unique(&heard(&board, &listener));
    assert!(told.len() > 100, "events did flow: {}", told.len());
    for (number, event) in &told {
        assert_eq!(arrived.get(number), Some(event), "{number} was on disk when it was shown");
    }
    assert_eq!(board.agent().status()["board"]["mqtt"]["dropped"], 0);
}

#[test]
fn p8_broker_that_accepts_and_never_acknowledges_gets_the_oldest_again_and_nothing_is_lost() {
    let board = Board::start();
    board.broker().kill();
    let mute = Mute::start(board.broker().port());
    let wallet = start::installed(&board);
    wait_until(SOON, "the first event", || !mute.events().is_empty());
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    let waiting = || board.agent().status()["board"]["mqtt"]["queued"].as_u64().unwrap_or(0);
    let before = waiting();
    assert!(before > 3, "they wait, and hold up nothing: {before}");
    for _ in 0..2 {
        board.agent().kill();
        let count = mute.events().len();
        board.agent().start();
        wait_until(SOON, "the oldest to come again", || mute.events().len() > count);
        wait_until(SOON, "those of the runs before to wait", || waiting() > before);
    }
    let sent = mute.events();
    assert!(sent.iter().all(|one| *one == sent[0]), "one at a time, the oldest first: {sent:#?}");
    board.agent().kill();
    drop(mute);
    board.broker().start();
    let listener = board.listen();
    board.agent().start();
    wait_all_told(&board);
    let arrived = assert_in_order_and_unique(&wait_all_heard(&board, &listener));
    let oldest: Value = serde_json::from_str(&sent[0]).unwrap();
    assert_eq!(arrived.values().next(), Some(&oldest), "what may have arrived is told again");
    let starts = arrived.values().filter(|event| event["type"] == "agent_started").count();
    assert_eq!(starts, 4, "of each run");
    for (kind, update) in [("app_installed", "wallet-g1"), ("update_committed", "wallet-g2")] {
        let is_told = arrived.values().any(|one| one["type"] == kind && one["update"] == update);
        assert!(is_told, "{kind}");
    }
    assert_eq!(board.agent().status()["board"]["mqtt"]["dropped"], 0);
}

/// Most events that are kept for an absent broker.
const KEPT_MAX: u64 = 1000;

/// Makes events without a broker until so many are given up; returns the numbers of all that there were.
fn overfill(board: &Board, dropped_min: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut look = || -> usize {
        let newest = numbers.last().copied().unwrap_or(0);
        numbers.extend(shown(board, newest).iter().map(seq));
        numbers.len()
    };
    wait_until(SOON, "the first event", || look() > 0);
    let mut round = 0;
    while board.agent().status()["board"]["mqtt"]["dropped"].as_u64() < Some(dropped_min) {
        let before = look();
        make_events(board, round);
        round += 1;
        wait_until(SOON, "the events of this round", || look() >= before + BAD_FILES as usize);
    }
    look();
    numbers
}

#[test]
fn p8_events_of_a_long_outage_are_bounded_on_disk_and_those_given_up_are_counted() {
    let board = Board::start();
    board.broker().kill();
    board.agent().start();
    let numbers = overfill(&board, 150);
    let before = board.agent().status()["board"]["mqtt"].clone();
    let dropped = before["dropped"].as_u64().unwrap();
    assert_eq!(before["queued"], KEPT_MAX + 1, "with the one that will tell: {before}");
    let bytes: u64 = outbox_files(&board).iter().map(|one| one.metadata().unwrap().len()).sum();
    assert!(bytes > 0 && bytes < (512 + 128) * 1024, "{bytes}");
    board.agent().kill();
    // Damage of a cut: the newest file ends in the middle of a line.
    let names = event_files(&board);
    let last = std::fs::OpenOptions::new().write(true).open(names.last().unwrap()).unwrap();
    last.set_len(last.metadata().unwrap().len() - 10).unwrap();
    board.broker().start();
    let listener = board.listen();
    board.agent().start();
    wait_all_told(&board);
    let all = wait_all_heard(&board, &listener);
    assert_in_order_and_unique(&all);
    assert_eq!(all[0]["type"], "events_dropped", "it stands where they were: {:#}", all[0]);
    // What came and what is said to be given up is all that there was, from the first on and without a hole.
    let (newest, told) = numbers.split_last().unwrap();
    let (mut given_up, mut due) = (0, told.iter().copied().peekable());
    for event in all.iter().filter(|event| seq(event) < *newest) {
        if event["type"] != "events_dropped" {
            assert_eq!(due.next(), Some(seq(event)), "what was due, and what came");
            continue;
        }
        let words = event["text"].as_str().unwrap_or_default().replace(',', "");
        let mut of_text = words.split(' ').filter_map(|word| word.parse::<u64>().ok());
        let [count, first, last] = [(); 3].map(|()| of_text.next().expect(&words));
        assert_eq!((due.peek(), seq(event)), (Some(&first), last + 1), "{words}");
        let these = std::iter::from_fn(|| due.next_if(|number| *number <= last)).count();
        assert_eq!(these as u64, count, "{words}");
        given_up += count;
    }
    assert_eq!(due.next(), None, "but for the damaged one");
    // The damaged one makes room for one that had been given up and whose file is still there.
    assert!(given_up + 1 >= dropped, "{given_up}: {dropped} before the kill");
    let counted = board.agent().status()["board"]["mqtt"]["dropped"].clone();
    assert_eq!(counted, json!(given_up), "counted over the kill");
}

#[test]
fn p8_agent_that_is_killed_while_it_tells_of_events_given_up_uses_no_number_twice() {
    let board = Board::start();
    board.broker().kill();
    board.agent().start();
    overfill(&board, 150);
    board.agent().kill();
    let mute = Mute::start(board.broker().port());
    board.agent().start();
    wait_until(SOON, "the first event", || !mute.events().is_empty());
    board.agent().kill();
    let mut all: Vec<Value> =
        mute.events().iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(all[0]["type"], "events_dropped", "it is in flight: {:#}", all[0]);
    // Damage of a cut takes the newest ones, so that there is room for those that were given up and lie on the disk still.
    for name in event_files(&board).iter().rev().take(3) {
        std::fs::File::create(name).unwrap();
    }
    drop(mute);
    board.broker().start();
    let listener = board.listen();
    board.agent().start();
    wait_all_told(&board);
    all.extend(wait_all_heard(&board, &listener));
    let told = assert_in_order_and_unique(&all);
    assert!(told.len() > 700, "{}", told.len());
}
