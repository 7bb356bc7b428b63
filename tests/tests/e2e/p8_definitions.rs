//! P8: a bad file changes nothing on the board, and says where and what.

use crate::start;
use harness::{App, Board, Kept, SOON, wait_until};
use serde_json::{Value, json};

/// Faults of the agent's files as status shows them.
fn faults(board: &Board) -> Vec<Value> {
    let status = board.agent().status();
    status["agent"]["config_errors"].as_array().cloned().unwrap_or_default()
}

/// Waits for the one fault of `file` and returns it.
fn wait_fault(board: &Board, file: &str) -> Value {
    wait_until(SOON, "the fault to be shown", || {
        let all = faults(board);
        let found =
            all.iter().find(|one| one["file"].as_str().is_some_and(|at| at.ends_with(file)));
        found.cloned().ok_or_else(|| format!("{all:#?}"))
    })
}

#[test]
fn p8_bad_definition_leaves_the_last_good_one_in_force_and_is_shown_with_its_place() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let listener = board.listen();
    let (before, good) = (wallet.container(), wallet.status()["definition"]["hash"].clone());
    let text = std::fs::read_to_string(wallet.file()).unwrap();
    std::fs::write(wallet.file(), format!("{text}\n[limits]\nmemmory = \"1GiB\"\n")).unwrap();
    board.agent().reload();
    let fault = wait_fault(&board, "wallet.toml");
    let line = text.lines().count() as u64 + 3;
    assert_eq!((&fault["line"], &fault["column"]), (&json!(line), &json!(1)), "{fault:#}");
    assert!(fault["message"].as_str().unwrap().contains("memmory"), "{fault:#}");
    let said = format!("{} {}", fault["message"], fault["hint"]);
    assert!(said.contains("`memory`") || said.contains("memory"), "the nearest key: {said}");
    let status = wallet.wait("to show the error", |app| !app["definition"]["error"].is_null());
    assert_eq!(status["definition"]["hash"], good, "the last good one");
    assert_eq!(status["definition"]["error"]["code"], "config_invalid");
    assert_eq!(status["state"], "ok");
    let table = board.agent().ctl(&["status"]);
    assert_eq!(table.code, 0, "config errors alone are no failure");
    assert!(table.out.contains("wallet.toml"), "{}", table.out);
    let checked = board.agent().check();
    assert_ne!(checked.code, 0);
    let place = format!("wallet.toml:{line}:1");
    assert!(format!("{}{}", checked.out, checked.err).contains(&place), "{checked:?}");
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_ne!(wallet.container().id(), before.id(), "updates go on under the last good one");
    std::fs::write(wallet.file(), &text).unwrap();
    board.agent().reload();
    wait_until(SOON, "no fault", || faults(&board).is_empty());
    for kind in ["config_error", "config_ok"] {
        listener
            .wait(SOON, kind, |one| one.topic.ends_with("/event") && one.json()["type"] == kind);
    }
}

#[test]
fn p8_bad_definition_at_start_leaves_a_running_app_alone() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    board.agent().stop();
    let text = std::fs::read_to_string(wallet.file()).unwrap();
    std::fs::write(wallet.file(), "image = 5\n").unwrap();
    board.agent().start();
    wait_fault(&board, "wallet.toml");
    wallet.wait("to be well", |app| app["health"] == "healthy");
    assert_eq!(wallet.container().started_at(), before.started_at(), "it is no removed one");
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    std::fs::write(wallet.file(), text).unwrap();
    board.agent().reload();
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.container().started_at(), before.started_at());
}

#[test]
fn p8_removed_definition_stops_its_app_and_deletes_nothing() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let text = std::fs::read_to_string(wallet.file()).unwrap();
    std::fs::remove_file(wallet.file()).unwrap();
    board.agent().reload();
    let status = wallet.wait_state("orphaned");
    assert!(status["definition"]["file"].is_null());
    wait_until(SOON, "it to be down", || wallet.running().is_empty());
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    assert_eq!(std::fs::read(wallet.data("data").join("stamp.log")).unwrap(), b"1.0.0\n");
    board.agent().restart();
    wallet.wait_state("orphaned");
    assert!(wallet.running().is_empty());
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    std::fs::write(wallet.file(), text).unwrap();
    board.agent().reload();
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.container().id(), before.id());
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
}

