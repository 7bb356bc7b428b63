//! P5: the right image, and the reason why; what can't run here is found before anything is touched.

use crate::start;
use harness::{Board, Dialect, Entry, Image, Kept, digest};
use serde_json::json;
use std::path::PathBuf;

/// `agentctl update` fails, and says why and what to do.
fn assert_told(board: &Board, word: &str) {
    let said = board.agent().ctl(&["update", "wallet"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains(word) && said.err.contains("fix: "), "{said:?}");
}

#[test]
fn p5_image_is_chosen_from_an_index_with_other_platforms_and_attestations() {
    let board = Board::start();
    let own = start::image("1.0.0").dialect(Dialect::Oci);
    let other = |platform: &str| own.clone().env("FOR", platform).platform(platform);
    let (arm64, armv7) = (other("linux/arm64"), other("linux/arm/v7"));
    let entries = [
        Entry::Attestation(&armv7),
        Entry::Image(&armv7),
        Entry::Image(&arm64),
        Entry::Attestation(&own),
        Entry::Image(&own),
        Entry::Attestation(&arm64),
    ];
    let index = board.registry().push_index("wallet", "stable", Dialect::Oci, &entries);
    let wallet = start::definition(&board).define();
    board.agent().start();
    let status = wallet.wait_version("1.0.0");
    let current = &status["current"];
    assert_eq!(current["index"], index.digest.as_str());
    assert_eq!(current["manifest"], digest(&own.manifest().1).as_str());
    assert_eq!(current["config"], own.release().as_str());
    assert_eq!(current["platform"], "linux/amd64");
    assert!(wallet.page_json("/env")["env"]["FOR"].is_null());
    let board_status = &board.agent().status()["board"];
    assert!(board_status["platform"].as_str().unwrap().starts_with("linux/amd64"));
    assert_ne!(board_status["platform_reason"], "");
    let pulled = board.registry().count("GET", &format!("/v2/wallet/blobs/{}", arm64.release()));
    assert_eq!(pulled, 0, "nothing of another platform is fetched");
}

#[test]
fn p5_index_without_a_match_is_refused_with_the_list_of_what_it_has() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let (before, kept) = (wallet.container(), wallet.kept());
    let other = |platform: &str| start::image("2.0.0").platform(platform);
    let (arm64, armv7) = (other("linux/arm64"), other("linux/arm/v7"));
    let entries = [Entry::Image(&arm64), Entry::Image(&armv7), Entry::Attestation(&arm64)];
    let index = board.registry().push_index("wallet", "stable", Dialect::Docker, &entries);
    assert_told(&board, "linux/arm/v7");
    let status = wallet.wait_reason("no_platform");
    let message = status["reason"]["message"].as_str().unwrap();
    for word in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
        assert!(message.contains(word), "{message}");
    }
    assert!(!message.contains("unknown"), "attestations are no offers: {message}");
    assert_ne!(status["reason"]["hint"], "");
    assert_eq!(status["state"], "ok", "the app itself is well");
    let id = format!("wallet-{}", &index.digest["sha256:".len()..][..12]);
    assert_eq!(
        (&status["last"]["id"], &status["last"]["outcome"]),
        (&json!(id), &json!("refused"))
    );
    assert_eq!(wallet.container().started_at(), before.started_at());
    assert_eq!(wallet.kept(), kept);
    let lines = wallet.history().len();
    let heads = board.registry().heads("wallet", "stable");
    assert_told(&board, "linux/arm/v7");
    harness::wait_until(harness::SOON, "a look", || {
        board.registry().heads("wallet", "stable") > heads
    });
    wallet.wait("to wait for the next poll", |app| app["next"]["act"] == "poll");
    assert_eq!(wallet.history().len(), lines, "one line a candidate, not a poll");
}

#[test]
fn p5_single_manifest_of_another_platform_is_refused_before_it_is_fetched() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let foreign = start::image("2.0.0").platform("linux/arm64");
    start::push(&board, &foreign);
    assert_told(&board, "linux/arm64");
    let status = wallet.wait_reason("no_platform");
    assert!(status["reason"]["message"].as_str().unwrap().contains("linux/arm64"), "{status:#}");
    assert_eq!(wallet.container().started_at(), before.started_at());
    let layer = digest(&foreign.layer());
    assert_eq!(board.registry().count("GET", &format!("/v2/wallet/blobs/{layer}")), 0);
}

#[test]
fn p5_image_with_an_empty_entry_point_is_refused_before_the_old_one_is_stopped() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let own = (0, 0);
    let empty =
        start::image("2.0.0").file_owned("/nothing", 0o755, own, b"").entrypoint(&["/nothing"]);
    start::push(&board, &empty);
    wallet.update();
    let status = wallet.wait("to refuse it", |app| app["last"]["outcome"] == "refused");
    assert_eq!(status["last"]["reason"]["code"], "not_runnable", "{status:#}");
    assert!(status["last"]["reason"]["message"].as_str().unwrap().contains("/nothing"));
    assert_eq!(status["quarantine"][0]["config"], empty.release().as_str());
    assert_eq!(wallet.container().started_at(), before.started_at());
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]).and_file(2));
}

/// Where the registry keeps a blob's bytes.
fn blob(board: &Board, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    let place =
        format!("registry/storage/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    board.folder().join(place)
}

#[test]
fn p5_manifest_whose_bytes_do_not_have_its_digest_is_refused_and_the_right_one_taken() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let pushed = start::push(&board, &start::image("2.0.0"));
    let path = blob(&board, &pushed.digest);
    let whole = std::fs::read_to_string(&path).unwrap();
    let tampered = whole.replacen("\"schemaVersion\":2", "\"schemaVersion\": 2", 1);
    assert_ne!(whole, tampered);
    std::fs::write(&path, &tampered).unwrap();
    assert_told(&board, &digest(tampered.as_bytes()));
    let status = wallet.wait_reason("digest_mismatch");
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains(&pushed.digest["sha256:".len()..][..12]), "{message}");
    assert_eq!(wallet.container().started_at(), before.started_at());
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    std::fs::write(&path, &whole).unwrap();
    wallet.update();
    wallet.wait_version("2.0.0");
}

#[test]
fn p5_pinned_digest_runs_that_release_whatever_the_tag_says() {
    let board = Board::start();
    let pinned = start::push(&board, &start::image("1.0.0"));
    start::push(&board, &Image::version("9.9.9"));
    let wallet = start::definition(&board).image(&pinned.pinned()).define();
    board.agent().start();
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["current"]["manifest"], pinned.digest.as_str());
    assert!(status["current"]["tag"].is_null());
}
