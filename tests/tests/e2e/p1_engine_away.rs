//! P1: while the engine is away apps run on and the agent waits; when it is back every app is up within seconds.

use crate::start;
use harness::{App, Board, Image, Place, Process, SOON, ask_within, wait_between, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// The app's published port.
const PORT: u16 = 18_095;
/// From the engine's return until an app that waits for no other is up.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// For what a cut connection needs before the next look: the case is over before.
const A_WHILE: Duration = Duration::from_secs(5);

/// Whether the app answers on the port that it publishes.
fn is_reached(port: u16) -> bool {
    let place = Place::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let answer = ask_within(Duration::from_secs(1), place, "GET", "/version", &[], b"");
    answer.is_ok_and(|answer| answer.status == 200)
}

/// The first app, with a published port.
fn published(board: &Board) -> App<'_> {
    let ports = format!("127.0.0.1:{PORT}:8080");
    start::installed_as(board, &start::image("1.0.0"), start::definition(board).ports(&[&ports]))
}

/// Waits until it is reached on its port; from when, and how long at most.
fn wait_reached(since: Instant, limit: Duration) {
    let left = limit.saturating_sub(since.elapsed());
    wait_until(left, "an answer on the published port", || is_reached(PORT));
    println!("reached {:?} after the engine's return", since.elapsed());
}

#[test]
fn p1_apps_run_on_while_the_engine_is_away_and_the_agent_waits_reports_and_goes_on() {
    let board = Board::start();
    let listener = board.listen();
    let wallet = published(&board);
    let before = wallet.container();
    let agent = board.agent().pid();
    board.engine().kill();
    listener.wait(SOON, "the event", |message| message.payload.contains("engine_away"));
    let status = wallet.wait("to be unknown", |app| app["health"] == "unknown");
    assert_eq!(status["next"]["waiting_for"], "engine", "{status:#}");
    assert_eq!(status["container"]["name"], "wallet-g1", "the last known fields stay: {status:#}");
    let engine = board.agent().status()["board"]["engine"].clone();
    assert_eq!(
        (&engine["state"], &engine["error"]["code"]),
        (&json!("away"), &json!("engine_away"))
    );
    assert_eq!(board.agent().ctl(&["status"]).code, 3);
    let begun = Instant::now();
    wait_until(SOON, "a while to pass, with the app answering all the time", || {
        let answer = before.get(8080, "/version").unwrap();
        assert_eq!(answer.text().trim(), "1.0.0");
        begun.elapsed() > A_WHILE
    });
    assert!(Path::new(&format!("/proc/{}", before.pid())).exists(), "the same process");
    let problems = board.agent().log().matches("can't be reached").count();
    assert!(problems < 3, "what stays as it is is told once:\n{}", board.agent().log());
    board.engine().start();
    let since = Instant::now();
    wait_reached(since, UP_WITHIN);
    listener.wait(SOON, "the event", |message| message.payload.contains("engine_back"));
    wallet.wait_version("1.0.0");
    assert_eq!(board.agent().pid(), agent, "the same run of the agent");
}

#[test]
fn p1_every_app_is_up_within_10_s_of_the_return_of_an_engine_that_was_killed() {
    let board = Board::start();
    let other = board.registry().push("tor", "1", &Image::version("tor-1"));
    let tor = board.app("tor").image(&other.tagged()).no_probe().define();
    let wallet = published(&board);
    tor.wait_state("ok");
    for _ in 0..4 {
        let before = wallet.container().started_at();
        board.engine().kill();
        board.engine().start();
        let since = Instant::now();
        wait_reached(since, UP_WITHIN);
        let left = UP_WITHIN.saturating_sub(since.elapsed());
        wait_until(left, "the other one", || tor.version().as_deref() == Some("tor-1"));
        wallet.wait_version("1.0.0");
        assert_ne!(wallet.container().started_at(), before, "the engine had stopped it");
    }
}

