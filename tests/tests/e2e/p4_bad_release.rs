//! P4: a release that failed by its own fault is undone, remembered, and not tried again.

use crate::start::{self, GID, UID};
use harness::{Board, Compression, Dialect, Entry, Kept, digest};
use serde_json::json;

/// A bad release is undone byte for byte, not tried again though agent and registry come with it
/// anew, and a corrected one is taken.
fn is_undone_once(told: &str, code: &str) {
    let board = Board::start();
    let own = (u64::from(UID), u64::from(GID));
    let first = start::image("1.0.0").folder("/state", 0o700, own).file_owned(
        "/state/secret",
        0o600,
        own,
        b"of the user",
    );
    let definition = start::definition(&board)
        .health("timeout", "1s")
        .health("retries", 2)
        .health("deadline", "7s");
    let wallet = start::installed_as(&board, &first, definition);
    let (old, before) = (wallet.container(), wallet.fork_tree(1, "state"));
    let bad = start::image("2.0.0").behaviour(told);
    start::push(&board, &bad);
    wallet.update();
    let ended = wallet.wait_ended(2, "rolled_back");
    assert_eq!(ended["reason"]["code"], code, "{ended:#}");
    assert_eq!(ended["reason"]["class"], "release");
    assert_eq!((&ended["step"], &ended["snapshot"]), (&json!("probation"), &json!(2)));
    wallet.wait_version("1.0.0");
    let now = wallet.container();
    assert_eq!(now.id(), old.id(), "the old container was kept");
    assert_eq!(wallet.source("/state"), wallet.fork(1, "state"));
    let after = wallet.fork_tree(1, "state");
    before.without("stamp.log").assert_same(&after.without("stamp.log"), "the old fork");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n", "stamped by itself alone");
    let failed = std::fs::read_to_string(wallet.fork(2, "state").join("stamp.log")).unwrap();
    assert_eq!(failed, "1.0.0\n2.0.0\n", "what the failed one wrote is kept");
    let kept = Kept::of("wallet", &[1], &[1, 2], &[1]);
    wallet.wait_kept(&kept);
    board.agent().restart();
    let again = bad.clone().compressed(Compression::Gzip(1000)).dialect(Dialect::Oci);
    let entries = [Entry::Image(&again), Entry::Attestation(&again)];
    let index = board.registry().push_index("wallet", "stable", Dialect::Oci, &entries);
    wallet.update();
    let manifest = digest(&again.manifest().1);
    let status = wallet.wait("to have seen the same release anew", |app| {
        app["candidate"]["manifest"] == manifest.as_str() && app["next"]["act"] == "poll"
    });
    assert_eq!(status["candidate"]["index"], index.digest.as_str());
    assert_eq!(status["candidate"]["config"], bad.release().as_str());
    assert_eq!(status["quarantine"][0]["config"], bad.release().as_str());
    assert_eq!(status["quarantine"][0]["reason"]["code"], code);
    assert!(status["update"].is_null());
    assert_eq!(wallet.kept(), kept, "nothing was begun");
    assert_eq!(wallet.container().started_at(), now.started_at(), "the app was left alone");
    let corrected = start::push(&board, &start::image("2.0.1"));
    wallet.update();
    let status = wallet.wait_version("2.0.1");
    assert_eq!(status["current"]["config"], corrected.release.as_str());
    assert_eq!(status["last"]["id"], "wallet-g3");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n2.0.1\n", "none of what 2.0.0 wrote");
}

#[test]
fn p4_release_that_crashes_is_undone_and_tried_once() {
    is_undone_once("crash 3 300", "exited");
}

#[test]
fn p4_release_that_hangs_is_undone_and_tried_once() {
    is_undone_once("hang", "deadline");
}

#[test]
fn p4_release_that_is_unhealthy_is_undone_and_tried_once() {
    is_undone_once("unhealthy", "unhealthy");
}

#[test]
fn p4_release_is_tried_again_when_an_operator_says_retry() {
    let board = Board::start();
    let definition = start::definition(&board).health("retries", 1);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    start::push(&board, &start::image("2.0.0").behaviour("fail-if-file=bad"));
    let switch = wallet.data("data").join("bad");
    std::fs::write(&switch, b"").unwrap();
    wallet.update();
    wallet.wait_ended(2, "rolled_back");
    std::fs::remove_file(&switch).unwrap();
    wallet.wait_version("1.0.0");
    board.agent().ctl_well(&["retry", "wallet"]);
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g3");
    assert_eq!(status["quarantine"], json!([]));
}

#[test]
fn p4_old_release_unhealthy_as_well_condemns_nobody_and_the_new_one_is_tried_again() {
    let board = Board::start();
    let touchy = |version: &str| start::image(version).behaviour("fail-if-file=broken");
    let definition = start::definition(&board).health("retries", 2).health("deadline", "5s");
    let wallet = start::installed_as(&board, &touchy("1.0.0"), definition);
    let switch = wallet.data("data").join("broken");
    std::fs::write(&switch, b"").unwrap();
    start::push(&board, &touchy("2.0.0"));
    wallet.update();
    let ended = wallet.wait_ended(2, "inconclusive");
    assert_eq!(ended["reason"]["code"], "unhealthy");
    let status = wallet.status();
    assert_eq!(status["quarantine"], json!([]), "both were victims");
    assert_eq!(wallet.container().generation(), Some(1));
    std::fs::remove_file(&switch).unwrap();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g3");
    assert_eq!(status["last"]["outcome"], "committed");
}

#[test]
fn p4_release_without_rollback_is_left_running_shown_and_held() {
    let board = Board::start();
    let definition = start::definition(&board).health("retries", 1).update("rollback", false);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    let bad = start::push(&board, &start::image("2.0.0").behaviour("unhealthy"));
    wallet.update();
    let status = wallet.wait("to be held by the agent", |app| app["hold"]["by"] == "agent");
    assert_eq!(status["last"]["outcome"], "committed");
    assert_eq!(status["current"]["config"], bad.release.as_str());
    assert_eq!((&status["state"], &status["health"]), (&json!("degraded"), &json!("unhealthy")));
    assert_eq!(status["proven"], false);
    assert_eq!(wallet.container().generation(), Some(2));
    assert_eq!(wallet.version().as_deref(), Some("2.0.0"));
}

#[test]
fn p4_quarantine_holds_for_one_definition_a_changed_one_is_tried() {
    let board = Board::start();
    let definition = start::definition(&board).health("retries", 1);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    // It ends at once, unless the definition gives it other orders.
    start::push(&board, &start::image("2.0.0").env("BEHAVIOUR", "crash 2"));
    wallet.update();
    let ended = wallet.wait_ended(2, "rolled_back");
    assert_eq!(ended["reason"]["code"], "exited");
    start::definition(&board).env("BEHAVIOUR", "slow 10").define();
    board.agent().reload();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g3");
}
