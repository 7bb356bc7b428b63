//! P8: a board that is at fault itself: the agent stays up, and `status` and `doctor` say what is wrong and what to do.

use crate::start;
use harness::{Board, SOON, Said, run, wait_until};
use serde_json::Value;
use std::path::Path;

/// A disk that holds a few records.
const SMALL_BYTES: u64 = 512 * 1024;

fn doctor(board: &Board) -> (Said, Vec<Value>) {
    let config = board.agent().config();
    let said = board.agent().ctl(&["doctor", "--json", "--config", config.to_str().unwrap()]);
    let document = said.json();
    assert_eq!(document["schema"], 1, "{said:?}");
    let checks = document["checks"].as_array().cloned().unwrap_or_default();
    (said, checks)
}

/// How a check of the doctor ended, with its message and hint in one.
fn check(board: &Board, name: &str) -> (String, String) {
    let (_, checks) = doctor(board);
    let found = checks.iter().find(|check| check["check"] == name);
    let found = found.unwrap_or_else(|| panic!("no check {name}: {checks:#?}"));
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("state"), text("message") + " | " + &text("hint"))
}

fn wait_problem(board: &Board, code: &str) -> Value {
    wait_until(SOON, &format!("the problem {code}"), || {
        let status = board.agent().status();
        let all = status["board"]["problems"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["code"] == code)
    })
}

/// The agent runs, and what a person reads has a fix.
fn assert_told(board: &Board, word: &str) {
    assert!(board.agent().pid().is_some(), "the agent stays up: {}", board.agent().log());
    let said = board.agent().ctl(&["status"]);
    assert!(said.out.contains(word) && said.out.contains("fix: "), "{word}: {said:?}");
}

fn read_only(path: &Path) {
    let path = path.to_str().unwrap();
    run("mount", &["--bind", path, path]);
    run("mount", &["-o", "remount,bind,ro", path]);
}

#[test]
fn p8_board_that_is_well_gets_no_fail_from_the_doctor_with_the_agent_running_or_not() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let (said, checks) = doctor(&board);
    assert_eq!(said.code, 0, "{checks:#?}");
    for name in ["config", "agent", "engine", "storage", "state_folder", "volumes"] {
        assert_eq!(check(&board, name).0, "ok", "{name}");
    }
    board.agent().stop();
    let (said, checks) = doctor(&board);
    assert_eq!(said.code, 1);
    let failed = checks.iter().filter(|check| check["state"] == "fail");
    let failed: Vec<&str> = failed.map(|check| check["check"].as_str().unwrap()).collect();
    assert_eq!(failed, ["agent"], "{checks:#?}");
    assert!(wallet.version().is_some(), "the app runs on");
}

#[test]
fn p8_board_without_an_engine_is_told_how_to_get_one() {
    let board = Board::start();
    board.engine().stop();
    let _gone = std::fs::remove_file(board.engine().socket());
    start::definition(&board).define();
    board.agent().start();
    wait_problem(&board, "engine_away");
    assert_told(&board, board.engine().socket().to_str().unwrap());
    let (state, text) = check(&board, "engine");
    assert_eq!(state, "fail");
    assert!(text.contains("apt install docker.io"), "{text}");
    assert_eq!(doctor(&board).0.code, 1);
}

#[test]
fn p8_settings_that_can_only_be_read_are_enough() {
    let board = Board::start();
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().write();
    read_only(&board.folder().join("etc"));
    assert!(std::fs::write(board.folder().join("etc/x"), "").is_err(), "it is read-only");
    board.agent().start_as_written();
    wallet.wait_version("1.0.0");
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_eq!(doctor(&board).0.code, 0);
}

