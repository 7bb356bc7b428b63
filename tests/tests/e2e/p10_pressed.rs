//! P10: whoever may use the control socket can't take loop or processor from the apps with it.

use crate::start;
use harness::{Board, Place, SOON, ask_within, wait_until};
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
