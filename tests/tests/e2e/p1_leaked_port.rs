//! P1: a published port that the engine keeps for nobody (moby/libnetwork#1790), and ports that only look so.

use crate::start;
use harness::{App, Board, Image, Place, SOON, ask, wait_until};
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A port of the board.
const PORT: u16 = 18_081;
/// Two tries, some seconds apart, on a machine that does other things as well.
const FOUND: Duration = Duration::from_secs(60);
/// What the package's unit runs.
const HELPER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/systemd/titania-agent-engine-restart");

fn installed(board: &Board) -> App<'_> {
    let definition = start::definition(board).ports(&[&format!("127.0.0.1:{PORT}:8080")]);
    start::installed_as(board, &start::image("1.0.0"), definition)
}

/// A person's container with the port.
fn publish_by_another(board: &Board, image: &str) {
    let port = json!({"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": PORT.to_string()}]});
    let body = json!({
        "Image": image,
        "ExposedPorts": {"8080/tcp": {}},
        "HostConfig": {"PortBindings": port},
    });
    board.engine().create("web", &body);
    board.engine().start_container("web");
}

fn request(board: &Board) -> PathBuf {
    board.folder().join("engine-restart")
}

/// A power cut between two writes of the app's start.
fn cut_in_a_start(board: &Board) {
    board.cut_power();
    assert!(board.engine().forget_joins() > 0, "a start that could be torn");
}

/// Runs the helper as its unit does. The service manager is one that says that the engine runs, and notes what it is
/// asked for; the case's engine is restarted where that is a restart. Tells whether it was.
fn help(board: &Board) -> bool {
    let place = board.folder().join("helper");
    std::fs::create_dir_all(place.join("runtime")).unwrap();
    let asked = place.join("asked");
    let manager =
        format!("#!/bin/sh\ncase $* in *is-active*) ;; *) echo \"$*\" >>{asked:?} ;; esac\n");
    let program = place.join("systemctl");
    std::fs::write(&program, manager).unwrap();
    harness::run("chmod", &["755", program.to_str().unwrap()]);
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
    let done = Command::new(HELPER)
        .env("PATH", path)
        .env("RUNTIME_DIRECTORY", place.join("runtime"))
        .env("TITANIA_REQUEST", request(board))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(!request(board).exists(), "the request is taken away");
    let lines = std::fs::read_to_string(&asked).unwrap_or_default();
    let _ = std::fs::remove_file(&asked);
    assert!(
        ["", "--no-ask-password try-restart docker.service\n"].contains(&lines.as_str()),
        "{lines}"
    );
    if !lines.is_empty() {
        board.engine().stop();
        board.engine().start();
    }
    !lines.is_empty()
}

#[test]
fn p1_app_runs_again_though_the_engine_keeps_its_port_after_a_power_cut() {
    let board = Board::start();
    let wallet = installed(&board);
    let listener = board.listen();
    cut_in_a_start(&board);
    board.boot();
    let back = Instant::now();
    wait_until(FOUND, "a restart of the engine to be asked for", || request(&board).exists());
    println!("found {:?} after the engine's return", back.elapsed());
    // The engine's own proxy listens, and no container runs: so it is what it is called.
    assert!(TcpStream::connect(("127.0.0.1", PORT)).is_ok());
    assert!(board.engine().containers().iter().all(|container| !container.is_running()));
    let status = wallet.wait_reason("port_leaked");
    assert_eq!(status["reason"]["class"], "environment");
    let problems = board.agent().status()["board"]["problems"].clone();
    let is_told = |problem: &serde_json::Value| {
        problem["code"] == "port_leaked"
            && problem["hint"]
                .as_str()
                .is_some_and(|hint| hint.contains("systemctl restart docker"))
    };
    assert!(problems.as_array().unwrap().iter().any(is_told), "{problems:#}");
    listener.wait(SOON, "the event", |message| message.payload.contains("engine_restart_asked"));

    assert!(help(&board), "the engine is restarted");
    wallet.wait_version("1.0.0");
    println!("up {:?} after the engine's first return", back.elapsed());
    wait_until(SOON, "an answer on the port", || {
        let place = Place::Tcp(SocketAddr::from(([127, 0, 0, 1], PORT)));
        let answer = ask(place, "GET", "/version", &[], b"");
        answer.is_ok_and(|answer| answer.status == 200)
    });
    let status = wallet.status();
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(status["reason"], json!(null), "{status:#}");
    let problems = board.agent().status()["board"]["problems"].clone();
    assert!(!problems.to_string().contains("port_leaked"), "{problems:#}");

    // Once more in the same boot: it is only told, whatever agent or helper is asked.
    cut_in_a_start(&board);
    board.engine().start();
    board.agent().start();
    let status = wallet.wait("to be told", |app| {
        let message = app["reason"]["message"].as_str().unwrap_or_default();
        app["reason"]["code"] == "port_leaked" && message.contains("not again")
    });
    assert!(!request(&board).exists(), "{status:#}");
    std::fs::write(request(&board), "again\n").unwrap();
    assert!(!help(&board), "nor does the helper");
    // What the hint says helps.
    board.engine().stop();
    board.engine().start();
    wallet.wait_version("1.0.0");
}

