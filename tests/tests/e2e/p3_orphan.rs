//! P1, P3: an engine that is killed right after it started a container knows nothing of it afterwards. What runs so is
//! ended before anything of the app is started.

use crate::start;
use harness::{App, Board, Place, SOON, ask_within, wait_between, wait_until};
use std::fs;
use std::time::Duration;

/// The engine has written down that a container runs some 10 ms after its program began: not each try hits that.
const TRIES: usize = 40;
/// Between two looks for a program: it must be found before the engine has written it down.
const PAUSE: Duration = Duration::from_millis(1);

/// Processes of a container that are its program by now.
fn programs(id: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |pid: u32, file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    pids.filter(|pid| String::from_utf8_lossy(&read(*pid, "cgroup")).contains(id))
        .filter(|pid| read(*pid, "cmdline").starts_with(b"/test-app"))
        .collect()
}

/// Programs of all containers of the app that there are.
fn programs_of(app: &App) -> Vec<u32> {
    app.containers().iter().flat_map(|one| programs(&one.id())).collect()
}

/// Kills the engine when the container's program is there, then does `then`, and starts the engine anew; the programs of
/// whose life it does not know.
fn crash_when_it_runs(board: &Board, id: &str, then: impl FnOnce()) -> Vec<u32> {
    wait_between(SOON, PAUSE, "its program", || !programs(id).is_empty());
    board.engine().kill();
    then();
    board.engine().start();
    match board.engine().container(id).is_some_and(|one| one.is_running()) {
        true => Vec::new(),
        false => programs(id),
    }
}

fn assert_put_right(board: &Board, wallet: &App, orphans: &[u32]) {
    wallet.wait("to be well", |app| app["state"] == "ok" && app["health"] == "healthy");
    let now = programs_of(wallet);
    assert_eq!(now.len(), 1, "one program: {now:?}");
    assert!(!orphans.iter().any(|pid| fs::exists(format!("/proc/{pid}")).unwrap()), "{orphans:?}");
    assert!(board.agent().log().contains("ran without the engine's knowledge"));
}

#[test]
fn p1_app_comes_back_though_the_engine_crashed_as_it_was_started() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let id = wallet.container().id();
    board.agent().kill();
    let socket = board.engine().socket();
    let orphans = (0..TRIES).find_map(|_| {
        board.engine().stop_container("wallet-g1");
        let orphans = std::thread::scope(|scope| {
            // Its answer never comes.
            let target = "/v1.41/containers/wallet-g1/start";
            scope.spawn(|| ask_within(SOON, Place::Unix(&socket), "POST", target, &[], b""));
            crash_when_it_runs(&board, &id, || {})
        });
        (!orphans.is_empty()).then_some(orphans)
    });
    let orphans = orphans.expect("the engine is caught before it has written down that it runs");
    board.agent().start();
    assert_put_right(&board, &wallet, &orphans);
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
}

#[test]
fn p3_old_release_is_not_started_beside_a_new_one_of_which_the_engine_does_not_know() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let new = || wallet.containers().into_iter().find(|one| one.generation() > Some(1));
    let mut caught = None;
    for version in 2..2 + TRIES {
        start::push(&board, &start::image(&format!("{version}.0.0")).behaviour("unhealthy"));
        wallet.update();
        wait_until(SOON, "its container", || new().is_some());
        let id = new().expect("it is there").id();
        let orphans = crash_when_it_runs(&board, &id, || board.agent().kill());
        board.agent().start();
        wallet.wait("to have gone back", |app| {
            app["update"].is_null() && app["state"] == "ok" && app["health"] == "healthy"
        });
        if !orphans.is_empty() {
            caught = Some(orphans);
            break;
        }
    }
    let orphans = caught.expect("the engine is caught before it has written down that it runs");
    assert_put_right(&board, &wallet, &orphans);
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
}
