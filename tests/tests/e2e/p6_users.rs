//! P6: an app is never root unless its definition says so, and its volumes are its own.

use crate::start::{self, GID, UID};
use harness::{App, Board, Image, Kept, Tree};
use serde_json::{Value, json};

/// Uids of the pool.
const POOL: std::ops::RangeInclusive<u64> = 70_000..=79_999;

/// The app's uid and gid as its own kernel status says, after looking at what else it may do.
fn identity(app: &App) -> (u64, u64) {
    let id = app.page_json("/id");
    assert_eq!(id["capabilities"], "0000000000000000", "{id}");
    assert_eq!(id["no_new_privs"], 1, "{id}");
    (id["uid"].as_u64().unwrap(), id["gid"].as_u64().unwrap())
}

fn owners(app: &App) -> Vec<(u32, u32)> {
    let mut owners = Tree::read(&app.source("/state")).owners();
    owners.extend(Tree::read(&app.source("/data")).owners());
    owners.dedup();
    owners
}

#[test]
fn p6_image_without_a_user_runs_under_a_uid_of_the_pool_and_keeps_it() {
    let board = Board::start();
    let first = start::push(&board, &Image::version("1.0.0"));
    let wallet = start::definition(&board).define();
    let tor = board.app("tor").image(&first.tagged()).state("/state").define();
    board.agent().start();
    let status = wallet.wait_version("1.0.0");
    tor.wait_version("1.0.0");
    let (uid, gid) = identity(&wallet);
    assert!(POOL.contains(&uid), "{uid}");
    assert_eq!(uid, gid);
    assert_eq!(wallet.container().user(), format!("{uid}:{uid}"));
    assert_eq!(status["container"]["user"], format!("{uid}:{uid}").as_str());
    let as_owner = u32::try_from(uid).unwrap();
    assert_eq!(owners(&wallet), [(as_owner, as_owner)]);
    let (other, _) = identity(&tor);
    assert!(POOL.contains(&other) && other != uid, "each its own: {other}");
    let table = std::fs::read_to_string(board.agent().volumes().join(".titania-uids")).unwrap();
    for (app, uid) in [("wallet", uid), ("tor", other)] {
        let row = table.lines().find(|line| line.contains(app));
        assert!(row.is_some_and(|row| row.contains(&uid.to_string())), "{table}");
    }
    board.agent().restart();
    start::push(&board, &Image::version("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_eq!(identity(&wallet), (uid, gid), "kept");
}

#[test]
fn p6_image_whose_user_is_a_name_runs_as_that_uid_with_its_own_group() {
    let board = Board::start();
    let image = Image::version("1.0.0").passwd("other", 4711, 4712).passwd("app", UID, GID);
    let wallet = start::installed_as(&board, &image.user("app"), start::definition(&board));
    assert_eq!(identity(&wallet), (u64::from(UID), u64::from(GID)));
    assert_eq!(wallet.container().user(), format!("{UID}:{GID}"));
    assert_eq!(owners(&wallet), [(UID, GID)]);
}

#[test]
fn p6_image_that_wants_root_is_not_started_until_the_definition_allows_root() {
    let board = Board::start();
    start::push(&board, &Image::version("1.0.0"));
    let wallet = start::definition(&board).user("image").define();
    board.agent().start();
    let status = wallet.wait_reason("needs_root_start");
    let said = format!("{}\n{}", status["reason"]["message"], status["reason"]["hint"]);
    for way_out in ["allow_root", "user = "] {
        assert!(said.contains(way_out), "{said}");
    }
    assert!(wallet.running().is_empty());
    assert_eq!(board.agent().ctl(&["status"]).code, 3);
    start::definition(&board).user("image").set("allow_root", true).define();
    board.agent().reload();
    wallet.wait_version("1.0.0");
    let id = wallet.page_json("/id");
    assert_eq!((&id["uid"], &id["gid"]), (&json!(0), &json!(0)));
    assert_eq!(id["capabilities"], "0000000000000000", "root, but a weak one");
}

#[test]
fn p6_release_that_suddenly_wants_root_is_refused_and_the_old_one_runs_on() {
    let board = Board::start();
    let definition = start::definition(&board).user("image");
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    let before = wallet.container();
    start::push(&board, &Image::version("2.0.0"));
    wallet.update();
    let status = wallet.wait("to refuse it", |app| app["last"]["outcome"] == "refused");
    assert_eq!(status["last"]["reason"]["code"], "needs_root_start");
    assert_eq!(wallet.container().started_at(), before.started_at());
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]).and_file(2));
}

#[test]
fn p6_release_that_dies_under_a_pool_uid_is_told_with_the_uid_and_the_line_to_write() {
    let board = Board::start();
    let wallet = start::installed_as(&board, &Image::version("1.0.0"), start::definition(&board));
    let (uid, _) = identity(&wallet);
    start::push(&board, &Image::version("2.0.0").behaviour("crash 1 200"));
    wallet.update();
    let ended = wallet.wait_ended(2, "rolled_back");
    assert_eq!(ended["reason"]["code"], "exited");
    let hint = ended["reason"]["hint"].as_str().unwrap();
    assert!(hint.contains(&uid.to_string()) && hint.contains("user = "), "{hint}");
}

#[test]
fn p6_volumes_follow_a_changed_uid_and_come_back_with_a_rollback() {
    let board = Board::start();
    let wallet = start::installed(&board);
    start::definition(&board).user(20_000).define();
    board.agent().reload();
    let ended = wallet.wait_ended(2, "committed");
    assert_eq!(ended["trigger"], "definition");
    wallet.wait_ok();
    assert_eq!(identity(&wallet), (20_000, 20_000));
    assert_eq!(owners(&wallet), [(20_000, 20_000)]);
    assert_eq!(wallet.fork_tree(1, "state").owners(), [(UID, GID)], "the old fork is as it was");
    let bad = start::definition(&board).user("30000:30001").env("BEHAVIOUR", "unhealthy");
    bad.health("retries", 1).define();
    board.agent().reload();
    let ended = wallet.wait_ended(3, "rolled_back");
    assert_eq!(ended["reason"]["code"], "unhealthy");
    wallet.wait_ok();
    assert_eq!(identity(&wallet), (20_000, 20_000));
    assert_eq!(owners(&wallet), [(20_000, 20_000)], "data is the old uid's again");
    assert_eq!(wallet.page("/data"), "1.0.0\n".repeat(4), "all wrote to it");
    assert_eq!(wallet.fork_tree(3, "state").owners(), [(30_000, 30_001)], "kept as it was left");
}

#[test]
fn p6_image_whose_user_changes_is_a_warning_and_not_a_change() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let other = Image::version("2.0.0").passwd("app", 555, 556).user("app");
    start::push(&board, &other);
    wallet.update();
    let status = wallet.wait_version("2.0.0");
    let warnings: Vec<&Value> = status["warnings"].as_array().unwrap().iter().collect();
    let told = warnings.iter().find(|one| one["code"] == "user_changed");
    let message = told.unwrap_or_else(|| panic!("{warnings:?}"))["message"].as_str().unwrap();
    assert!(message.contains("555") && message.contains(&UID.to_string()), "{message}");
    assert_eq!(identity(&wallet), (u64::from(UID), u64::from(GID)));
}
