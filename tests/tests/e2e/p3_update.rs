//! P3: never two, never none for long; a new release is taken as the track says.

use crate::start;
use harness::{Board, Compression, Kept, SOON, wait_until};
use serde_json::json;

/// Seconds since 1970.
fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |passed| passed.as_secs())
}

#[test]
fn p3_moved_tag_is_taken_and_only_stop_and_start_happen_while_the_app_is_down() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let begun = now();
    let pushed = start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["current"]["config"], pushed.release.as_str());
    assert_eq!(status["last"]["trigger"], "tag");
    assert_eq!(status["last"]["from"]["config"], start::image("1.0.0").release().as_str());
    assert!(status["last"]["down_ms"].as_u64().is_some_and(|down| down > 0), "{status:#}");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
    let acts = board.engine().acts(begun);
    let at = |act: &str| {
        let found = acts.iter().position(|one| one == act);
        found.unwrap_or_else(|| panic!("{act} is missing in {acts:#?}"))
    };
    let count = |act: &str| acts.iter().filter(|one| *one == act).count();
    assert!(at("create wallet-g2") < at("die wallet-g1"), "all is made before: {acts:#?}");
    assert!(at("die wallet-g1") < at("start wallet-g2"), "never two: {acts:#?}");
    let pulls = acts.iter().filter(|act| act.starts_with("pull "));
    assert_eq!(pulls.count(), 1, "{acts:#?}");
    let pulled = acts.iter().position(|act| act.starts_with("pull ")).unwrap();
    assert!(pulled < at("die wallet-g1"), "{acts:#?}");
    let between = &acts[at("die wallet-g1")..at("start wallet-g2")];
    let other = between.iter().find(|act| act.starts_with("pull ") || act.starts_with("create "));
    assert_eq!(other, None, "{acts:#?}");
    assert_eq!((count("start wallet-g2"), count("start wallet-g1")), (1, 0), "{acts:#?}");
    assert!(at("start wallet-g2") < at("destroy wallet-g1"), "kept until commit: {acts:#?}");
}

#[test]
fn p3_new_tag_is_taken_when_the_range_allows_it_and_none_beside() {
    let board = Board::start();
    let registry = board.registry();
    let push = |version: &str| registry.push("wallet", version, &start::image(version));
    let first = push("1.0.0");
    let wallet = start::definition(&board).image(&first.repository).semver(">=1.0, <2").define();
    board.agent().start();
    wallet.wait_version("1.0.0");
    for beside in ["2.0.0", "0.9.0", "1.3.0-rc.1", "latest"] {
        push(beside);
    }
    push("1.10.0");
    push("1.9.0");
    wallet.update();
    let status = wallet.wait_version("1.10.0");
    assert_eq!(status["current"]["tag"], "1.10.0");
    assert_eq!(status["current"]["version"], "1.10.0");
    assert_eq!(status["container"]["generation"], 2, "by no way round");
    let asked = registry.count("GET", "/v2/wallet/manifests/");
    push("1.10.1");
    wallet.update();
    wallet.wait_version("1.10.1");
    let asked = registry.count("GET", "/v2/wallet/manifests/") - asked;
    assert!(asked <= 3, "only what moved is asked for, by agent and engine: {asked}");
}

#[test]
fn p3_same_content_pushed_anew_is_no_update() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let again = start::image("1.0.0").compressed(Compression::Gzip(900));
    let pushed = start::push(&board, &again);
    let asked = format!("/v2/wallet/manifests/{}", pushed.digest);
    wallet.update();
    wait_until(SOON, "the other manifest to be read", || board.registry().count("GET", &asked) > 0);
    wallet.wait("to wait for the next poll", |app| app["next"]["act"] == "poll");
    assert_eq!(wallet.container().started_at(), before.started_at());
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g2", "there was no other update");
    assert_eq!(status["last"]["from"]["config"], pushed.release.as_str());
}

#[test]
fn p3_update_waits_for_the_apps_own_lock_and_the_app_runs_on() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    wait_until(SOON, "the lock", || wallet.get("/flock?hold=1").is_ok_and(|got| got.status == 200));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait("to wait for the lock", |app| app["next"]["waiting_for"] == "lock");
    assert_eq!(status["update"]["step"], "wait");
    assert_eq!(wallet.container().started_at(), before.started_at());
    let made = board.engine().container("wallet-g2").map(|one| one.state());
    assert_eq!(made.as_deref(), Some("created"), "all is ready");
    assert_eq!(wallet.page("/flock?hold=0"), "given up\n");
    wallet.wait_version("2.0.0");
}

#[test]
fn p3_update_waits_for_its_window_and_goes_on_when_the_definition_drops_it() {
    let board = Board::start();
    let hour: u32 = harness::run("date", &["+%H"]).trim().parse().unwrap();
    let at = |later: u32| format!("{:02}:00", (hour + later) % 24);
    let window = json!({"from": at(3), "to": at(4)});
    let definition = start::definition(&board).update("window", window);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    let status = wallet.wait("to wait", |app| app["next"]["waiting_for"] == "window");
    assert!(status["next"]["at"].is_string(), "it says when: {status:#}");
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
    start::definition(&board).define();
    board.agent().reload();
    wallet.wait_version("2.0.0");
}

#[test]
fn p3_app_that_ignores_sigterm_is_ended_after_its_grace_and_updated() {
    let board = Board::start();
    let deaf = start::image("1.0.0").behaviour("ignore-sigterm");
    let definition = start::definition(&board).set("stop", json!({"grace": "1s"}));
    let wallet = start::installed_as(&board, &deaf, definition);
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n2.0.0\n");
}
