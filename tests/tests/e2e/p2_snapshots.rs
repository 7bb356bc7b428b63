//! P2: what an operator has done with the state: kept, restored, and, asked for by name alone, deleted.

use crate::start;
use harness::{App, Board, Kept, SOON, wait_until};
use serde_json::{Value, json};

/// Kept forks as the status document shows them: number, kind, release.
fn snapshots(wallet: &App) -> Vec<(u64, String, String)> {
    let status = wallet.status();
    let list = status["snapshots"].as_array().cloned().unwrap_or_default();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|one| (one["fork"].as_u64().unwrap_or(0), text(one, "kind"), text(one, "release")))
        .collect()
}

fn wait_snapshots(wallet: &App, wanted: &[(u64, &str, &str)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(fork, kind, of)| (*fork, (*kind).to_owned(), (*of).to_owned()))
        .collect();
    wait_until(SOON, &format!("the snapshots {wanted:?}"), || {
        let seen = snapshots(wallet);
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

fn generation(wallet: &App) -> Option<u64> {
    wallet.container().generation()
}

#[test]
fn p2_a_snapshot_keeps_the_state_and_a_restore_runs_on_a_copy_of_it() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let ctl = |words: &[&str]| board.agent().ctl_well(words);
    let said = ctl(&["snapshot", "wallet"]);
    assert!(said.contains("ok"), "it waits for the end: {said}");
    assert_eq!(generation(&wallet), Some(2));
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n", "a copy, and this start");
    let kept = wallet.fork_tree(1, "state");
    wait_snapshots(&wallet, &[(1, "manual", "stable")]);
    let status = wallet.status();
    assert!(status["previous"].is_null(), "no release was left");
    assert_eq!(status["last"]["trigger"], "operator");
    assert_eq!(status["last"]["snapshot"], 1);
    let shown = ctl(&["snapshots", "wallet"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[0].starts_with("wallet  2") && lines[0].ends_with("in use"), "{shown}");
    assert!(lines[1].starts_with("wallet  1") && lines[1].contains("snapshot"), "{shown}");

    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    let left = (wallet.fork_tree(2, "state"), generation(&wallet));
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n2.0.0\n");
    ctl(&["restore", "wallet", "1"]);
    assert_eq!(generation(&wallet), Some(4), "always a new one");
    assert_eq!(wallet.version().as_deref(), Some("2.0.0"), "the release stays");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n", "that state, and this start");
    assert_eq!(wallet.page("/data"), "1.0.0\n1.0.0\n2.0.0\n2.0.0\n", "data goes on");
    kept.assert_same(&wallet.fork_tree(1, "state"), "the fork that was copied");
    left.0.assert_same(&wallet.fork_tree(2, "state"), "the one before");
    wallet.wait_kept(&Kept::of("wallet", &[4], &[1, 2, 3, 4], &[2, 4]));
    assert_eq!(wallet.status()["previous"]["config"], start::image("1.0.0").release().as_str());

    for (words, why) in [
        (["restore", "wallet", "4"], "the one in use"),
        (["restore", "wallet", "9"], "there is no fork 9"),
    ] {
        let refused = board.agent().ctl(&words);
        assert_eq!((refused.code, refused.err.contains(why)), (1, true), "{refused:?}");
    }
    // What the restore left is as good as any other.
    ctl(&["restore", "wallet", "3"]);
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n2.0.0\n2.0.0\n");
}

#[test]
fn p2_a_release_that_fails_on_a_restored_state_goes_back_and_is_not_condemned() {
    let board = Board::start();
    let picky = |version: &str| start::image(version).behaviour("fail-if-file=/state/bad");
    let definition = start::definition(&board).health("retries", 2);
    let wallet = start::installed_as(&board, &picky("1.0.0"), definition);
    start::push(&board, &picky("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    std::fs::write(wallet.fork(1, "state").join("bad"), "").unwrap();
    let failed = board.agent().ctl(&["restore", "wallet", "1"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("probe"), "{failed:?}");
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["container"]["generation"], 2);
    assert_eq!(status["last"]["outcome"], "rolled_back");
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n2.0.0\n", "as it was, and this start");
    wait_snapshots(&wallet, &[(3, "failed", "stable"), (1, "previous", "stable")]);
}

#[test]
fn p1_agent_killed_in_a_restore_ends_it_all_the_same() {
    let board = Board::start();
    board.agent().settings(|toml| toml.set_in("disk", "keep", 9)); // the first stays
    let wallet = start::installed(&board);
    board.agent().ctl_well(&["snapshot", "wallet"]);
    let kept = wallet.fork_tree(1, "state");
    for step in ["create", "start", "probation"] {
        let before = generation(&wallet).unwrap_or(0);
        board.agent().ctl_well(&["restore", "wallet", "1", "--no-wait"]);
        if wallet.kill_agent_at(step) {
            board.agent().start();
        }
        wallet.wait_ended(before + 1, "committed");
        wallet.wait_ok();
        assert_eq!(generation(&wallet), Some(before + 1), "{step}");
        let state = wallet.page("/state");
        assert!(state.lines().count() <= 4, "a copy of the first alone: {state}");
        kept.assert_same(&wallet.fork_tree(1, "state"), step);
        wait_until(SOON, "one container", || wallet.containers().len() == 1);
    }
}

#[test]
fn p2_purge_asks_deletes_all_and_an_app_that_is_defined_stays_stopped() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let refused = board.agent().ctl(&["purge", "wallet", "--yes"]);
    assert_eq!(refused.code, 1, "it runs: {refused:?}");
    assert!(refused.err.contains("agentctl stop"), "{refused:?}");
    board.agent().ctl_well(&["stop", "wallet"]);
    wallet.wait_state("stopped");
    let asked = board.agent().ctl(&["purge", "wallet"]);
    assert_eq!(asked.code, 2, "nobody can be asked: {asked:?}");
    assert!(asked.err.contains("its data: data"), "{asked:?}");
    assert!(asked.err.contains(&*wallet.folder().to_string_lossy()), "{asked:?}");
    assert!(wallet.data("data").exists() && wallet.fork(1, "state").exists());
    board.agent().ctl_well(&["purge", "wallet", "--yes"]);
    assert!(!wallet.folder().exists());
    wallet.wait_kept(&Kept::of("wallet", &[], &[], &[]));
    assert_eq!(wallet.history().len(), 0);
    let status = wallet.wait("to be as new", |app| app["current"].is_null());
    assert!(status["state"] == "stopped" && status["last"].is_null(), "{status:#}");
    board.agent().restart();
    assert_eq!(wallet.wait_state("stopped")["snapshots"], json!([]));
    board.agent().ctl_well(&["start", "wallet"]);
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n", "all anew");
    assert_eq!(generation(&wallet), Some(2), "numbers never go back");
}

#[test]
fn p2_purge_of_an_orphan_leaves_no_trace_also_when_the_agent_is_killed_in_it() {
    let board = Board::start();
    let wallet = start::installed(&board);
    std::fs::remove_file(wallet.file()).unwrap();
    board.agent().reload();
    wallet.wait_state("orphaned");
    board.agent().ctl_well(&["purge", "wallet", "--yes", "--no-wait"]);
    wait_until(SOON, "the wish to be written down, or carried out", || {
        let record = std::fs::read_to_string(wallet.record()).unwrap_or_default();
        record.is_empty() || record.contains("\"purge\":{")
    });
    board.agent().kill();
    board.agent().start();
    wait_until(SOON, "the app to be gone", || {
        let status = board.agent().status();
        let apps = status["apps"].as_array().map_or(1, Vec::len);
        if apps == 0 && !wallet.folder().exists() { Ok(()) } else { Err(status.to_string()) }
    });
    wallet.wait_kept(&Kept::of("wallet", &[], &[], &[]));
    assert!(!wallet.record().exists());
    let left: Vec<_> = std::fs::read_dir(board.agent().volumes()).unwrap().flatten().collect();
    let is_own = |name: &str| name.starts_with(".titania");
    assert!(left.iter().all(|one| is_own(&one.file_name().to_string_lossy())), "{left:?}");
    assert_eq!(board.agent().ctl(&["purge", "wallet", "--yes"]).code, 1, "unknown by now");
}
