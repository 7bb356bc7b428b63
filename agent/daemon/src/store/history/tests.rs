//! Lines of history: once, in order, bounded, also after a torn one.

use titania_core::names::{BootId, Generation};
use titania_core::outcome::{Ending, Trigger};
use titania_core::status::StepName;

use super::*;
use crate::scratch::Scratch;

fn outcome(app: &str, number: u64) -> Outcome {
    Outcome {
        schema: 1,
        id: format!("{app}-g{number}"),
        app: app.parse().unwrap(),
        generation: Some(Generation(number)),
        trigger: Trigger::Tag,
        by: None,
        from: None,
        to: None,
        boot_id: BootId("b".to_owned()),
        started_at: Timestamp(0),
        ended_at: Timestamp(i64::try_from(number).unwrap() * 1000),
        outcome: Ending::Committed,
        reason: None,
        step: StepName::Commit,
        down_ms: None,
        snapshot: None,
        steps: Vec::new(),
    }
}

fn ids(found: &[Outcome]) -> Vec<&str> {
    found.iter().map(|outcome| outcome.id.as_str()).collect()
}

fn all_of(state: &Path, app: &str) -> Vec<Outcome> {
    query(state, Some(&app.parse().unwrap()), usize::MAX, None).unwrap()
}

#[test]
fn an_outcome_is_told_once_however_often_it_is_appended() {
    let state = Scratch::new();
    for number in [1, 1, 2, 1, 2] {
        append(state.path(), &outcome("wallet", number)).unwrap();
    }
    assert!(!append(state.path(), &outcome("wallet", 2)).unwrap());
    assert_eq!(ids(&all_of(state.path(), "wallet")), ["wallet-g2", "wallet-g1"]);
}

#[test]
fn a_line_cut_off_at_any_byte_costs_that_line_alone_and_can_be_appended_again() {
    let state = Scratch::new();
    append(state.path(), &outcome("wallet", 1)).unwrap();
    append(state.path(), &outcome("wallet", 2)).unwrap();
    let path = path(state.path(), &"wallet".parse().unwrap());
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|c| *c == b'\n').unwrap() + 1;
    for length in first..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(ids(&all_of(state.path(), "wallet")), ["wallet-g1"], "cut at {length}");
        assert!(append(state.path(), &outcome("wallet", 2)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    fs::write(&path, [&whole[..first], &[0u8; 64]].concat()).unwrap();
    assert!(append(state.path(), &outcome("wallet", 2)).unwrap());
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn the_newest_two_hundred_stay_and_the_file_does_not_grow_without_end() {
    let state = Scratch::new();
    for number in 1..=600 {
        assert!(append(state.path(), &outcome("wallet", number)).unwrap());
    }
    let found = all_of(state.path(), "wallet");
    assert_eq!(found.len(), KEPT);
    assert_eq!(ids(&found)[..2], ["wallet-g600", "wallet-g599"]);
    let text = fs::read_to_string(path(state.path(), &"wallet".parse().unwrap())).unwrap();
    assert!(text.lines().count() <= COMPACTED_AT);
}

#[test]
fn a_line_of_a_newer_agent_is_kept_though_it_can_not_be_shown() {
    let state = Scratch::new();
    append(state.path(), &outcome("wallet", 1)).unwrap();
    let path = path(state.path(), &"wallet".parse().unwrap());
    let strange = "{\"schema\":9,\"id\":\"wallet-g2\",\"outcome\":\"teleported\"}\n";
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(strange);
    fs::write(&path, format!("{text}{{\"torn")).unwrap();
    assert!(append(state.path(), &outcome("wallet", 3)).unwrap());
    assert!(!append(state.path(), &outcome("wallet", 2)).unwrap(), "its id is known");
    assert!(fs::read_to_string(&path).unwrap().contains(strange));
    assert_eq!(ids(&all_of(state.path(), "wallet")), ["wallet-g3", "wallet-g1"]);
}

#[test]
fn a_query_is_newest_first_limited_and_before_a_time() {
    let state = Scratch::new();
    for number in 1..=4 {
        append(state.path(), &outcome("wallet", number * 2)).unwrap();
        append(state.path(), &outcome("tor", number * 2 + 1)).unwrap();
    }
    let found = query(state.path(), None, 3, None).unwrap();
    assert_eq!(ids(&found), ["tor-g9", "wallet-g8", "tor-g7"]);
    let before = Some(Timestamp(7_000));
    let found = query(state.path(), None, 3, before).unwrap();
    assert_eq!(ids(&found), ["wallet-g6", "tor-g5", "wallet-g4"]);
    let tor = "tor".parse().unwrap();
    let found = query(state.path(), Some(&tor), 1, before).unwrap();
    assert_eq!(ids(&found), ["tor-g5"]);
    assert_eq!(query(state.path(), Some(&"none".parse().unwrap()), 9, None).unwrap(), []);
}

#[test]
fn a_file_that_can_not_be_ours_is_set_aside() {
    let state = Scratch::new();
    append(state.path(), &outcome("wallet", 1)).unwrap();
    let path = path(state.path(), &"wallet".parse().unwrap());
    let file = fs::File::create(&path).unwrap();
    file.set_len(HISTORY_BYTES_MAX + 1).unwrap();
    assert!(append(state.path(), &outcome("wallet", 2)).unwrap());
    assert_eq!(ids(&all_of(state.path(), "wallet")), ["wallet-g2"]);
    assert!(state.path().join("history/wallet.jsonl.damaged").exists());
}
