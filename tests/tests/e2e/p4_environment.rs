//! P4: a fault of the environment condemns nobody; a port that only seems open proves nothing.

use crate::start;
use harness::{Board, SOON, wait_until};
use serde_json::json;
use std::net::{TcpListener, TcpStream};

/// A port of the board.
const PORT: u16 = 18_080;

fn published() -> String {
    format!("127.0.0.1:{PORT}:8080")
}

#[test]
fn p4_port_in_use_by_a_stranger_delays_a_first_install_and_condemns_nobody() {
    let board = Board::start();
    let stranger = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).ports(&[&published()]).define();
    board.agent().start();
    let status = wallet.wait("to wait for the port", |app| {
        app["next"]["waiting_for"] == "port" || app["reason"]["code"] == "port_in_use"
    });
    assert_eq!(status["reason"]["class"], "environment", "{status:#}");
    assert_eq!(status["reason"]["code"], "port_in_use");
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains(&PORT.to_string()), "{message}");
    assert_eq!(status["quarantine"], json!([]));
    assert!(wallet.running().is_empty());
    drop(stranger);
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["container"]["generation"], 1, "the same number");
    wait_until(SOON, "an answer on the port", || TcpStream::connect(("127.0.0.1", PORT)));
}

#[test]
fn p4_port_in_use_by_a_stranger_is_found_before_the_old_one_is_stopped() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let stranger = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    start::push(&board, &start::image("2.0.0"));
    start::definition(&board).ports(&[&published()]).define();
    board.agent().reload();
    wallet.update();
    let status = wallet.wait("to wait for the port", |app| app["next"]["waiting_for"] == "port");
    assert_eq!(status["reason"]["class"], "environment", "{status:#}");
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(wallet.container().started_at(), before.started_at(), "the old one runs on");
    drop(stranger);
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["quarantine"], json!([]));
}

#[test]
fn p4_tcp_probe_on_a_published_port_where_nothing_listens_does_not_pass() {
    let board = Board::start();
    let definition = || {
        let probe = json!({"port": 8080});
        let ports = start::definition(&board).ports(&[&published()]);
        ports.probe("tcp", probe).health("deadline", "6s").health("retries", 100)
    };
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition());
    // Listens elsewhere: what its port is published from is silent.
    let elsewhere = start::image("2.0.0").env("PORT", "9090");
    start::push(&board, &elsewhere);
    wallet.update();
    wait_until(SOON, "the engine's proxy to accept for the new one", || {
        let runs = wallet.running().first().and_then(harness::Container::generation) == Some(2);
        runs && TcpStream::connect(("127.0.0.1", PORT)).is_ok()
    });
    let ended = wallet.wait_ended(2, "rolled_back");
    assert_eq!(ended["reason"]["code"], "deadline", "{ended:#}");
    wallet.wait_version("1.0.0");
}

#[test]
fn p4_exec_and_container_probes_are_asked_as_the_app_itself() {
    let board = Board::start();
    let exec = start::definition(&board).probe("exec", json!(["/test-app", "health"]));
    let wallet = start::installed_as(&board, &start::image("1.0.0"), exec.health("retries", 2));
    start::push(&board, &start::image("2.0.0").behaviour("unhealthy"));
    wallet.update();
    let ended = wallet.wait_ended(2, "rolled_back");
    assert_eq!(ended["reason"]["code"], "unhealthy");
    start::definition(&board).probe("container", true).define();
    start::push(&board, &start::image("3.0.0").healthcheck());
    board.agent().reload();
    wallet.update();
    wallet.wait_version("3.0.0");
    start::push(&board, &start::image("4.0.0").healthcheck().behaviour("unhealthy"));
    wallet.update();
    let highest = wallet.container().generation().unwrap() + 1;
    let ended = wallet.wait_ended(highest, "rolled_back");
    assert_eq!(ended["reason"]["code"], "unhealthy");
    wallet.wait_version("3.0.0");
}
