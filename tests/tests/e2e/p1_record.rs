//! P1, P4: the record may be lost, torn or of another time.

use crate::start;
use harness::{App, Board, Kept, SOON, wait_until};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The record before the last write.
fn former(wallet: &App) -> PathBuf {
    wallet.record().with_extension("json.1")
}

/// Installs 1.0.0, takes 2.0.0, gives up an unhealthy 3.0.0; the agent is stopped then.
fn with_a_past(board: &Board) -> App<'_> {
    let definition = start::definition(board).health("retries", 1);
    let wallet = start::installed_as(board, &start::image("1.0.0"), definition);
    start::push(board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    start::push(board, &start::image("3.0.0").behaviour("unhealthy"));
    wallet.update();
    wallet.wait_ended(3, "rolled_back");
    wallet.wait_version("2.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2, 3], &[1, 2]));
    board.agent().stop();
    wallet
}

/// The app ran on, is proven again, knows current, previous and what it shall not try.
fn assert_brought_forward(board: &Board, wallet: &App, started_before: &str) {
    let bad = start::image("3.0.0").behaviour("unhealthy").release();
    let status = wallet.wait("to be ok, with its candidate seen", |app| {
        app["state"] == "ok" && app["proven"] == true && app["candidate"]["config"] == bad.as_str()
    });
    assert_eq!(wallet.container().started_at(), started_before, "it ran on");
    assert_eq!(status["current"]["config"], start::image("2.0.0").release().as_str());
    assert_eq!(status["previous"]["config"], start::image("1.0.0").release().as_str());
    let list = status["quarantine"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:#?}");
    assert_eq!(list[0]["config"], bad.as_str());
    assert_eq!(list[0]["reason"]["code"], "unhealthy");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2, 3], &[1, 2]));
    start::push(board, &start::image("4.0.0"));
    wallet.update();
    let status = wallet.wait_version("4.0.0");
    assert_eq!(status["container"]["generation"], 4, "numbers never go back");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n2.0.0\n4.0.0\n");
}

#[test]
fn p1_app_runs_on_and_is_known_again_after_its_record_was_deleted() {
    let board = Board::start();
    let wallet = with_a_past(&board);
    let started = wallet.container().started_at();
    std::fs::remove_file(wallet.record()).unwrap();
    std::fs::remove_file(former(&wallet)).unwrap();
    board.agent().start();
    assert_brought_forward(&board, &wallet, &started);
}

#[test]
fn p1_app_runs_on_and_is_known_again_after_its_record_was_cut_short() {
    let board = Board::start();
    let wallet = with_a_past(&board);
    let started = wallet.container().started_at();
    let whole = std::fs::read(wallet.record()).unwrap();
    std::fs::write(wallet.record(), &whole[..whole.len() / 2]).unwrap();
    board.agent().start();
    assert_brought_forward(&board, &wallet, &started);
}

#[test]
fn p1_app_is_made_again_from_its_forks_after_record_and_container_were_lost() {
    let board = Board::start();
    let wallet = with_a_past(&board);
    for path in [wallet.record(), former(&wallet)] {
        std::fs::remove_file(path).unwrap();
    }
    board.engine().remove_container("wallet-g2");
    board.agent().start();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["container"]["generation"], 2);
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n2.0.0\n2.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2, 3], &[1, 2]));
}

#[test]
fn p1_record_of_a_newer_agent_is_left_alone_and_the_app_runs_on() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.agent().stop();
    let text = std::fs::read_to_string(wallet.record()).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    record["schema"] = json!(99);
    let newer = record.to_string();
    std::fs::write(wallet.record(), &newer).unwrap();
    let before = wallet.container();
    let state = wallet.fork_tree(1, "state");
    start::push(&board, &start::image("2.0.0"));
    board.agent().start();
    let status = wallet.wait_reason("agent_too_old");
    let reason = &status["reason"];
    let message = reason["message"].as_str().unwrap();
    assert!(message.contains("99"), "{message}");
    assert_ne!(reason["hint"], "", "it says what to do");
    let refused = board.agent().ctl(&["stop", "wallet"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let after = wallet.container();
    assert_eq!((before.id(), before.started_at()), (after.id(), after.started_at()));
    assert_eq!(std::fs::read_to_string(wallet.record()).unwrap(), newer, "not one byte");
    state.assert_same(&wallet.fork_tree(1, "state"), "its state");
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]), "nothing was begun");
    // With the record of its own time it goes on.
    board.agent().stop();
    std::fs::write(wallet.record(), text).unwrap();
    board.agent().start();
    wait_until(SOON, "the update", || wallet.version().as_deref() == Some("2.0.0"));
}
