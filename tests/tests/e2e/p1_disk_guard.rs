//! P1: the disk guard. An update that finds too little room says what is missing and touches nothing; one that meets the
//! reserve on its way is broken off and leaves nothing behind; both go on by themselves when there is room.

use crate::start;
use harness::{
    App, Board, Compression, Fate, Kept, Listener, Meddling, SOON, Settings, SmallDisk, digest,
    wait_until,
};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;

fn board() -> Board {
    Board::with(Settings { small_disks: true, proxies: true, ..Settings::default() })
}

fn engine_disk(board: &Board) -> &SmallDisk {
    &board.disks().expect("small disks").engine
}

/// Bytes that no compression makes smaller.
fn noise(mebibytes: u64) -> Vec<u8> {
    let words = u32::try_from(mebibytes * MIB / 4).expect("a few MiB");
    (0..words)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 31).to_le_bytes())
        .collect()
}

fn wait_refused(app: &App, words: &[&str]) -> Value {
    app.wait(&format!("to wait for the disk, saying {words:?}"), |app| {
        let message = app["reason"]["message"].as_str().unwrap_or_default();
        app["next"]["waiting_for"] == "disk"
            && app["reason"]["code"] == "disk_low"
            && words.iter().all(|word| message.contains(word))
    })
}

/// The board's events of a type that speak of the engine's disk.
fn told(board: &Board, listener: &Listener, kind: &str) -> usize {
    let all = listener.on(&board.topic("event"));
    let all = all.iter().map(harness::Message::json);
    let of_engine =
        |event: &Value| event["text"].as_str().is_some_and(|it| it.contains("(engine)"));
    all.filter(|event| event["type"] == kind && of_engine(event)).count()
}

/// Whether the engine's disk is shown as low, and whether that is a problem of the board's.
fn shown_low(board: &Board) -> (bool, bool) {
    let status = board.agent().status();
    let disks = status["board"]["disks"].as_array().cloned().unwrap_or_default();
    let problems = status["board"]["problems"].as_array().cloned().unwrap_or_default();
    let is_problem = |one: &Value| {
        one["code"] == "disk_low"
            && one["message"].as_str().is_some_and(|it| it.contains("(engine)"))
    };
    let is_low = disks.iter().any(|disk| disk["role"] == "engine" && disk["low"] == true);
    (is_low, problems.iter().any(is_problem))
}

/// How often a layer was asked for.
fn fetched(board: &Board, layer: &str) -> usize {
    board.registry().count("GET", &format!("/v2/wallet/blobs/{layer} "))
}

/// Nothing of a download is left, and the app is what it was.
fn assert_untouched(board: &Board, wallet: &App, before: &str) {
    let tmp = board.folder().join("engine/data/tmp");
    let parts = std::fs::read_dir(tmp).map_or(0, Iterator::count);
    assert_eq!((parts, board.engine().images().len()), (0, 1), "of the download nothing is left");
    let names: Vec<String> = wallet.containers().iter().map(harness::Container::name).collect();
    assert_eq!(names, ["wallet-g1"]);
    assert_eq!(wallet.container().started_at(), before, "it runs on");
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
}