/// A fault that is told: the file's text, where it is, and words that its message has.
struct Fault {
    what: &'static str,
    text: String,
    place: &'static str,
    words: &'static [&'static str],
}

fn bad_definitions(host: &str) -> Vec<Fault> {
    let image = format!("image = \"{host}/wallet:stable\"\n");
    let fault = |what, rest: &str, place, words| Fault {
        what,
        text: format!("{image}{rest}"),
        place,
        words,
    };
    vec![
        fault("unknown key", "comand = [\"-v\"]\n", ":2:1", &["comand", "command"]),
        fault("wrong unit", "[health]\nsettle = \"2 fortnights\"\n", ":3:10", &["fortnights"]),
        fault("wrong type", "ports = \"80:80\"\n", ":2:9", &["ports", "list"]),
        fault("taken port", "ports = [\"9000:80\"]\n", "purse.toml", &["9000", "tor"]),
        fault(
            "a volume inside another",
            "[volumes]\nstate = \"/a\"\ndata = [\"/a/b\"]\n",
            ":4:",
            &["/a/b", "/a"],
        ),
        fault("names nobody", "after = [\"nobody\"]\n", "purse.toml", &["nobody"]),
        fault("cycle", "after = [\"ring\"]\n", "purse.toml", &["ring", "purse"]),
        fault(
            "two probes",
            "[health]\nhttp = { port = 80 }\ntcp = { port = 80 }\n",
            ":4:",
            &["http", "tcp"],
        ),
        fault(
            "settle over deadline",
            "[health]\nsettle = \"5m\"\ndeadline = \"1m\"\n",
            ":3:",
            &["settle", "deadline"],
        ),
        fault("tag and track", "track = { semver = \">=1\" }\n", ":", &["track", "stable"]),
        fault("a word misspelt", "user = \"maped\"\n", ":2:8", &["maped", "mapped"]),
        Fault {
            what: "no reference",
            text: "image = \"Not A Reference\"\n".to_owned(),
            place: ":1:9",
            words: &["Not A Reference"],
        },
    ]
}

#[test]
fn p8_each_bad_definition_is_told_with_its_place_and_changes_nothing_on_the_board() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let host = board.registry().host();
    let tor = board.app("tor").image(&format!("{host}/tor:none")).ports(&["9000:80"]).define();
    let _ring = board.app("ring").image(&format!("{host}/ring:none")).after(&["purse"]).define();
    let before = (wallet.container().started_at(), wallet.kept());
    for fault in bad_definitions(&host) {
        let purse = board.define("purse", &fault.text);
        let checked = board.agent().check();
        let said = format!("{}{}", checked.out, checked.err);
        assert_ne!(checked.code, 0, "{}: {said}", fault.what);
        let told = said.lines().any(|line| line.contains("purse.toml"));
        assert!(told && said.contains(fault.place), "{}: {said}", fault.what);
        for word in fault.words {
            assert!(said.contains(word), "{}: {word} is missing: {said}", fault.what);
        }
        board.agent().reload();
        let shown = wait_fault(&board, "purse.toml");
        assert!(said.contains(shown["message"].as_str().unwrap()), "{}: {shown:#}", fault.what);
        assert!(purse.containers().is_empty(), "{}", fault.what);
        std::fs::remove_file(purse.file()).unwrap();
        board.agent().reload();
        wait_until(SOON, "no fault of it", || {
            faults(&board).iter().all(|one| !one["file"].to_string().contains("purse.toml"))
        });
    }
    assert_clash(&board, &tor);
    assert_eq!((wallet.container().started_at(), wallet.kept()), before);
}

/// Two names that would be one to the engine.
fn assert_clash(board: &Board, tor: &App) {
    let text = std::fs::read_to_string(tor.file()).unwrap().replace("9000", "9001");
    for name in ["to.r", "to_r"] {
        board.define(name, &text.replace("9001", if name == "to.r" { "9002" } else { "9003" }));
    }
    let checked = board.agent().check();
    let said = format!("{}{}", checked.out, checked.err);
    assert_ne!(checked.code, 0, "{said}");
    assert!(said.contains("to.r") && said.contains("to_r"), "{said}");
}
