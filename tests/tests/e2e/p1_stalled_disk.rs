//! P1, P8: a disk that stands still for half a minute in the middle of an update stops neither the agent's answers nor
//! its watchdog, and the update goes on when the disk does.

use crate::start;
use harness::{App, Board, Settings, SmallDisk, Watchdog, wait_between};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the disk stands still.
const STALL: Duration = Duration::from_secs(30);
/// Between two looks at the status document, and the longest time that it may take.
const LOOK: Duration = Duration::from_millis(200);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);
/// What the service manager asks for; its word is due twice as often.
const WATCHDOG: Duration = Duration::from_secs(4);
/// Time for what is left of the update when the disk goes on: a start, and `settle`.
const REST: Duration = Duration::from_secs(20);

fn watchdog(board: &Board) -> Watchdog {
    let watchdog = Watchdog::listen(&board.folder().join("notify"), WATCHDOG);
    board.agent().set_environment(watchdog.environment());
    watchdog
}

/// Looks all along: the status document comes in time, shows one of `steps`, and no container runs.
#[track_caller]
fn stand(wallet: &App, watchdog: &Watchdog, agent: impl Fn() -> Option<u32>, steps: &[&str]) {
    let begun = Instant::now();
    let process = agent();
    wait_between(2 * STALL, LOOK, "the stall to be over", || {
        let asked = Instant::now();
        let status = wallet.status();
        let passed = asked.elapsed();
        assert!(passed < ANSWER_TIME_MAX, "status took {passed:?}");
        let step = status["update"]["step"].as_str();
        assert!(step.is_some_and(|step| steps.contains(&step)), "{status:#}");
        begun.elapsed() >= STALL
    });
    assert!(wallet.running().is_empty(), "nothing was started on it");
    let silence = watchdog.longest_silence(begun);
    assert!(silence < WATCHDOG, "{silence:?} without a word");
    assert_eq!(agent(), process, "the same run");
}

#[test]
fn p1_disk_that_stands_still_in_a_fork_stops_no_answer_and_the_update_goes_on_with_it() {
    let board = Board::with(Settings { small_disks: true, ..Settings::default() });
    let watchdog = watchdog(&board);
    let first = start::image("1.0.0").behaviour("slow-stop 2000");
    let wallet = start::installed_as(&board, &first, start::definition(&board));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_step("stop");
    let frozen = board.disks().unwrap().volumes.freeze();
    stand(&wallet, &watchdog, || board.agent().pid(), &["stop", "fork"]);
    drop(frozen);
    let thawed = Instant::now();
    wallet.wait_ended(2, "committed");
    assert!(thawed.elapsed() < REST, "{:?}", thawed.elapsed());
    wallet.wait_version("2.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n");
    assert_eq!(wallet.page("/data"), "1.0.0\n2.0.0\n");
}

#[test]
fn p1_disk_that_stands_still_while_it_is_owned_stops_no_answer_and_the_update_goes_on_with_it() {
    let board = Board::start();
    let watchdog = watchdog(&board);
    let (file, place) = (board.folder().join("media.ext4"), board.folder().join("media"));
    let media = SmallDisk::mount(&file, &place, 32 * 1024 * 1024);
    let source = json!([{"path": "/data", "source": place, "mounted": true, "own": true}]);
    let definition = || start::definition(&board).set_in("volumes", "data", source.clone());
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition());
    let frozen = media.freeze();
    definition().user(20_000).define();
    board.agent().reload();
    wallet.wait_step("own");
    stand(&wallet, &watchdog, || board.agent().pid(), &["own"]);
    drop(frozen);
    let thawed = Instant::now();
    wallet.wait_ended(2, "committed");
    assert!(thawed.elapsed() < REST, "{:?}", thawed.elapsed());
    wallet.wait_ok();
    assert_eq!(wallet.page_json("/id")["uid"], 20_000);
    assert_eq!(wallet.page("/data"), "1.0.0\n1.0.0\n");
}
