//! P2: a database and a log that are written to all the time come through updates and rollbacks whole.

use crate::start;
use harness::{App, Board, Image, SOON, Tree, test_app_with_database, wait_until};

fn image(version: &str) -> Image {
    start::image(version).program(&test_app_with_database())
}

/// Rows that it found whole at its start.
fn rows(wallet: &App) -> u64 {
    let found = wallet.page("/database");
    let rows = found.strip_prefix("ok ").and_then(|rows| rows.parse().ok());
    rows.unwrap_or_else(|| panic!("{found}"))
}

/// Waits until it has written more than it found.
fn wait_written(wallet: &App, generation: u64) {
    let log = wallet.fork(generation, "state").join("written.log");
    let size = || std::fs::metadata(&log).map_or(0, |seen| seen.len());
    let before = size();
    wait_until(SOON, "rows", || size() > before + 100);
}

#[test]
fn p2_a_database_and_a_log_are_never_torn_and_no_committed_row_is_lost_on_the_way_forward() {
    let board = Board::start();
    let definition = start::definition(&board).health("settle", "1s");
    let wallet = start::installed_as(&board, &image("1.0.0"), definition);
    assert_eq!(rows(&wallet), 0);
    let (mut last, mut current) = (0, 1);
    for number in 2..=4 {
        wait_written(&wallet, current);
        let version = format!("{number}.0.0");
        let is_bad = number % 3 == 0;
        let told = if is_bad { "crash 3 300" } else { "" };
        start::push(&board, &image(&version).behaviour(told));
        wallet.update();
        if is_bad {
            wallet.wait_ended(number, "rolled_back");
            wallet.wait_ok();
        } else {
            wallet.wait_ended(number, "committed");
            wallet.wait_version(&version);
            current = number;
        }
        let found = rows(&wallet);
        assert!(found > last, "{found} rows after {version}, {last} before");
        last = found;
    }
}

#[test]
fn p2_the_old_forks_bytes_never_change_from_the_stop_until_it_is_started_itself() {
    let board = Board::start();
    let definition = start::definition(&board).health("retries", 8);
    let wallet = start::installed_as(&board, &image("1.0.0"), definition);
    wait_written(&wallet, 1);
    start::push(&board, &image("2.0.0").behaviour("unhealthy"));
    wallet.update();
    let old = |wallet: &App| {
        let all = wallet.containers();
        all.into_iter()
            .find(|one| one.generation() == Some(1))
            .map(|one| (one.is_running(), one.started_at()))
    };
    let stopped =
        wait_until(SOON, "the old one to be stopped", || old(&wallet).filter(|(runs, _)| !runs));
    // A reading counts that was made wholly while the old one was down.
    let read = || {
        let tree = Tree::read(&wallet.fork(1, "state"));
        (old(&wallet).as_ref() == Some(&stopped)).then_some(tree)
    };
    let first = read().expect("it is down for a while");
    let mut readings = 0;
    while let Some(tree) = read() {
        first.assert_same(&tree, "the old fork, while the new one is tried");
        readings += 1;
    }
    assert!(readings > 2, "{readings}");
    wallet.wait_ended(2, "rolled_back");
    wallet.wait_ok();
    assert!(rows(&wallet) > 0);
}