#[test]
fn p8_full_disk_of_the_state_folder_is_told_and_the_app_comes_when_there_is_room() {
    let board = Board::start();
    board.mount_tmpfs(&board.agent().state(), SMALL_BYTES);
    board.agent().settings(|toml| toml.set_in("paths", "allow_volatile", true));
    let filler = board.agent().state().join("filler");
    let _full = std::fs::write(&filler, vec![1; 2 * 1024 * 1024]);
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    wait_problem(&board, "disk_low");
    assert_told(&board, board.agent().state().to_str().unwrap());
    let (state, text) = check(&board, "state_disk");
    assert_eq!(state, "fail", "{text}");
    assert!(text.contains("make room"), "{text}");
    std::fs::remove_file(&filler).unwrap();
    wallet.wait_version("1.0.0");
}

#[test]
fn p8_state_folder_that_can_t_be_made_is_told_and_taken_as_soon_as_it_can() {
    let board = Board::start();
    let place = board.folder().join("var");
    std::fs::write(&place, "no folder").unwrap();
    let state = place.join("lib/agent");
    board.agent().settings(|toml| toml.set_in("paths", "state", state.to_str().unwrap()));
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    let problem = wait_problem(&board, "state_not_durable");
    assert!(problem["message"].as_str().unwrap().contains(state.to_str().unwrap()), "{problem}");
    assert_told(&board, state.to_str().unwrap());
    assert!(wallet.containers().is_empty(), "nothing is started that could not be recorded");
    let pid = board.agent().pid();
    std::fs::remove_file(&place).unwrap();
    wallet.wait_version("1.0.0");
    assert_eq!(board.agent().pid(), pid, "without a restart");
}

#[test]
fn p8_state_folder_in_memory_blocks_all_and_says_what_to_do() {
    let board = Board::start();
    board.mount_tmpfs(&board.agent().state(), 8 * 1024 * 1024);
    board.agent().settings(|toml| toml.set_in("paths", "allow_volatile", false));
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    wallet.wait_reason("state_not_durable");
    assert_told(&board, "tmpfs");
    let (state, text) = check(&board, "state_folder");
    assert_eq!(state, "fail");
    assert!(text.contains("tmpfs") && text.contains("allow_volatile"), "{text}");
}

#[test]
fn p8_volume_root_that_the_unit_does_not_open_names_daemon_reload() {
    let board = Board::start();
    read_only(&board.agent().volumes());
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    let problem = wait_problem(&board, "unit_stale");
    assert!(problem["message"].as_str().unwrap().contains("closed to the agent"), "{problem}");
    assert_told(&board, "systemctl daemon-reload");
    assert_eq!(check(&board, "unit_stale").0, "fail");
    assert!(wallet.containers().is_empty());
    // As the renewed unit, or a disk that is mounted there, does.
    board.unmount(&board.agent().volumes());
    wallet.wait_version("1.0.0");
}

#[test]
fn p8_board_without_a_memory_cgroup_runs_the_app_and_says_that_its_limit_is_not_kept() {
    let board = Board::start();
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers");
    assert!(
        !unified.exists(),
        "a machine with cgroup v1: a hierarchy of v2 can't lose a controller"
    );
    board.engine().stop();
    board.engine().kill_containerd();
    board.unmount(Path::new("/sys/fs/cgroup/memory"));
    board.engine().start();
    let limited = start::definition(&board).set_in("limits", "memory", "64MiB");
    let wallet = start::installed_as(&board, &start::image("1.0.0"), limited);
    let status = wallet.wait("to warn of its limit", |app| {
        let warnings = app["warnings"].as_array().into_iter().flatten();
        warnings.into_iter().any(|one| one["code"] == "limits_missing")
    });
    assert_eq!(status["state"], "ok", "{status:#}");
    assert_told(&board, "cgroup_enable=memory");
    let (state, text) = check(&board, "limits");
    assert_eq!(state, "warn");
    assert!(text.contains("memory") && text.contains("cmdline.txt"), "{text}");
    board.agent().restart();
    wallet.wait("to warn after a restart, too", |app| {
        app["warnings"].to_string().contains("limits_missing")
    });
}