#[test]
fn p1_update_without_room_is_refused_with_figures_told_once_and_goes_on_when_there_is_room() {
    let board = board();
    let disk = engine_disk(&board);
    let listener = board.listen();
    let wallet = start::installed(&board);
    let before = wallet.container().started_at();
    disk.leave(30 * MIB);
    let next = start::image("2.0.0").file("/noise", &noise(8));
    let layer = digest(&next.layer());
    start::push(&board, &next);
    wallet.update();
    let status = wait_refused(
        &wallet,
        &[
            &board.folder().join("engine/data").to_string_lossy(),
            "to download",
            "unpacked",
            "in reserve",
        ],
    );
    let message = status["reason"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("16 MiB in reserve") && message.contains("), 2"), "{message}");
    assert_eq!(status["reason"]["class"], "environment");
    assert_eq!(status["state"], "waiting");
    assert_untouched(&board, &wallet, &before);
    assert_eq!((shown_low(&board), fetched(&board, &layer)), ((false, false), 0));
    // Now it is below its reserve, too.
    disk.leave(4 * MIB);
    wait_until(SOON, "the disk to be shown as low", || shown_low(&board) == (true, true));
    wait_until(SOON, "the event", || told(&board, &listener, "disk_low") == 1);
    wait_refused(&wallet, &["), 4 MiB are"]);
    assert_eq!(told(&board, &listener, "disk_ok"), 0);
    disk.free();
    wait_until(SOON, "the disk to be shown as well", || shown_low(&board) == (false, false));
    let status = wallet.wait_version("2.0.0");
    assert_eq!(
        (&status["quarantine"], &status["last"]["outcome"]),
        (&json!([]), &json!("committed"))
    );
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
    wait_until(SOON, "the event of its end", || told(&board, &listener, "disk_ok") == 1);
    assert_eq!(told(&board, &listener, "disk_low"), 1, "once, however often it was looked at");
}

#[test]
fn p1_download_that_meets_the_reserve_is_broken_off_and_leaves_nothing() {
    let board = board();
    let disk = engine_disk(&board);
    let wallet = start::installed(&board);
    let before = wallet.container().started_at();
    let next = start::image("2.0.0").file("/noise", &noise(40));
    let layer = digest(&next.layer());
    start::push(&board, &next);
    let proxy = board.between().expect("proxies").registry();
    let target = format!("/v2/wallet/blobs/{layer}");
    let is_it = move |method: &str, asked: &str| method == "GET" && asked == target;
    proxy.meddle(Meddling { is_it: Box::new(is_it), fate: Fate::Stalled, times: 1 });
    let free = disk.free_bytes();
    wallet.update();
    wait_until(SOON, "half of the layer to have come", || disk.free_bytes() < free - 18 * MIB);
    // Somebody else takes what was free.
    disk.leave(8 * MIB);
    wait_refused(&wallet, &["in reserve", "MiB are"]);
    wait_until(SOON, "what had come to be given back", || disk.free_bytes() > 26 * MIB);
    assert_untouched(&board, &wallet, &before);
    assert_eq!(proxy.met(), 1);
    proxy.heal();
    disk.free();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["quarantine"], json!([]));
    let ends: Vec<_> = wallet.history().iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(ends, ["committed", "committed"], "it was one update all the time");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_image_that_unpacks_to_more_than_was_thought_is_not_fetched_again_before_there_is_more_room() {
    let board = board();
    let disk = engine_disk(&board);
    let wallet = start::installed(&board);
    let before = wallet.container().started_at();
    disk.leave(50 * MIB);
    let free = disk.free_bytes();
    let zeros = vec![0; 60 * 1024 * 1024];
    let next = start::image("2.0.0").file("/zeros", &zeros).compressed(Compression::Small);
    let layer = digest(&next.layer());
    start::push(&board, &next);
    wallet.update();
    wait_refused(&wallet, &[]);
    wait_until(SOON, "what had come to be given back", || disk.free_bytes() + MIB > free);
    assert_untouched(&board, &wallet, &before);
    let tries = fetched(&board, &layer);
    wallet.update();
    wait_refused(&wallet, &["unpacked", "in reserve"]);
    assert_eq!((tries, fetched(&board, &layer)), (1, 1), "what it took is remembered");
    disk.free();
    wallet.wait_version("2.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_layers_that_are_here_need_no_room() {
    let board = board();
    let disk = engine_disk(&board);
    let base = noise(24);
    let first = start::image("1.0.0").base(&base);
    let wallet = start::installed_as(&board, &first, start::definition(&board));
    let next = start::image("2.0.0").base(&base);
    let base = digest(&next.layers()[0]);
    start::push(&board, &next);
    // Too little for the whole image, enough for what is new in it.
    disk.leave(45 * MIB);
    wallet.update();
    wallet.wait_version("2.0.0");
    assert_eq!(fetched(&board, &base), 1, "it came with the first");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}
