//! P2: state is forked forward, data stays where it is, and both belong to the app.

use crate::start::{self, GID, UID};
use harness::{Board, Kept, SOON, Tree, wait_until};
use std::os::unix::fs::MetadataExt;

/// A release that ships state: with modes and owners of its own.
fn shipped(version: &str) -> harness::Image {
    let own = (u64::from(UID), u64::from(GID));
    start::image(version)
        .folder("/state", 0o700, own)
        .folder("/state/keys", 0o750, own)
        .file_owned("/state/keys/secret", 0o600, own, version.as_bytes())
        .folder("/data", 0o700, own)
        .file_owned("/data/blocks", 0o640, own, version.as_bytes())
}

#[test]
fn p2_state_is_copied_forward_and_data_stays_and_both_belong_to_the_apps_uid() {
    let board = Board::start();
    let wallet = start::installed_as(&board, &shipped("1.0.0"), start::definition(&board));
    let secret = wallet.source("/state").join("keys/secret");
    assert_eq!(std::fs::read(&secret).unwrap(), b"1.0.0", "seeded with what the image ships");
    assert_eq!(std::fs::metadata(&secret).unwrap().mode() & 0o7777, 0o600);
    std::fs::write(&secret, b"of the user").unwrap();
    let inode = |key: &str| std::fs::metadata(wallet.data("data").join(key)).unwrap().ino();
    let blocks = inode("blocks");
    let before = wallet.fork_tree(1, "state");
    assert_eq!(before.owners(), [(UID, GID)]);
    start::push(&board, &shipped("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    before.assert_same(&wallet.fork_tree(1, "state"), "the old fork");
    let after = wallet.fork_tree(2, "state");
    let stamped = |tree: &Tree| tree.without("stamp.log");
    stamped(&before).assert_same(&stamped(&after), "the new fork, but for its stamp");
    assert_eq!(wallet.source("/state"), wallet.fork(2, "state"));
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n");
    assert_eq!(wallet.source("/data"), wallet.data("data"));
    assert_eq!(wallet.page("/data"), "1.0.0\n2.0.0\n");
    assert_eq!((inode("blocks"), after.owners()), (blocks, vec![(UID, GID)]), "nothing was copied");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
    let owner = |path: &std::path::Path| std::fs::metadata(path).unwrap().uid();
    let top = wallet.folder();
    assert_eq!((mode(&top), owner(&top)), (0o711, 0));
    for folder in [wallet.fork(2, "state"), wallet.data("data")] {
        assert_eq!((mode(&folder), owner(&folder)), (0o700, UID), "{folder:?}");
    }
}

#[test]
fn p2_rollback_with_keep_state_runs_the_previous_release_on_todays_state() {
    let board = Board::start();
    let wallet = start::installed(&board);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    let refused = board.agent().ctl(&["rollback", "wallet"]);
    assert_eq!(refused.code, 1, "neither was said: {refused:?}");
    for flag in ["--keep-state", "--old-state"] {
        assert!(refused.err.contains(flag), "{}", refused.err);
    }
    assert_eq!(wallet.version().as_deref(), Some("2.0.0"), "nothing was done");
    board.agent().ctl_well(&["rollback", "wallet", "--keep-state"]);
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["container"]["generation"], 3);
    assert_eq!(status["last"]["trigger"], "operator");
    assert_eq!(status["last"]["by"], "uid:0");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n1.0.0\n");
    assert_stays_until_the_tag_moves(&board, &wallet, 3);
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n1.0.0\n3.0.0\n");
}

#[test]
fn p2_rollback_with_old_state_runs_the_previous_release_on_the_state_it_left() {
    let board = Board::start();
    let wallet = start::installed(&board);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
    let left = wallet.fork_tree(2, "state");
    let said = board.agent().ctl_well(&["rollback", "wallet", "--old-state"]);
    assert!(!said.is_empty(), "it says which writes are left behind");
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["container"]["generation"], 1, "under its old number");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n", "none of the writes of 2.0.0");
    left.assert_same(&wallet.fork_tree(2, "state"), "what 2.0.0 wrote is kept");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1, 2], &[1, 2]));
    assert_stays_until_the_tag_moves(&board, &wallet, 1);
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n3.0.0\n");
    assert_eq!(wallet.container().generation(), Some(3), "numbers never go back");
}

/// The release that an operator left is not taken again by itself; another is.
fn assert_stays_until_the_tag_moves(board: &Board, wallet: &harness::App, generation: u64) {
    let left = start::image("2.0.0").release();
    let heads = board.registry().heads("wallet", "stable");
    wallet.update();
    wait_until(SOON, "a look", || board.registry().heads("wallet", "stable") > heads);
    let status = wallet.wait("to know the left release, and to wait for the next poll", |app| {
        app["candidate"]["config"] == left.as_str() && app["next"]["act"] == "poll"
    });
    assert!(status["update"].is_null());
    assert_eq!(wallet.container().generation(), Some(generation));
    start::push(board, &start::image("3.0.0"));
    wallet.update();
    wallet.wait_version("3.0.0");
}
