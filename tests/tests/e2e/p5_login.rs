//! P5: a registry that wants to know who asks.

use crate::start;
use harness::{Board, LOGIN, SOON, Settings, wait_until};
use serde_json::json;

#[test]
fn p5_release_behind_a_login_is_taken_with_the_right_password_alone() {
    let settings = Settings { registry_login: true, ..Settings::default() };
    let board = Board::with(settings);
    let secret = board.folder().join("etc/registry-password");
    std::fs::write(&secret, "wrong\n").unwrap();
    let (user, password) = LOGIN;
    board.agent().settings(|toml| {
        let file = secret.to_string_lossy();
        let host = board.registry().host();
        toml.replace(
            "registry",
            json!({"host": host, "plain_http": true, "user": user, "password_file": file}),
        );
    });
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    let status = wallet.wait_reason("registry_denied");
    let said = status["reason"].to_string();
    assert!(said.contains(&board.registry().host()) && !said.contains("wrong"), "{said}");
    assert!(status["container"].is_null());
    std::fs::write(&secret, format!("{password}\n")).unwrap();
    board.agent().reload();
    wait_until(SOON, "the other password to be in force", || {
        board.agent().ctl(&["update", "wallet"]).code == 0
    });
    wallet.wait_version("1.0.0");
    let heads = || board.registry().heads("wallet", "stable");
    let before = heads();
    wallet.update();
    wait_until(SOON, "a poll", || heads() > before);
    assert_eq!(heads() - before, 1, "the answer to the first challenge is remembered");
    assert!(!board.agent().log().contains(password), "it is in no log");
}
