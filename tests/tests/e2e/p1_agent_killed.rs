//! P1–P4: SIGKILL of the agent at each step of an update; afterwards all is well, and nothing is left over.

use crate::start::{self, GID, UID};
use harness::{App, Board, Definition, Image, Kept, SOON, wait_until};
use serde_json::json;
use std::os::unix::fs::chown;

/// Releases tried until the kill hits a short step.
const TRIES_MAX: u64 = 8;

/// A board whose app was killed in its updates.
struct Killed<'b> {
    board: &'b Board,
    wallet: App<'b>,
    /// Versions that were committed so far; the number of the last is the generation.
    committed: Vec<String>,
}

impl<'b> Killed<'b> {
    /// Installs with `keep = 0`: what is kept is then current and previous alone.
    fn begin(board: &'b Board, definition: Definition<'b>, first: &Image) -> Self {
        board.agent().settings(|toml| toml.set_in("disk", "keep", 0));
        board.agent().log_steps();
        let wallet = start::installed_as(board, first, definition);
        Self { board, wallet, committed: vec!["1.0.0".to_owned()] }
    }

    fn generation(&self) -> u64 {
        self.committed.len() as u64
    }

    /// Pushes releases until the agent was killed at `step` of an update, then starts it again.
    fn at(&mut self, step: &str, change: impl Fn(Image) -> Image, go: impl Fn(&App)) {
        for _ in 0..TRIES_MAX {
            let version = format!("{}.0.0", self.generation() + 1);
            start::push(self.board, &change(start::image(&version)));
            go(&self.wallet);
            let hit = self.wallet.kill_agent_at(step);
            if hit {
                self.board.agent().start();
            }
            self.committed.push(version);
            self.assert_well(step);
            if hit {
                return;
            }
        }
        panic!("{step} was never hit");
    }

    /// As [`Killed::at`], with a plain release.
    fn at_step(&mut self, step: &str) {
        self.at(step, |image| image, |wallet| wallet.update());
    }

    /// The last version runs alone, on a state that has seen all before it, and nothing is left over.
    fn assert_well(&self, step: &str) {
        let Self { wallet, committed, .. } = self;
        let (last, number) = (&committed[committed.len() - 1], self.generation());
        let status = wallet.wait_version(last);
        assert_eq!(status["last"]["id"], format!("wallet-g{number}").as_str(), "{step}");
        assert_eq!(status["last"]["outcome"], "committed", "{step}");
        assert_eq!(status["quarantine"], json!([]), "{step}");
        let both = [number - 1, number];
        wallet.wait_kept(&Kept::of("wallet", &[number], &both, &both));
        assert_eq!(wallet.container().policy(), "unless-stopped", "{step}");
        for page in ["/state", "/data"] {
            let text = wallet.page(page);
            let mut seen: Vec<&str> = text.lines().collect();
            seen.dedup();
            assert_eq!(seen, *committed, "{page} after {step}");
        }
        let history = wallet.history();
        let ids: Vec<&str> = history.iter().filter_map(|line| line["id"].as_str()).collect();
        let wanted: Vec<String> = (1..=number).rev().map(|at| format!("wallet-g{at}")).collect();
        assert_eq!(ids, wanted, "each has one line of history");
    }
}

#[test]
fn p1_agent_killed_while_an_update_is_made_ready_goes_on_and_leaves_nothing_over() {
    let board = Board::start();
    let definition = start::definition(&board);
    let mut killed = Killed::begin(&board, definition, &start::image("1.0.0"));
    for step in ["reserve", "fetch", "inspect", "create"] {
        killed.at_step(step);
    }
}

