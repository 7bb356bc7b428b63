//! P10: whoever may use the control socket can't take loop or processor from the apps with it.

use crate::start;
use harness::{Board, Fate, Meddling, Place, SOON, Settings, ask_within, digest, wait_until};
use serde_json::json;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Clients that ask, each without a pause.
const CLIENTS: usize = 6;
/// Updates one after the other.
const UPDATES: u64 = 3;
/// Most answers a second, beyond some at once: `ANSWERS_A_SECOND` of the agent.
const ANSWERS_A_SECOND: u64 = 150;
/// Most connections: `CONNECTIONS_A_SECOND`.
const CONNECTIONS_A_SECOND: u64 = 400;
/// What may come at once: a burst, a full queue, and one that each client has under way.
const AT_ONCE: u64 = 64 + 64 + 16;
/// The agent may use this part of a processor at most, an update included: a debug build, and others use the machine.
const PART_OF_PROCESSOR: u32 = 3;
/// Longest time for the status document.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// Ends the clients, also when the case fails.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One request for the status; whether it was answered.
fn ask(socket: &Path) -> bool {
    let answer = ask_within(SOON, Place::Unix(socket), "GET", "/v1/status", &[], b"");
    answer.is_ok_and(|answer| answer.status == 200)
}

/// A connection that asks nothing.
fn hang_up(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// Updates are committed while so many clients do `press` all the time, which succeeds so often a second at most.
fn press_through_updates(clients: usize, a_second: u64, press: impl Fn(&Path) -> bool + Sync) {
    let board = Board::start();
    let wallet = start::installed(&board);
    let socket = board.agent().socket();
    let (is_over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _until = Until(&is_over);
        for _ in 0..clients {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    done.fetch_add(u64::from(press(&socket)), Ordering::Relaxed);
                }
            });
        }
        wait_until(SOON, "the clients to be at it", || done.load(Ordering::Relaxed) > 100);
        for generation in 2..2 + UPDATES {
            let (begun, used) = (Instant::now(), board.agent().processor_time());
            let before = done.load(Ordering::Relaxed);
            start::push(&board, &start::image(&format!("{generation}.0.0")));
            wallet.update();
            wallet.wait_ended(generation, "committed");
            let asked = Instant::now();
            assert_eq!(wallet.status()["quarantine"], json!([]));
            let answered = asked.elapsed();
            assert!(answered < ANSWER_TIME_MAX, "status took {answered:?}");
            let times = done.load(Ordering::Relaxed) - before;
            let used = board.agent().processor_time() - used;
            let passed = begun.elapsed();
            println!("g{generation}: {times} times in {passed:?}, agentd used {used:?}");
            assert!(times > 0, "nobody pressed");
            let most = AT_ONCE + a_second * (passed.as_secs() + 1);
            assert!(times <= most, "{times} times in {passed:?}");
            assert!(used < passed / PART_OF_PROCESSOR, "{used:?} of {passed:?}");
        }
    });
    let peak = board.agent().peak_kib();
    assert!(peak < 64 * 1024, "{peak} KiB at most");
}

#[test]
fn p10_clients_that_ask_without_a_pause_hold_up_no_update_and_condemn_nobody() {
    press_through_updates(CLIENTS, ANSWERS_A_SECOND, ask);
}

#[test]
fn p10_clients_that_connect_and_hang_up_without_a_pause_hold_up_no_update() {
    press_through_updates(2, CONNECTIONS_A_SECOND, hang_up);
}

#[test]
fn p10_download_goes_on_while_its_registry_is_asked_about_it() {
    let board = Board::with(Settings { proxies: true, ..Settings::default() });
    let wallet = start::installed(&board);
    let next = start::image("2.0.0");
    let layer = format!("/v2/wallet/blobs/{}", digest(&next.layer()));
    start::push(&board, &next);
    let registry = board.between().expect("proxies").registry();
    let target = layer.clone();
    let is_it = move |method: &str, asked: &str| method == "GET" && asked == target;
    registry.meddle(Meddling { is_it: Box::new(is_it), fate: Fate::Stalled, times: 1 });
    wallet.update();
    wait_until(SOON, "half of the layer to have come", || registry.met() == 1);
    let heads = || board.registry().heads("wallet", "stable");
    let before = heads();
    for asked in 1..=3 {
        wallet.update(); // told of only when its answer has been decided on
        wait_until(SOON, "the registry to be asked", || heads() >= before + asked);
        assert_eq!(wallet.status()["update"]["step"], "fetch", "question {asked}");
    }
    registry.heal();
    wallet.wait_version("2.0.0");
    assert_eq!(board.registry().count("GET", &format!("{layer} ")), 1, "it was begun once");
}

#[test]
fn p10_download_gives_way_to_a_newer_release_and_to_a_stop() {
    let board = Board::with(Settings { proxies: true, ..Settings::default() });
    let wallet = start::installed(&board);
    let registry = board.between().expect("proxies").registry();
    let stall = |version: &str| {
        let next = start::image(version);
        let target = format!("/v2/wallet/blobs/{}", digest(&next.layer()));
        start::push(&board, &next);
        let is_it = move |method: &str, asked: &str| method == "GET" && asked == target;
        registry.meddle(Meddling { is_it: Box::new(is_it), fate: Fate::Stalled, times: 1 });
        wallet.update();
        wait_until(SOON, "half of the layer to have come", || registry.met() == 1);
    };
    stall("2.0.0");
    start::push(&board, &start::image("3.0.0"));
    wallet.update();
    wallet.wait_version("3.0.0");
    stall("4.0.0");
    board.agent().ctl_well(&["stop", "wallet"]);
    wallet.wait("to be stopped", |app| app["container"]["state"] != "running");
}
