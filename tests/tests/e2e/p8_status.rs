//! P8: truth at a glance: status, verbs, history, exit codes.

use crate::start;
use harness::{Agent, Board, Kept, SOON, Said, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest that `agentctl status` may take, whatever else goes on.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// `agentctl status --json`, in time.
fn status(agent: &Agent) -> Said {
    let begun = Instant::now();
    let said = agent.ctl(&["status", "--json"]);
    let passed = begun.elapsed();
    assert!(passed < ANSWER_TIME_MAX, "status took {passed:?}: {said:?}");
    said
}

#[test]
fn p8_status_answers_with_the_engine_frozen_and_with_the_engine_down() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let fresh = wallet.status();
    board.engine().freeze();
    board.agent().ctl(&["update", "wallet"]);
    assert_eq!(status(board.agent()).json()["apps"][0]["app"], "wallet");
    board.engine().thaw();
    wallet.wait_ok();
    board.engine().kill();
    let said = wait_until(SOON, "the engine to be known as away", || {
        let said = status(board.agent());
        (said.json()["board"]["engine"]["state"] == "away").then_some(said)
    });
    assert_eq!(said.code, 3, "answered, but the engine is not ready");
    let document = said.json();
    let engine = &document["board"]["engine"];
    assert_eq!(engine["error"]["code"], "engine_away");
    assert_ne!(engine["error"]["hint"], "");
    assert_eq!(engine["kind"], "docker", "the last known fields stay");
    let app = &document["apps"][0];
    assert_eq!((&app["state"], &app["health"]), (&json!("unknown"), &json!("unknown")));
    assert_eq!(app["current"], fresh["current"], "the last known fields stay");
    assert_eq!(app["container"]["id"], fresh["container"]["id"]);
    let table = board.agent().ctl(&["status"]);
    assert_eq!(table.code, 3);
    assert!(table.out.contains("wallet") && table.out.contains("engine"), "{}", table.out);
    board.engine().start();
    wallet.wait_version("1.0.0");
    assert_eq!(status(board.agent()).code, 0);
}

#[test]
fn p8_agent_starts_and_answers_with_no_engine_at_all() {
    let board = Board::start();
    board.engine().stop();
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    let said = status(board.agent());
    assert_eq!(said.code, 3);
    let engine = said.json()["board"]["engine"].clone();
    assert_eq!(engine["state"], "away");
    assert!(engine["kind"].is_null() && engine["version"].is_null(), "{engine:#}");
    board.engine().start();
    wallet.wait_version("1.0.0");
}

#[test]
fn p8_document_is_the_same_over_socket_and_command_and_names_every_field() {
    let board = Board::start();
    let wallet = start::installed(&board);
    wallet.wait("to know its next poll", |app| app["next"]["act"] == "poll");
    let document = status(board.agent()).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["apps"][0], wallet.status());
    let fields = |value: &serde_json::Value| {
        let map = value.as_object().cloned().unwrap_or_default();
        map.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(fields(&document), "agent apps at board clock_synced schema");
    assert_eq!(
        fields(&document["board"]),
        "boot_id disks engine id mqtt platform platform_reason problems"
    );
    assert_eq!(
        fields(&document["apps"][0]),
        "app candidate container current definition health hold last next previous proven \
         quarantine reason since snapshots state update warnings"
    );
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(document["board"]["boot_id"], boot.trim());
    assert_eq!(document["board"]["id"], "board-1");
    let at = document["at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "milliseconds, UTC: {at}");
    let one = board.agent().ask("GET", "/v1/apps/wallet", &json!(null)).unwrap();
    assert_eq!(one.json()["app"], "wallet");
}

#[test]
fn p8_unknown_app_and_absent_agent_have_exit_codes_of_their_own() {
    let board = Board::start();
    let wallet = start::installed(&board);
    for verb in ["update", "rollback", "retry", "stop", "start", "history"] {
        let said = board.agent().ctl(&[verb, "purse"]);
        assert_eq!(said.code, 1, "{verb}: {said:?}");
        assert!(said.err.contains("purse"), "{verb}: {said:?}");
        assert_eq!(said.out, "", "{verb}: results alone go to stdout");
    }
    let answer = board.agent().verb("purse", "update");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["code"], "unknown_app");
    assert_eq!(board.agent().ctl(&["no-such-verb"]).code, 2);
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    board.agent().stop();
    let said = board.agent().ctl(&["status"]);
    assert_eq!(said.code, 4, "{said:?}");
    let socket = board.agent().socket();
    assert!(said.err.contains(&*socket.to_string_lossy()), "{}", said.err);
}

#[test]
fn p8_app_that_an_operator_stops_stays_stopped_until_started_whatever_restarts() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    board.agent().ctl_well(&["stop", "wallet"]);
    wallet.wait_state("stopped");
    wait_until(SOON, "the container to be down", || wallet.running().is_empty());
    assert_eq!(board.agent().ctl(&["status"]).code, 0, "as wanted");
    board.agent().stop();
    board.engine().kill();
    board.engine().start();
    board.agent().start();
    start::push(&board, &start::image("2.0.0"));
    board.agent().ctl(&["update", "wallet"]);
    wallet.wait_state("stopped");
    assert!(wallet.running().is_empty());
    board.engine().start_container("wallet-g1");
    wait_until(SOON, "it to be stopped again", || wallet.running().is_empty());
    board.agent().ctl_well(&["start", "wallet"]);
    wallet.wait_version("2.0.0");
    assert_ne!(wallet.container().id(), before.id());
    let text = board.agent().ctl_well(&["history", "wallet"]);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 4, "two a line of history: {text}");
    assert_eq!((lines[1], lines[3]), ("tag", "install"), "newest first: {text}");
    assert!(lines[0].contains("wallet  committed"), "{text}");
    let json = board.agent().ctl(&["history", "wallet", "--json"]).json();
    assert_eq!(json["outcomes"], json!(wallet.history()));
    assert_eq!(json["outcomes"][1]["trigger"], "install");
}

#[test]
fn p8_agent_ends_well_on_sigterm_and_the_apps_run_on() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let ended = board.agent().stop();
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    assert_eq!(wallet.container().started_at(), before.started_at());
    board.agent().start();
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.container().started_at(), before.started_at());
    board.agent().signal(Signal::SIGHUP);
    wallet.wait_version("1.0.0");
    assert!(board.agent().pid().is_some(), "SIGHUP ends nothing");
}
