//! P1: engine and power may go at any instant.

use crate::start;
use harness::{Board, Image, Kept, SOON, wait_until};
use serde_json::json;

#[test]
fn p1_apps_run_again_after_dockerd_was_killed_while_all_was_well() {
    let board = Board::start();
    let other = board.registry().push("tor", "1", &Image::version("tor-1"));
    let tor = board.app("tor").image(&other.tagged()).define();
    let wallet = start::installed(&board);
    tor.wait_version("tor-1");
    let before = [wallet.container(), tor.container()];
    board.engine().kill();
    wallet.wait("to be unknown", |app| app["health"] == "unknown");
    board.engine().start();
    for (app, version, before) in [(&wallet, "1.0.0", &before[0]), (&tor, "tor-1", &before[1])] {
        app.wait_version(version);
        let after = app.container();
        assert_eq!(before.id(), after.id(), "the same container");
        assert_ne!(before.started_at(), after.started_at(), "the engine had stopped it");
        assert_eq!(after.policy(), "unless-stopped");
    }
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    assert_eq!(wallet.status()["quarantine"], json!([]));
}

#[test]
fn p1_app_runs_again_after_a_power_cut() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    board.cut_power();
    board.boot();
    wallet.wait_version("1.0.0");
    let after = wallet.container();
    assert_eq!(before.id(), after.id());
    assert_ne!(before.started_at(), after.started_at());
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}

#[test]
fn p4_power_cut_in_probation_condemns_nobody_and_the_update_goes_on() {
    let board = Board::start();
    let wallet = start::installed(&board);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wait_until(SOON, "the new one", || wallet.version().as_deref() == Some("2.0.0"));
    board.cut_power();
    board.boot();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g2");
    assert_eq!(status["last"]["outcome"], "committed");
    assert_eq!(status["quarantine"], json!([]));
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_app_comes_back_with_its_state_after_the_engine_lost_all_it_had() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.cut_power();
    for folder in ["data", "containerd", "exec"] {
        let path = board.folder().join("engine").join(folder);
        if path.exists() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    board.boot();
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["container"]["generation"], 1, "brought back, not installed anew");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    assert_eq!(wallet.page("/data"), "1.0.0\n1.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}
