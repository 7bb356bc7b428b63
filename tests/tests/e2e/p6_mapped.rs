//! P6: images whose entry point starts as root, gives folders away and drops its rights, as skycoin's does: on an
//! engine that maps users that root is nobody of the board's, and on one that does not they are not started.

use crate::start;
use harness::{App, Board, Definition, Image, MAPPED_GID, MAPPED_UID, Settings, Tree};
use serde_json::json;

/// Whom the entry point becomes.
const INSIDE: u32 = 1000;
/// Who that is on the board.
const OUTSIDE: (u32, u32) = (MAPPED_UID + INSIDE, MAPPED_GID + INSIDE);
/// Rights that it needs for that.
const RIGHTS: [&str; 4] = ["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"];

/// No USER: its process begins as root.
fn image(version: &str, told: &str) -> Image {
    Image::version(version).behaviour(&format!("drop {INSIDE};{told}"))
}

fn definition<'b>(board: &'b Board, user: &str) -> Definition<'b> {
    start::definition(board).user(user).set("capabilities", json!(RIGHTS))
}

fn board() -> Board {
    Board::with(Settings { maps_users: true, ..Settings::default() })
}

/// None of its processes is anybody of the board's, and its files are its own.
#[track_caller]
fn assert_mapped(app: &App) {
    let container = app.container();
    assert_eq!(container.user(), "0:0");
    let owners = container.owners();
    assert!(owners.contains(&OUTSIDE), "{owners:?}");
    for (uid, gid) in owners {
        assert!(uid >= MAPPED_UID && gid >= MAPPED_GID, "{uid}:{gid}");
    }
    let id = app.page_json("/id");
    assert_eq!((id["uid"].as_u64(), id["gid"].as_u64()), (Some(1000), Some(1000)), "{id}");
    assert_eq!(id["capabilities"], "0000000000000000", "{id}");
    for path in ["/state", "/data"] {
        assert_eq!(Tree::read(&app.source(path)).owners(), [OUTSIDE], "{path}");
    }
}

#[test]
fn p6_image_that_starts_as_root_is_nobody_of_the_boards_through_updates_and_rollbacks() {
    let board = board();
    // The probe is well only as root of the container, which is whom the engine starts it as.
    let definition = definition(&board, "mapped")
        .probe("exec", json!(["/test-app", "am", MAPPED_UID.to_string()]));
    let wallet = start::installed_as(&board, &image("1.0.0", ""), definition);
    assert_mapped(&wallet);
    start::push(&board, &image("2.0.0", ""));
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_mapped(&wallet);
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n");
    assert_eq!(wallet.fork_tree(1, "state").owners(), [OUTSIDE], "the old fork is as it was left");
    start::push(&board, &image("3.0.0", "crash 3 300"));
    wallet.update();
    wallet.wait_ended(3, "rolled_back");
    wallet.wait_version("2.0.0");
    assert_mapped(&wallet);
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n2.0.0\n");
    assert_eq!(wallet.page("/data"), "1.0.0\n2.0.0\n3.0.0\n2.0.0\n");
    board.agent().ctl_well(&["rollback", "wallet", "--keep-state"]);
    wallet.wait_version("1.0.0");
    assert_mapped(&wallet);
}

#[test]
fn p6_on_an_engine_that_maps_users_all_numbers_are_those_of_its_map() {
    let board = board();
    // Root by its image, and so a number of the pool, which lies beyond those that are mapped.
    let wallet = start::installed_as(&board, &Image::version("1.0.0"), start::definition(&board));
    let uid = wallet.container().user();
    let inside = uid.split_once(':').and_then(|(uid, _)| uid.parse::<u32>().ok()).unwrap();
    assert!((50_000..60_000).contains(&inside), "{uid}");
    let outside = (MAPPED_UID + inside, MAPPED_GID + inside);
    let owners = wallet.container().owners();
    assert!(owners.contains(&outside), "{owners:?}");
    assert_eq!(Tree::read(&wallet.source("/data")).owners(), [outside]);
    // Another user, another owner; then the map's root, who is given all that was the pool's.
    start::definition(&board).user(INSIDE).define();
    board.agent().reload();
    wallet.wait_ended(2, "committed");
    wallet.wait_ok();
    assert_eq!(Tree::read(&wallet.source("/data")).owners(), [OUTSIDE]);
    assert_eq!(Tree::read(&wallet.source("/state")).owners(), [OUTSIDE]);
    assert_eq!(wallet.fork_tree(1, "state").owners(), [outside], "as it was");
    assert_eq!(wallet.page("/data"), "1.0.0\n1.0.0\n", "both wrote to it");
}

#[test]
fn p6_the_same_image_on_an_engine_that_maps_no_users_is_blocked_and_told_the_ways_out() {
    let board = Board::start();
    start::push(&board, &image("1.0.0", ""));
    let wallet = definition(&board, "mapped").define();
    board.agent().start();
    let status = wallet.wait_reason("needs_root_start");
    assert_eq!(status["state"], "blocked", "{status:#}");
    let said = format!("{}\n{}", status["reason"]["message"], status["reason"]["hint"]);
    for way_out in ["userns-remap", "user = ", "allow_root = true"] {
        assert!(said.contains(way_out), "{said}");
    }
    assert!(wallet.containers().is_empty(), "nothing was made");
    definition(&board, "image").set("allow_root", true).define();
    board.agent().reload();
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.page_json("/id")["uid"], INSIDE, "it dropped its rights by itself");
}