#[test]
fn p1_restarts_of_the_engine_are_no_crash_loop_of_the_apps() {
    let board = Board::start();
    let listener = board.listen();
    let wallet = published(&board);
    for turn in 0..5 {
        if turn % 2 == 0 {
            board.engine().stop()
        } else {
            board.engine().kill()
        }
        wallet.wait("to be unknown", |app| app["health"] == "unknown");
        board.engine().start();
        wallet.wait_version("1.0.0");
        let status = wallet.status();
        assert_eq!(
            (&status["state"], &status["reason"]),
            (&json!("ok"), &json!(null)),
            "{status:#}"
        );
    }
    let told = listener.messages();
    let blames = told.iter().find(|message| message.payload.contains("crash_loop"));
    assert!(blames.is_none(), "{blames:?}");
    let status = wallet.status();
    assert_eq!(status["quarantine"], json!([]));
    assert_eq!(wallet.history().len(), 1, "an engine's restart is no update");
}

#[test]
fn p1_app_is_up_soon_after_a_proxy_of_the_dead_engine_gives_its_port_back() {
    let board = Board::start();
    let wallet = published(&board);
    let address = wallet.container().address().unwrap().to_string();
    board.engine().kill();
    // The engine's own program, as it is left: nobody's child, listening for a container that will be stopped. It tells
    // whoever started it by file 3 that it listens.
    let folders = "PATH=$PATH:/usr/sbin:/usr/libexec/docker";
    let line = format!(
        "{folders}; exec docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port {PORT} \
         -container-ip {address} -container-port 8080 3>/dev/null"
    );
    let log = board.folder().join("orphan.log");
    let shell = Path::new("/bin/sh");
    let mut orphan = Process::start(shell, &["-c".to_owned(), line], &log, &log);
    wait_until(SOON, "the orphan to have the port", || {
        std::net::TcpListener::bind(("127.0.0.1", PORT)).is_err()
    });
    board.engine().start();
    let begun = Instant::now();
    let status = wallet.wait_reason("port_in_use");
    assert_eq!(status["reason"]["class"], "environment", "{status:#}");
    let refused = || board.agent().log().matches("address already in use").count();
    wait_until(SOON, "several tries", || refused() >= 3);
    assert!(begun.elapsed() < UP_WITHIN, "tried often at first: {:?}", begun.elapsed());
    orphan.kill();
    wait_reached(Instant::now(), UP_WITHIN);
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.status()["quarantine"], json!([]));
}

/// An app that is well while it stays up: nobody asks it.
fn without_a_probe(board: &Board) -> App<'_> {
    start::installed_as(board, &start::image("1.0.0"), start::definition(board).no_probe())
}

fn signal(pid: u64, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

fn wait_other_process(wallet: &App, limit: Duration, before: &str) {
    wait_between(limit, Duration::from_millis(100), "another process", || {
        let running = wallet.running();
        running.first().is_some_and(|now| now.started_at() != before)
    });
}

#[test]
fn p1_app_without_a_probe_that_died_while_containerd_was_dead_is_up_within_10_s() {
    let board = Board::start();
    let wallet = without_a_probe(&board);
    let before = wallet.container();
    board.engine().kill_containerd();
    signal(before.pid(), Signal::SIGKILL);
    board.engine().restart_containerd();
    let back = Instant::now();
    wait_other_process(&wallet, UP_WITHIN, &before.started_at());
    println!("another process {:?} after containerd's return", back.elapsed());
    wait_until(SOON, "an answer", || wallet.version().as_deref() == Some("1.0.0"));
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
}

#[test]
fn p1_end_of_which_the_engine_is_not_told_is_found_by_the_kernel_s_word() {
    let board = Board::start();
    let wallet = without_a_probe(&board);
    let before = wallet.container();
    let status = std::fs::read_to_string(format!("/proc/{}/status", before.pid())).unwrap();
    let shim = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    let shim = shim.trim().parse().unwrap();
    // The one who would tell the engine is frozen: it goes on calling the app running.
    signal(shim, Signal::SIGSTOP);
    signal(before.pid(), Signal::SIGKILL);
    let begun = Instant::now();
    wait_until(UP_WITHIN, "the agent to know", || {
        let said = "its process has ended, and the engine does not say so";
        board.agent().log().contains(said)
    });
    println!("known {:?} after the end", begun.elapsed());
    // (The engine itself can't be asked by now: it holds the container while it waits for the frozen one.)
    signal(shim, Signal::SIGCONT);
    wait_other_process(&wallet, SOON, &before.started_at());
    wait_until(SOON, "an answer", || wallet.version().as_deref() == Some("1.0.0"));
    assert_eq!(wallet.status()["quarantine"], json!([]));
}
