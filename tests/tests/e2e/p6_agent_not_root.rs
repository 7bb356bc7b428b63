//! P6: the agent itself is not root either: a user of its own with the few rights that its unit gives it.

use crate::start;
use harness::{App, Board, Kept, OTHER_USER, SOON, Tree, wait_until};
use serde_json::json;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// Owner, group and mode.
fn of(path: &Path) -> (u32, u32, u32) {
    let seen =
        std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (seen.uid(), seen.gid(), seen.permissions().mode() & 0o7777)
}

/// What `StateDirectory=` does before the start: the folder and all in it is the user's.
fn give_state_folder(board: &Board) {
    fn give(path: &Path) {
        chown(path, Some(OTHER_USER), Some(OTHER_USER)).unwrap();
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            give(&entry.path());
        }
    }
    give(&board.agent().state());
}

/// The agent's process: its user, and its rights as the kernel counts them.
fn assert_not_root(board: &Board) {
    let pid = board.agent().pid().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    let user = OTHER_USER.to_string();
    assert!(field("Uid:").split_whitespace().all(|uid| uid == user), "{status}");
    assert_eq!(field("Groups:"), "", "no group opens the engine's socket");
    // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4.
    for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "000000000000001b", "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
}

/// Folders and files that say what runs are root's, volumes the app's, records the agent's.
fn assert_owners(board: &Board, app: &App, forks: &[u64]) {
    let root = board.agent().volumes();
    assert_eq!(of(&root.join(".titania-volumes")), (0, 0, 0o644));
    for folder in ["", "state", "data"] {
        assert_eq!(of(&app.folder().join(folder)), (0, 0, 0o711), "{folder}");
    }
    assert_eq!(of(&app.folder().join("state/.room")).0, 0);
    for fork in forks {
        assert_eq!(of(&app.folder().join(format!("state/{fork}.json"))), (0, 0, 0o600));
        assert_eq!(of(&app.fork(*fork, "state")), (start::UID, start::GID, 0o700));
    }
    let inside = Tree::read(&app.source("/data")).owners();
    assert_eq!(inside, [(start::UID, start::GID)]);
    assert_eq!(of(&board.agent().state()), (OTHER_USER, OTHER_USER, 0o700));
    assert_eq!(of(&app.record()), (OTHER_USER, OTHER_USER, 0o600));
}

#[test]
fn p6_agent_that_is_not_root_installs_updates_and_rolls_back_as_root_did() {
    let board = Board::start();
    give_state_folder(&board);
    board.agent().as_its_unit_runs_it();
    let wallet = start::installed(&board);
    assert_not_root(&board);
    assert_eq!(board.agent().status()["board"]["problems"], json!([]));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["outcome"], "committed", "{status:#}");
    start::push(&board, &start::image("3.0.0").behaviour("unhealthy"));
    wallet.update();
    let outcome = wallet.wait_outcome("rolled_back");
    assert_eq!(outcome["reason"]["code"], "unhealthy", "{outcome:#}");
    wallet.wait_version("2.0.0");
    assert_eq!(wallet.page("/state").lines().last(), Some("2.0.0"), "nothing of 3.0.0 is in it");
    assert_owners(&board, &wallet, &[1, 2, 3]);
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2, 3], &[1, 2]));
    assert_eq!(of(&board.agent().socket()).2, 0o660);
}

#[test]
fn p6_upgrade_from_an_agent_that_was_root_goes_on_with_the_update_under_way() {
    let board = Board::start();
    let slow = start::definition(&board).health("settle", "20s").health("deadline", "60s");
    let wallet = start::installed_as(&board, &start::image("1.0.0"), slow);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_step("probation");
    board.agent().stop();
    give_state_folder(&board);
    board.agent().as_its_unit_runs_it();
    board.agent().start();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["outcome"], "committed", "{status:#}");
    assert_not_root(&board);
    assert_owners(&board, &wallet, &[1, 2]);
}

#[test]
fn p6_state_folder_that_stayed_roots_is_no_obstacle() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.agent().stop();
    board.agent().as_its_unit_runs_it();
    board.agent().start();
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_eq!(of(&wallet.record()).0, 0, "what is made there belongs to whom the folder belongs");
}

#[test]
fn p6_probe_that_needs_a_right_the_unit_does_not_give_names_daemon_reload() {
    let board = Board::start();
    give_state_folder(&board);
    board.agent().as_its_unit_runs_it();
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).probe("exec", json!(["/test-app", "health"])).define();
    board.agent().start();
    wallet.wait_state("ok");
    let problem = wait_until(SOON, "the unit to be called stale", || {
        let status = board.agent().status();
        let all = status["board"]["problems"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["code"] == "unit_stale")
    });
    assert!(problem["hint"].as_str().unwrap().contains("systemctl daemon-reload"), "{problem}");
}

#[test]
fn p6_agent_without_any_right_stays_up_and_says_which_it_lacks_and_that_the_engine_refuses() {
    let board = Board::start();
    give_state_folder(&board);
    board.agent().unprivileged(&[]);
    std::fs::set_permissions(board.engine().socket(), PermissionsExt::from_mode(0o660)).unwrap();
    // Its socket's folder must be its own, too: in the unit that is RuntimeDirectory=.
    chown(board.folder(), Some(OTHER_USER), None).unwrap();
    start::push(&board, &start::image("1.0.0"));
    start::definition(&board).define();
    board.agent().launch();
    let socket = board.engine().socket().to_str().unwrap().to_owned();
    // What the board lacks is looked at beside the engine: either may be told first.
    let said =
        wait_until(SOON, "status to tell of the refusal and of each right that is lacking", || {
            let said = board.agent().ctl(&["status"]);
            let told = [socket.as_str(), "CAP_CHOWN", "CAP_DAC_OVERRIDE", "fix:"];
            told.iter().all(|word| said.out.contains(word)).then_some(said)
        });
    assert_eq!(said.code, 3, "the engine is not ready: {said:?}");
    assert_eq!(board.agent().status()["board"]["engine"]["state"], "refused");
    assert!(board.agent().pid().is_some(), "it stays up");
}
