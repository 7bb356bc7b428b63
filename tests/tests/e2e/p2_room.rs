//! P2: nothing that is kept goes but for want of room, and for nothing that would not fit all the same.

use crate::start;
use harness::{App, Board, Fate, Kept, Meddling, Reply, SOON, Settings, wait_until};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;

/// The app with what a failed release wrote beside its own state: what goes when the disk is short.
fn with_a_failed_fork<'b>(board: &'b Board, base: &[u8]) -> App<'b> {
    let definition = start::definition(board).health("deadline", "7s");
    let wallet = start::installed_as(board, &start::image("1.0.0").base(base), definition);
    start::push(board, &start::image("2.0.0").base(base).behaviour("crash 3 300"));
    wallet.update();
    wallet.wait_ended(2, "rolled_back");
    wallet.wait_version("1.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1, 2], &[1]));
    wallet
}

fn wait_for_the_disk(wallet: &App) -> Value {
    wallet.wait("to wait for the disk", |app| {
        app["next"]["waiting_for"] == "disk" && app["reason"]["code"] == "disk_low"
    })
}

#[test]
fn p2_nothing_goes_for_a_size_that_no_disk_of_the_board_has() {
    let board = Board::start();
    let wallet = with_a_failed_fork(&board, b"");
    let before = wallet.fork_tree(2, "state");
    let next = start::image("3.0.0");
    start::push(&board, &next);
    let (kind, manifest) = next.manifest();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for size in [1_u64 << 50, u64::MAX >> 1] {
        manifest["layers"][0]["size"] = json!(size);
        let lie = manifest.to_string().into_bytes();
        board.registry().put_manifest("wallet", "stable", &kind, &lie);
        wallet.update();
        let lie = harness::digest(&lie);
        wallet.wait("to have seen it", |app| app["candidate"]["manifest"] == lie.as_str());
        wait_for_the_disk(&wallet);
        assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1, 2], &[1]), "{size}");
        before.assert_same(&wallet.fork_tree(2, "state"), "what the failed release wrote");
    }
    start::push(&board, &next);
    wallet.update();
    wallet.wait_version("3.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[3], &[1, 2, 3], &[1, 3]));
}

#[test]
fn p2_an_image_that_the_engine_can_not_read_is_no_full_disk() {
    let board = Board::with(Settings { small_disks: true, proxies: true, ..Settings::default() });
    let words = (0..6 * MIB).map(|n| u32::try_from(n).unwrap().wrapping_mul(2_654_435_761));
    let base: Vec<u8> = words.flat_map(|n| n.rotate_left(n % 31).to_le_bytes()).collect();
    let wallet = with_a_failed_fork(&board, &base);
    board.registry().push("other", "1", &start::image("0.1.0"));
    board.engine().pull(&format!("{}/other:1", board.registry().host()));
    let strays = wallet.kept().strays;
    assert_eq!(strays.len(), 1);
    let between = board.between().unwrap();
    let path = format!("{}/json", strays[0].trim_start_matches("sha256:"));
    let broken = Reply::of("application/json", r#"{"message":"layer does not exist"}"#).status(500);
    between.engine().meddle(Meddling {
        is_it: Box::new(move |_, target| target.ends_with(&path)),
        fate: Fate::Answered(broken),
        times: u32::MAX,
    });
    between.lead(true);
    // Too little for the whole image, enough for what is new in it.
    board.disks().unwrap().engine.leave(45 * MIB);
    start::push(&board, &start::image("3.0.0").base(&base));
    wallet.update();
    wallet.wait_version("3.0.0");
    assert!(between.engine().met() > 0, "it was asked about");
    between.engine().heal();
    let kept = Kept { strays, ..Kept::of("wallet", &[3], &[1, 2, 3], &[1, 3]) };
    wallet.wait_kept(&kept);
}

#[test]
fn p2_room_is_made_though_the_history_can_not_be_read() {
    let board = Board::with(Settings { small_disks: true, ..Settings::default() });
    let wallet = with_a_failed_fork(&board, b"");
    std::fs::write(wallet.fork(2, "state").join("large"), vec![1; 40 * 1024 * 1024]).unwrap();
    // Of a nameless image it is asked in the history whose it was.
    let made = board.engine().api("POST", "/commit?container=wallet-g1&pause=0", &json!({}));
    let nameless = made.well("commit").json()["Id"].as_str().unwrap().to_owned();
    let history = board.agent().state().join("history/wallet.jsonl");
    let aside = history.with_extension("aside");
    rustix::fs::rename(&history, &aside).unwrap();
    std::fs::create_dir(&history).unwrap();
    board.disks().unwrap().volumes.leave(8 * MIB);
    start::push(&board, &start::image("3.0.0"));
    wallet.update();
    wait_until(SOON, "what the failed release wrote to go", || !wallet.fork(2, "state").exists());
    std::fs::remove_dir(&history).unwrap();
    rustix::fs::rename(&aside, &history).unwrap();
    wallet.wait_version("3.0.0");
    let wanted = Kept::of("wallet", &[3], &[1, 3], &[1, 3]);
    wallet.wait_kept(&Kept { strays: vec![nameless], ..wanted });
}
