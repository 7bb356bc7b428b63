//! P1: the registry may be gone, for as long as it likes.

use crate::start;
use harness::{Board, Kept};

#[test]
fn p1_board_boots_and_its_app_runs_with_the_registry_down() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.cut_power();
    board.registry().stop();
    board.boot();
    wallet.wait_version("1.0.0");
    wallet.wait("to wait for the registry", |app| app["next"]["waiting_for"] == "registry");
    assert_eq!(board.agent().ctl(&["status"]).code, 0, "the app itself is well");
    board.registry().start();
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_first_install_is_made_when_the_registry_comes() {
    let board = Board::start();
    start::push(&board, &start::image("1.0.0"));
    board.registry().stop();
    let wallet = start::definition(&board).define();
    board.agent().start();
    let status = wallet.wait_reason("registry_unreachable");
    assert!(status["container"].is_null());
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains(&board.registry().host()), "{message}");
    board.registry().start();
    wallet.update();
    wallet.wait_version("1.0.0");
}
