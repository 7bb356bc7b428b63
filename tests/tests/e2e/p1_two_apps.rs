//! P1, P3: apps that need each other find each other, in order.

use harness::{Board, Image, SOON, wait_until};

#[test]
fn p1_two_apps_talk_by_name_and_the_later_one_starts_when_the_first_is_healthy() {
    let board = Board::start();
    let registry = board.registry();
    let tor = registry.push("tor", "1", &Image::version("tor-1").behaviour("slow 4000"));
    let wallet = registry.push("wallet", "1", &Image::version("wallet-1"));
    let wallet = board.app("wallet").image(&wallet.tagged()).after(&["tor"]).define();
    let tor = board.app("tor").image(&tor.tagged()).define();
    board.agent().start();
    wallet.wait("to wait for tor", |app| app["next"]["waiting_for"] == "dependency");
    let seen_first = wait_until(SOON, "the wallet to run", || {
        let ill = tor.get("/health").map_or(true, |answer| answer.status != 200);
        match wallet.running().is_empty() {
            false => Some(ill),
            true => None,
        }
    });
    assert!(!seen_first, "tor was healthy before the wallet ran");
    wallet.wait_version("wallet-1");
    tor.wait_version("tor-1");
    assert_eq!(wallet.page("/fetch?url=http://tor:8080/version"), "tor-1");
    assert_eq!(tor.page("/fetch?url=http://wallet:8080/version"), "wallet-1");
}

#[test]
fn p1_app_finds_the_other_by_name_also_after_that_was_updated() {
    let board = Board::start();
    let registry = board.registry();
    let first = registry.push("tor", "stable", &Image::version("tor-1"));
    let own = registry.push("wallet", "1", &Image::version("wallet-1"));
    let wallet = board.app("wallet").image(&own.tagged()).after(&["tor"]).define();
    let tor = board.app("tor").image(&first.tagged()).define();
    board.agent().start();
    wallet.wait_version("wallet-1");
    let before = wallet.container();
    registry.push("tor", "stable", &Image::version("tor-2"));
    tor.update();
    tor.wait_version("tor-2");
    let heard = wait_until(SOON, "an answer by name", || {
        let answer = wallet.get("/fetch?url=http://tor:8080/version").ok()?;
        (answer.status == 200).then(|| answer.text())
    });
    assert_eq!(heard, "tor-2");
    let after = wallet.container();
    assert_eq!(before.started_at(), after.started_at(), "an update restarts no other app");
}
