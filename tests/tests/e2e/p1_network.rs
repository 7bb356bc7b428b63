//! P1: a network that somebody removed keeps no app down.

use crate::start;
use harness::{Board, SOON, wait_until};
use serde_json::json;

/// The engine's ids of the agent's own network.
fn ids(board: &Board) -> Vec<String> {
    let all = board.engine().networks();
    let own = all.iter().filter(|network| network["Name"] == "titania");
    own.filter_map(|network| network["Id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn p1_app_runs_again_after_its_network_was_removed_while_it_was_down() {
    let board = Board::start();
    let wallet = start::installed(&board);
    board.agent().ctl_well(&["stop", "wallet"]);
    wait_until(SOON, "the app to be down", || wallet.running().is_empty());
    let before = ids(&board);
    assert_eq!(board.engine().api("DELETE", "/networks/titania", &json!(null)).status, 204);
    board.agent().ctl_well(&["start", "wallet"]);
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    let after = ids(&board);
    assert_eq!(after.len(), 1);
    assert_ne!(after, before, "another network of that name");
}
