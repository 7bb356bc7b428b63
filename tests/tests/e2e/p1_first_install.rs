//! P1: an app that is defined runs.

use harness::{Board, Image};

#[test]
fn p1_first_install_runs_and_is_shown() {
    let board = Board::start();
    let release = board.registry().push("wallet", "1.0.0", &Image::version("1.0.0"));
    let wallet = board.app("wallet").image(&release.tagged()).state("/state").define();
    board.agent().start();
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["current"]["config"], release.release.as_str());
    assert_eq!(status["proven"], true);
    assert_eq!(wallet.page("/state"), "1.0.0\n");
    assert_eq!(wallet.container().policy(), "unless-stopped");
}
