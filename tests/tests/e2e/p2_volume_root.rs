//! P2: an app is never started on an empty folder because a disk was not mounted, nor on another board's.

use crate::start;
use harness::{App, Board, Kept, SOON, Tree, wait_until};
use std::path::{Path, PathBuf};

/// A disk mounted at the volume root, as the agent's volumes.
fn mount_disk(board: &Board) -> PathBuf {
    let disk = board.folder().join("disk");
    if !disk.exists() {
        std::fs::create_dir(&disk).unwrap();
    }
    board.mount_bind(&disk, &board.agent().volumes());
    disk
}

/// The board's problem with this code.
fn problem(board: &Board, code: &str) -> Option<serde_json::Value> {
    let status = board.agent().status();
    let list = status["board"]["problems"].as_array()?;
    list.iter().find(|one| one["code"] == code).cloned()
}

fn assert_not_started(wallet: &App) {
    let running: Vec<String> = wallet.running().iter().map(harness::Container::name).collect();
    assert!(running.is_empty(), "{running:?} run");
}

#[test]
fn p2_volume_root_that_is_not_mounted_stays_empty_and_nothing_is_started_until_it_is() {
    let board = Board::start();
    let disk = mount_disk(&board);
    let wallet = start::installed(&board);
    board.cut_power();
    board.unmount(&board.agent().volumes());
    let state = Tree::read(&disk);
    board.boot();
    let status = wallet.wait_state("blocked");
    assert_eq!(status["reason"]["code"], "volumes_missing");
    let problem = wait_until(SOON, "the problem", || problem(&board, "volumes_missing"));
    let place = board.agent().volumes();
    let message = problem["message"].as_str().unwrap();
    assert!(message.contains(&*place.to_string_lossy()), "{message}");
    assert!(board.agent().status()["agent"]["instance"].is_null());
    assert_eq!(board.agent().ctl(&["status"]).code, 3);
    wait_until(SOON, "nothing to run", || wallet.running().is_empty());
    board.agent().reload();
    wallet.update();
    wallet.wait_state("blocked");
    assert_not_started(&wallet);
    let below: Vec<_> = std::fs::read_dir(&place).unwrap().flatten().collect();
    assert!(below.is_empty(), "below the mount point: {below:?}");
    state.assert_same(&Tree::read(&disk), "the disk");
    mount_disk(&board);
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}

#[test]
fn p2_volume_root_named_in_fstab_but_not_mounted_is_not_taken_for_a_new_one() {
    let board = Board::start();
    let place = board.agent().volumes();
    let table = format!("LABEL=apps {} ext4 defaults,nofail 0 2\n", place.display());
    board.put_over(Path::new("/etc/fstab"), &table);
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).define();
    board.agent().start();
    let status = wallet.wait_state("blocked");
    assert_eq!(status["reason"]["code"], "volumes_missing");
    let message = problem(&board, "volumes_missing").unwrap()["message"].to_string();
    assert!(message.contains("fstab"), "{message}");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "nothing was written");
    assert!(!board.agent().state().join("instance").exists(), "no id was made");
    assert_eq!(board.engine().containers().len(), 0);
    mount_disk(&board);
    wallet.wait_version("1.0.0");
}

#[test]
fn p2_foreign_volume_root_blocks_all_until_an_operator_adopts_it() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.agent().stop();
    let own = std::fs::read_to_string(board.agent().state().join("instance")).unwrap();
    let mark = board.agent().volumes().join(".titania-volumes");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), own);
    let other = "0a0b0c0d-1111-4222-8333-444455556666\n";
    std::fs::write(&mark, other).unwrap();
    board.engine().stop_container("wallet-g1");
    let tree = Tree::read(&board.agent().volumes());
    board.agent().start();
    let status = wallet.wait_state("blocked");
    assert_eq!(status["reason"]["code"], "volumes_foreign");
    let problem = wait_until(SOON, "the problem", || problem(&board, "volumes_foreign"));
    assert!(problem["message"].as_str().unwrap().contains(other.trim()), "{problem:#}");
    assert!(problem["hint"].as_str().unwrap().contains("adopt"), "{problem:#}");
    assert_not_started(&wallet);
    tree.assert_same(&Tree::read(&board.agent().volumes()), "the foreign root");
    board.agent().ctl_well(&["adopt"]);
    wallet.wait_version("1.0.0");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), own, "the state folder's id");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
}

#[test]
fn p2_lost_state_folder_takes_the_root_over_and_the_app_runs_on() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.agent().stop();
    let own = std::fs::read_to_string(board.agent().state().join("instance")).unwrap();
    let before = wallet.container();
    std::fs::remove_dir_all(board.agent().state()).unwrap();
    board.agent().start();
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["proven"], true);
    assert_eq!(wallet.container().started_at(), before.started_at(), "it ran on");
    let taken = std::fs::read_to_string(board.agent().state().join("instance")).unwrap();
    assert_eq!(taken, own);
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}
