//! P1–P4: the engine crashes, or the power goes, at each step of an update; afterwards all is well.

use crate::start;
use harness::{App, Board, SOON, wait_until};
use serde_json::json;

/// Releases tried until a short step is hit.
const TRIES_MAX: usize = 12;

/// Strikes at each of these steps of an update, and looks that all is well each time.
fn strike_at(steps: &[&str], strike: impl Fn(&Board)) {
    let board = Board::start();
    board.agent().settings(|toml| toml.set_in("disk", "keep", 0));
    board.agent().log_steps();
    let lingering = |version: &str| start::image(version).behaviour("slow-stop 700");
    let wallet = start::installed_as(&board, &lingering("1.0.0"), start::definition(&board));
    let mut versions = vec!["1.0.0".to_owned()];
    for step in steps {
        let is_hit = (0..TRIES_MAX).any(|_| {
            let version = format!("{}.0.0", versions.len() + 1);
            start::push(&board, &lingering(&version));
            wallet.update();
            let is_hit = wallet.is_caught_at(step);
            if is_hit {
                strike(&board);
            }
            versions.push(version);
            assert_well(&wallet, &versions, step);
            is_hit
        });
        assert!(is_hit, "{step} was never hit");
    }
}

/// The last version runs alone, nobody is condemned, no write is lost, nothing is left over.
fn assert_well(wallet: &App, versions: &[String], step: &str) {
    let last = versions.last().unwrap();
    let status = wallet.wait_version(last);
    assert_eq!(status["quarantine"], json!([]), "{step}");
    assert_eq!(status["last"]["outcome"], "committed", "{step}");
    let only = status["container"]["name"].as_str().unwrap();
    wait_until(SOON, &format!("nothing to be left over after {step}"), || {
        let kept = wallet.kept();
        let is_clean = kept.containers == [only]
            && kept.images.len() == 2
            && kept.strays.is_empty()
            && kept
                .forks
                .iter()
                .all(|name| !name.contains(".unfinished") && !name.contains(".old"))
            && kept.forks.len() <= 6; // current, previous, the newest failed one; each with its file
        if is_clean { Ok(()) } else { Err(format!("{kept:#?}")) }
    });
    assert_eq!(wallet.container().policy(), "unless-stopped", "{step}");
    for page in ["/state", "/data"] {
        let text = wallet.page(page);
        let mut seen: Vec<&str> = text.lines().collect();
        seen.dedup();
        let in_order = versions.iter().all(|version| seen.contains(&version.as_str()));
        assert!(in_order && seen.last() == Some(&last.as_str()), "{page} after {step}: {text}");
    }
}

#[test]
fn p1_engine_killed_while_an_update_is_made_ready_costs_nobody_anything() {
    strike_at(&["fetch", "inspect", "create"], |board| {
        board.engine().kill();
        board.engine().start();
    });
}

#[test]
fn p1_engine_killed_at_the_cutover_and_after_it_loses_no_app_and_condemns_nobody() {
    strike_at(&["stop", "fork", "start", "probation", "commit"], |board| {
        board.engine().kill();
        board.engine().start();
    });
}

#[test]
fn p1_power_cut_while_an_update_is_made_ready_costs_nobody_anything() {
    strike_at(&["reserve", "fetch", "inspect", "create"], |board| {
        board.cut_power();
        board.boot();
    });
}

#[test]
fn p1_power_cut_at_the_cutover_and_after_it_loses_no_app_and_condemns_nobody() {
    strike_at(&["stop", "fork", "start", "probation", "commit"], |board| {
        board.cut_power();
        board.boot();
    });
}
