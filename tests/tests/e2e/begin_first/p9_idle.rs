//! P9: an idle board is idle: one HEAD a poll, no disk write, no message.

use crate::start;
use harness::{Board, wait_until};
use std::time::Duration;

/// Two polls of a minute, each a fifth late, and some more.
const TWO_POLLS: Duration = Duration::from_secs(150);

#[test]
fn p9_idle_board_asks_once_a_poll_for_two_apps_writes_nothing_and_sends_nothing() {
    let board = Board::start();
    board.agent().settings(|toml| toml.set_in("mqtt", "metrics", "0s"));
    let wallet = start::installed(&board);
    let follower = board
        .app("follower")
        .image(&format!("{}/wallet:stable", board.registry().host()))
        .state("/state")
        .define();
    board.agent().reload();
    follower.wait_version("1.0.0");
    for app in [&wallet, &follower] {
        app.wait("to be at rest", |app| app["next"]["act"] == "poll");
    }
    let listener = board.listen();
    let registry = board.registry();
    let all = || registry.access().len();
    let heads = || registry.heads("wallet", "stable");
    let at_first = heads();
    wait_until(TWO_POLLS, "a poll", || heads() > at_first);
    let (heads_before, all_before) = (heads(), all());
    let (written, heard) = (board.agent().written_bytes(), listener.messages().len());
    wait_until(TWO_POLLS, "the next poll", || heads() > heads_before);
    // The second app would have asked by now: both follow one tag at the same times.
    for app in [&wallet, &follower] {
        app.wait("to know its next poll", |app| app["next"]["act"] == "poll");
    }
    assert_eq!(heads() - heads_before, 1, "{:#?}", registry.access());
    assert_eq!(all() - all_before, 1, "nothing else was asked: {:#?}", registry.access());
    assert_eq!(board.agent().written_bytes() - written, 0, "bytes written");
    let messages = listener.messages();
    assert_eq!(messages.len(), heard, "{:#?}", &messages[heard..]);
}