#[test]
fn p1_agent_killed_while_it_waits_and_stops_goes_on_and_leaves_nothing_over() {
    let board = Board::start();
    let definition = start::definition(&board);
    let lingering = |image: Image| image.behaviour("slow-stop 1500");
    let first = lingering(start::image("1.0.0"));
    let mut killed = Killed::begin(&board, definition, &first);
    killed.at("stop", lingering, |wallet| wallet.update());
    let lock = |wallet: &App| wallet.get("/flock?hold=1").is_ok_and(|answer| answer.status == 200);
    wait_until(SOON, "the lock", || lock(&killed.wallet));
    let version = "3.0.0";
    start::push(&board, &start::image(version));
    killed.wallet.update();
    killed.wallet.wait("to wait for the lock", |app| app["next"]["waiting_for"] == "lock");
    assert!(killed.wallet.kill_agent_at("wait"));
    assert_eq!(killed.wallet.version().as_deref(), Some("2.0.0"), "the old one runs on");
    board.agent().start();
    killed.wallet.wait("to wait again", |app| app["next"]["waiting_for"] == "lock");
    assert_eq!(killed.wallet.page("/flock?hold=0"), "given up\n");
    killed.committed.push(version.to_owned());
    killed.assert_well("wait");
}

#[test]
fn p1_agent_killed_at_the_cutover_goes_on_and_leaves_nothing_over() {
    let board = Board::start();
    let definition = start::definition(&board);
    let mut killed = Killed::begin(&board, definition, &start::image("1.0.0"));
    // Enough to copy that the kill finds it half done.
    let big = killed.wallet.source("/state").join("big");
    std::fs::write(&big, vec![7; 48 * 1024 * 1024]).unwrap();
    chown(&big, Some(UID), Some(GID)).unwrap();
    for step in ["fork", "start"] {
        killed.at_step(step);
        let copied = std::fs::read(killed.wallet.source("/state").join("big")).unwrap();
        assert!(copied.len() == 48 * 1024 * 1024 && copied.iter().all(|byte| *byte == 7));
    }
    let data = killed.wallet.data("data");
    for number in 0..3000 {
        let path = data.join(number.to_string());
        std::fs::write(&path, b"block").unwrap();
        chown(&path, Some(UID), Some(GID)).unwrap();
    }
    let change_user = |wallet: &App| {
        let user = format!("2{:04}:20000", wallet.highest());
        board.agent().stop();
        start::definition(&board).user(user).define();
        board.agent().start(); // release and definition are one update then
    };
    killed.at("own", |image| image, change_user);
    let owner = (20_000 + u32::try_from(killed.generation()).unwrap() - 1, 20_000);
    assert_eq!(harness::Tree::read(&data).owners(), [owner]);
    assert_eq!(harness::Tree::read(&killed.wallet.source("/state")).owners(), [owner]);
}

#[test]
fn p1_agent_killed_in_probation_and_at_commit_goes_on_and_leaves_nothing_over() {
    let board = Board::start();
    let definition = start::definition(&board);
    let mut killed = Killed::begin(&board, definition, &start::image("1.0.0"));
    for step in ["probation", "commit"] {
        killed.at_step(step);
    }
}

#[test]
fn p4_agent_killed_while_it_rolls_back_ends_it_and_remembers_the_release() {
    let board = Board::start();
    let definition = start::definition(&board).health("retries", 1);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    let old = wallet.container().id();
    let mut bad_before = 0;
    for number in 2..=TRIES_MAX {
        let bad = start::image(&format!("{number}.0.0")).behaviour("unhealthy");
        start::push(&board, &bad);
        wallet.update();
        let hit = wallet.kill_agent_at("roll_back");
        if hit {
            board.agent().start();
        }
        let ended = wallet.wait_ended(number, "rolled_back");
        bad_before += 1;
        assert_eq!(ended["reason"]["code"], "unhealthy");
        let status = wallet.wait_version("1.0.0");
        assert_eq!(status["quarantine"].as_array().map(Vec::len), Some(bad_before));
        assert_eq!(wallet.container().id(), old, "the old one was kept");
        let failed: Vec<u64> = (2..=number).collect();
        let forks = [&[1], &failed[failed.len().saturating_sub(4)..]].concat();
        wallet.wait_kept(&Kept::of("wallet", &[1], &forks, &[1]));
        if hit {
            return;
        }
    }
    panic!("roll_back was never hit");
}