#[test]
fn p4_port_of_somebody_else_is_not_taken_for_one_that_the_engine_keeps() {
    let board = Board::start();
    let web = board.registry().push("web", "1", &Image::version("web"));
    board.engine().pull(&web.tagged());
    let wallet = installed(&board);
    board.agent().stop();
    board.engine().stop_container("wallet-g1");

    let stranger = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    board.agent().start();
    let status = wallet.wait_reason("port_in_use");
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("address already in use"), "{message}");
    board.agent().stop();
    drop(stranger);

    publish_by_another(&board, &web.tagged());
    board.agent().start();
    // Longer than it takes to find a port that the engine keeps.
    let held = "is published by the container web";
    wait_until(FOUND, "a second refusal", || board.agent().log().matches(held).count() >= 2);
    wallet.wait_reason("port_in_use");
    assert!(!request(&board).exists());
    board.engine().remove_container("web");
    wallet.wait_version("1.0.0");
    assert!(!request(&board).exists());
}

/// The port leaks in a start of a person's container, which then goes: the app runs, and never had it.
#[test]
fn p1_update_goes_on_though_the_engine_keeps_a_port_that_only_the_new_release_has() {
    let board = Board::start();
    let web = board.registry().push("web", "1", &Image::version("web"));
    board.engine().pull(&web.tagged());
    let wallet = start::installed(&board);
    publish_by_another(&board, &web.tagged());
    start::definition(&board).ports(&[&format!("127.0.0.1:{PORT}:8080")]).define();
    board.agent().reload();
    let status = wallet.wait("to be told who has the port", |app| {
        let message = app["reason"]["message"].as_str().unwrap_or_default();
        message.contains("is published by the container web")
    });
    assert_eq!(status["next"]["waiting_for"], "port", "{status:#}");
    cut_in_a_start(&board);
    board.engine().start();
    board.engine().remove_container("web");
    // A container that nobody would start again is worth more than an update.
    board.engine().create("other", &json!({"Image": web.tagged()}));
    board.engine().start_container("other");
    board.new_boot_id();
    board.agent().start();
    let status = wallet.wait("to be told of the other", |app| {
        let message = app["reason"]["message"].as_str().unwrap_or_default();
        app["reason"]["code"] == "port_leaked" && message.contains("the container other would not")
    });
    assert_eq!(status["health"], "healthy", "the old one runs: {status:#}");
    assert!(!request(&board).exists());
    board.agent().stop();
    board.engine().remove_container("other");
    board.agent().start();
    wait_until(FOUND, "a restart of the engine to be asked for", || request(&board).exists());
    let before = wallet.container();
    assert!(before.is_running(), "what it was tried with goes, the app runs on");
    wallet.wait_reason("port_leaked");
    assert!(help(&board), "the engine is restarted");
    wallet.wait("to have the port", |app| {
        app["container"]["generation"] == 2 && app["proven"] == true
    });
    wait_until(SOON, "nothing to be left over", || {
        let names: Vec<String> =
            board.engine().containers().iter().map(harness::Container::name).collect();
        if names == ["wallet-g2"] { Ok(()) } else { Err(format!("{names:?}")) }
    });
}

#[test]
fn p1_port_of_a_stranger_that_only_the_new_release_has_restarts_no_engine() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let stranger = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    start::definition(&board).ports(&[&format!("127.0.0.1:{PORT}:8080")]).define();
    board.agent().reload();
    wallet.wait("to wait for the port", |app| app["next"]["waiting_for"] == "port");
    let asked = format!("port {PORT} is not the engine's");
    wait_until(FOUND, "the engine to be asked", || board.agent().log().contains(&asked));
    wallet.wait_reason("port_in_use");
    assert!(!request(&board).exists());
    assert_eq!(wallet.container().started_at(), before.started_at(), "the old one runs on");
    drop(stranger);
    wallet.wait("to have the port", |app| {
        app["container"]["generation"] == 2 && app["proven"] == true
    });
    assert_eq!(board.agent().log().matches(&asked).count(), 1, "asked once");
}
