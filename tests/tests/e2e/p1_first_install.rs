//! P1: an app that is defined runs.

use crate::start;
use harness::{Board, Image, Kept};
use serde_json::json;

#[test]
fn p1_first_install_runs_and_is_shown() {
    let board = Board::start();
    let release = board.registry().push("wallet", "1.0.0", &Image::version("1.0.0"));
    let wallet = board.app("wallet").image(&release.tagged()).state("/state").define();
    board.agent().start();
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["current"]["config"], release.release.as_str());
    assert_eq!(status["current"]["manifest"], release.digest.as_str());
    assert_eq!(status["current"]["tag"], "1.0.0");
    assert_eq!(status["proven"], true);
    assert_eq!(status["last"]["id"], "wallet-g1");
    assert_eq!(status["last"]["trigger"], "install");
    let container = wallet.container();
    assert_eq!(status["container"]["id"], container.id().as_str());
    assert_eq!(status["container"]["name"], "wallet-g1");
    assert_eq!(wallet.page("/state"), "1.0.0\n");
    assert_eq!(container.policy(), "unless-stopped");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}

#[test]
fn p1_first_install_that_crashes_is_left_running_under_its_policy_until_a_good_one_comes() {
    let board = Board::start();
    let bad = start::image("1.0.0").behaviour("crash 7 200");
    start::push(&board, &bad);
    let wallet = start::definition(&board).define();
    board.agent().start();
    let status = wallet.wait("to be degraded with restarts", |app| {
        app["state"] == "degraded" && app["container"]["restarts"].as_u64() > Some(0)
    });
    assert_eq!(status["proven"], false);
    assert_eq!(status["quarantine"], json!([]), "a first install is never quarantined");
    assert_eq!(status["last"]["outcome"], "committed");
    let container = wallet.containers().pop().unwrap();
    assert_eq!(container.policy(), "unless-stopped");
    start::push(&board, &start::image("1.0.1"));
    wallet.update();
    let status = wallet.wait_version("1.0.1");
    assert_eq!(status["container"]["generation"], 2);
}

#[test]
fn p1_first_install_that_is_unhealthy_is_left_running_and_shown() {
    let board = Board::start();
    start::push(&board, &start::image("1.0.0").behaviour("unhealthy"));
    let wallet = start::definition(&board).health("retries", 2).define();
    board.agent().start();
    let status = wallet.wait("to be degraded and unhealthy", |app| {
        app["state"] == "degraded" && app["health"] == "unhealthy"
    });
    assert_eq!(status["proven"], false);
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(wallet.container().generation(), Some(1));
    assert_eq!(board.agent().ctl(&["status"]).code, 3);
}
