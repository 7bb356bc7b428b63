//! P1, P3: a person's hand at the engine is put right.

use crate::start;
use harness::{App, Board, Kept, SOON, wait_until};

/// Waits until the app runs another process than before, well.
fn wait_started_again(wallet: &App, before: &str) {
    wallet.wait("to be well again in another start", |app| {
        let running = wallet.running();
        app["state"] == "ok"
            && app["health"] == "healthy"
            && running.first().is_some_and(|one| one.started_at() != before)
    });
}

/// The app's events of the type, as a client heard them.
fn events(board: &Board, listener: &harness::Listener, kind: &str) -> usize {
    let all = listener.on(&board.topic("event"));
    all.iter().map(harness::Message::json).filter(|event| event["type"] == kind).count()
}

#[test]
fn p1_app_runs_again_with_its_state_after_docker_rm_f() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let listener = board.listen();
    let before = wallet.container();
    board.engine().remove_container("wallet-g1");
    wait_started_again(&wallet, &before.started_at());
    let after = wallet.container();
    assert_ne!(before.id(), after.id(), "it was made again");
    assert_eq!((after.name().as_str(), after.policy().as_str()), ("wallet-g1", "unless-stopped"));
    assert_eq!((after.binds(), after.user()), (before.binds(), before.user()));
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    assert_eq!(wallet.page("/data"), "1.0.0\n1.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
    wait_until(SOON, "the event", || events(&board, &listener, "app_put_right") == 1);
}

#[test]
fn p1_app_runs_again_after_docker_stop() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let listener = board.listen();
    let before = wallet.container();
    board.engine().stop_container("wallet-g1");
    wait_started_again(&wallet, &before.started_at());
    let after = wallet.container();
    assert_eq!(before.id(), after.id(), "the same container");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    wait_until(SOON, "the event", || events(&board, &listener, "app_put_right") == 1);
}

#[test]
fn p3_new_container_that_a_person_starts_too_early_is_stopped_and_its_writes_do_not_count() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let old = wallet.container();
    wait_until(SOON, "the lock", || wallet.get("/flock?hold=1").is_ok_and(|got| got.status == 200));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait("to wait for the lock", |app| app["next"]["waiting_for"] == "lock");
    let early = board.engine().container("wallet-g2").unwrap();
    board.engine().start_container("wallet-g2");
    wait_until(SOON, "the early one to be gone", || {
        let now = board.engine().container("wallet-g2");
        now.is_none_or(|now| now.id() != early.id() || !now.is_running())
    });
    assert_eq!(wallet.container().started_at(), old.started_at(), "the old one ran on");
    wallet.wait("to wait again", |app| app["next"]["waiting_for"] == "lock");
    assert_eq!(wallet.page("/flock?hold=0"), "given up\n");
    wallet.wait_version("2.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n", "one start on a copy of the old state");
    assert_eq!(wallet.container().generation(), Some(2));
}

#[test]
fn p3_old_container_that_a_person_starts_in_probation_is_stopped_again() {
    let board = Board::start();
    let wallet = start::installed_as(
        &board,
        &start::image("1.0.0"),
        start::definition(&board).health("settle", "5s"),
    );
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wait_until(SOON, "the new one", || wallet.version().as_deref() == Some("2.0.0"));
    board.engine().start_container("wallet-g1");
    wait_until(SOON, "the old one to be down", || {
        let old = board.engine().container("wallet-g1");
        old.is_none_or(|old| !old.is_running())
    });
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["outcome"], "committed");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n", "each on a fork of its own");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p4_new_container_that_a_person_removes_in_probation_condemns_nobody() {
    let board = Board::start();
    let wallet = start::installed_as(
        &board,
        &start::image("1.0.0"),
        start::definition(&board).health("settle", "4s"),
    );
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wait_until(SOON, "the new one", || wallet.version().as_deref() == Some("2.0.0"));
    board.engine().remove_container("wallet-g2");
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g2");
    assert_eq!(status["last"]["outcome"], "committed");
    assert_eq!(status["quarantine"], serde_json::json!([]));
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n2.0.0\n", "the same fork, started twice");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_new_container_whose_image_is_gone_before_it_was_looked_into_is_made_anew() {
    let board = Board::start();
    let wallet = start::installed(&board);
    wait_until(SOON, "the lock", || wallet.get("/flock?hold=1").is_ok_and(|got| got.status == 200));
    let pushed = start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait("to wait for the lock", |app| app["next"]["waiting_for"] == "lock");
    let made = || board.engine().container("wallet-g2");
    let before = made().expect("all is ready").id();
    board.agent().kill(); // the next one has to look into image and container again
    board.engine().remove_image(&pushed.release);
    board.agent().start();
    wait_until(SOON, "it to be made anew", || made().is_some_and(|one| one.id() != before));
    assert_eq!(wallet.page("/flock?hold=0"), "given up\n");
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["quarantine"], serde_json::json!([]));
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}
