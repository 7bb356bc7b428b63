//! P1, P4: parts of the board that hang, die alone or fill up.

use crate::start;
use harness::{Board, Kept, SOON, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

/// The volume root's size where it shall fill up: a state, its copy and the reserve fit in.
const SMALL_BYTES: u64 = 64 * 1024 * 1024;

#[test]
fn p1_engine_that_hangs_in_mid_update_is_waited_for_and_the_update_goes_on() {
    let board = Board::start();
    let lingering = start::image("1.0.0").behaviour("slow-stop 1500");
    let definition = start::definition(&board).set("stop", json!({"grace": "2s"}));
    let wallet = start::installed_as(&board, &lingering, definition);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_step("stop");
    board.engine().freeze();
    wait_until(SOON, "the engine to be known as away", || {
        board.agent().status()["board"]["engine"]["state"] == "away"
    });
    board.engine().thaw();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g2", "an answer that did not come is no failure");
    assert_eq!(status["last"]["outcome"], "committed");
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(wallet.page("/state").lines().last(), Some("2.0.0"));
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_app_that_died_while_containerd_was_dead_runs_again_though_the_engine_calls_it_running() {
    let board = Board::start();
    let definition = start::definition(&board).health("retries", 2);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    let before = wallet.container();
    board.engine().kill_containerd();
    kill(Pid::from_raw(i32::try_from(before.pid()).unwrap()), Signal::SIGKILL).unwrap();
    board.engine().restart_containerd();
    wallet.wait("to run well in another process", |app| {
        let running = wallet.running();
        let now = running.first();
        app["state"] == "ok" && now.is_some_and(|now| now.started_at() != before.started_at())
    });
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}

#[test]
fn p1_app_runs_on_while_a_full_disk_holds_its_update_back() {
    let board = Board::start();
    board.mount_tmpfs(&board.agent().volumes(), SMALL_BYTES);
    let wallet = start::installed(&board);
    let before = wallet.container();
    let filler = board.agent().volumes().join("filler");
    std::fs::write(&filler, vec![1; 50 * 1024 * 1024]).unwrap();
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait("to wait for the disk", |app| app["next"]["waiting_for"] == "disk");
    assert_eq!(status["reason"]["code"], "disk_low", "{status:#}");
    assert_eq!(status["reason"]["class"], "environment");
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("MiB"), "with figures: {message}");
    assert_eq!(wallet.container().started_at(), before.started_at());
    board.agent().restart(); // it looks at the disks once a minute, and when it starts
    wait_until(SOON, "the disk to be shown as low", || {
        let status = board.agent().status();
        let disks = status["board"]["disks"].as_array().cloned().unwrap_or_default();
        disks.iter().any(|disk| disk["role"] == "volumes" && disk["low"] == true)
    });
    wallet.wait("to wait again", |app| app["next"]["waiting_for"] == "disk");
    std::fs::remove_file(filler).unwrap();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["quarantine"], json!([]));
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p3_update_that_waits_is_abandoned_when_the_tag_moves_on() {
    let board = Board::start();
    let wallet = start::installed(&board);
    wait_until(SOON, "the lock", || wallet.get("/flock?hold=1").is_ok_and(|got| got.status == 200));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait("to wait for the lock", |app| app["next"]["waiting_for"] == "lock");
    let third = start::push(&board, &start::image("3.0.0"));
    wallet.update();
    wallet.wait("to wait with the next one", |app| {
        app["next"]["waiting_for"] == "lock"
            && app["update"]["to"]["config"] == third.release.as_str()
    });
    assert_eq!(wallet.status()["last"]["outcome"], "abandoned");
    assert_eq!(wallet.page("/flock?hold=0"), "given up\n");
    wallet.wait_version("3.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n3.0.0\n", "2.0.0 never ran");
    let ends: Vec<_> = wallet.history().iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(ends, ["committed", "abandoned", "committed"]);
    wallet.wait_kept(&Kept::of("wallet", &[3], &[1, 3], &[1, 3]));
}

#[test]
fn p3_stop_in_probation_goes_back_and_starts_nothing_and_condemns_nobody() {
    let board = Board::start();
    let definition = start::definition(&board).health("settle", "10s");
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wait_until(SOON, "the new one", || wallet.version().as_deref() == Some("2.0.0"));
    board.agent().ctl_well(&["stop", "wallet"]);
    let ended = wallet.wait_ended(2, "rolled_back");
    assert_eq!(ended["reason"]["class"], "operator", "{ended:#}");
    let status = wallet.wait_state("stopped");
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(status["current"]["config"], start::image("1.0.0").release().as_str());
    wait_until(SOON, "nothing to run", || wallet.running().is_empty());
    board.agent().ctl_well(&["start", "wallet"]);
    wallet.wait_version("2.0.0");
}
