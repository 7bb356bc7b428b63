//! P3: an app that runs again is reached again: the kernel's unanswered question for its address goes.

use crate::start;
use harness::{Board, Place, SOON, ask_within, run, wait_until};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The app's published port.
const PORT: u16 = 18_090;
/// Updates until a client's question must have met a container that was not there: one in two does.
const UPDATES_MAX: u32 = 12;
/// What the agent says at level `debug` when an entry went.
const GONE: &str = "its unanswered entry is gone";

/// Starts `agentd --forget-neighbour` as its unit does: with that one right, a connection as input and output.
fn serve(connection: UnixStream) {
    let place: std::os::fd::OwnedFd = connection.try_clone().unwrap().into();
    let rights = "-all,+net_admin";
    let sets = ["--inh-caps", "--ambient-caps", "--bounding-set"];
    let done = Command::new("setpriv")
        .args(["--reuid", "990", "--regid", "990", "--clear-groups", "--no-new-privs"])
        .args(sets.iter().flat_map(|set| [*set, rights]))
        .arg(harness::agentd())
        .arg("--forget-neighbour")
        .stdin(Stdio::from(place))
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(connection)))
        .status();
    assert!(done.is_ok(), "setpriv can be started");
}

/// Asks that program for an address; what it said.
fn forget(line: &str) -> String {
    let (mut own, its) = UnixStream::pair().unwrap();
    own.write_all(line.as_bytes()).unwrap();
    own.shutdown(Shutdown::Write).unwrap();
    serve(its);
    let mut said = String::new();
    own.read_to_string(&mut said).unwrap();
    said.trim().to_owned()
}

#[test]
fn p3_only_an_unanswered_neighbour_is_forgotten_and_only_where_it_is_reached_directly() {
    let _board = Board::start(); // a network of its own
    for line in [
        "link add br9 type bridge",
        "link add port9 type veth peer name far9",
        "link set port9 master br9",
        "address add 10.99.0.1/24 dev br9",
        "link set br9 up",
        "link set port9 up",
        "link set far9 up",
        "neigh add 10.99.0.3 dev br9 lladdr 02:00:00:00:00:03 nud reachable",
        "neigh add 10.99.0.4 dev br9 lladdr 02:00:00:00:00:04 nud permanent",
        "route add 10.98.0.0/24 via 10.99.0.3",
    ] {
        run("ip", &line.split(' ').collect::<Vec<_>>());
    }
    let entry = |address: &str| run("ip", &["neigh", "show", "to", address, "dev", "br9"]);
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    wait_until(SOON, "a question that nobody answers", || {
        let _sent = client.send_to(b"?", "10.99.0.2:9");
        ["INCOMPLETE", "FAILED"].iter().any(|state| entry("10.99.0.2").contains(state))
    });
    let none = "it has no unanswered entry";
    for (line, said) in [
        ("10.99.0.3\n", none),
        ("10.99.0.4\n", none),
        ("10.99.0.5\n", none),
        ("10.98.0.2\n", none),
        ("fd00::2\n", none),
        ("10.99.0.2 dev br9\n", "this is no address"),
        ("10.99.0.2\n", GONE),
        ("10.99.0.2\n", none),
    ] {
        let answer = forget(line);
        let is_none = said == none && answer.contains("unreachable"); // no route at all is the kernel's word
        assert!(answer == said || is_none, "{line}: {answer}");
    }
    assert_eq!(entry("10.99.0.2"), "");
    assert!(entry("10.99.0.3").contains("02:00:00:00:00:03"), "an answer stays");
    assert!(entry("10.99.0.4").contains("PERMANENT"), "a person's entry stays");
}

/// Asks the app's port every 2 ms until it is dropped.
struct Client(Arc<AtomicBool>);

impl Client {
    fn start() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..4 {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                let (kept, never) = std::sync::mpsc::channel::<()>();
                while !is_over.load(Ordering::Relaxed) {
                    let place = Place::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
                    let limit = Duration::from_millis(40);
                    let _answer = ask_within(limit, place, "GET", "/version", &[], b"");
                    let _over = never.recv_timeout(Duration::from_millis(8));
                }
                drop(kept);
            });
        }
        Self(is_over)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Updates the app under a client's questions until the agent has met an unanswered entry.
fn update_until_met(board: &Board) {
    board.agent().log_steps();
    let ports = format!("127.0.0.1:{PORT}:8080");
    let definition = start::definition(board).ports(&[&ports]);
    let wallet = start::installed_as(board, &start::image("1.0.0"), definition);
    let _client = Client::start();
    for number in 2..=UPDATES_MAX {
        let version = format!("{number}.0.0");
        start::push(board, &start::image(&version));
        wallet.update();
        wallet.wait_version(&version);
        if board.agent().log().contains(GONE) {
            return;
        }
    }
    panic!("no entry was met in {UPDATES_MAX} updates:\n{}", board.agent().log());
}

#[test]
fn p3_unanswered_neighbour_of_a_started_app_is_forgotten_by_the_agent_that_may() {
    let board = Board::start();
    update_until_met(&board);
}

#[test]
fn p3_and_by_the_service_of_the_package_where_the_agent_itself_may_not() {
    let board = Board::start();
    let listener = UnixListener::bind(board.folder().join("neighbour.sock")).unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || serve(connection));
        }
    });
    board.agent().as_its_unit_runs_it();
    update_until_met(&board);
}

#[test]
fn p3_without_the_right_and_the_service_an_update_goes_its_way() {
    let board = Board::start();
    board.agent().as_its_unit_runs_it();
    board.agent().log_steps();
    let wallet = start::installed(&board);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["outcome"], "committed", "{status:#}");
    let log = board.agent().log();
    assert!(log.contains("no neighbour is forgotten, without CAP_NET_ADMIN"), "{log}");
}
