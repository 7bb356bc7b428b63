//! Which image of an index is taken, and what is said where there is none.

use titania_core::reason::{Class, Code};
use titania_core::time::Timestamp;

use super::fake::{AMD, ARM, Fake, RISC};
use super::*;

const HEAD: &str = "HEAD /v2/app/manifests/1.0.0";

#[tokio::test]
async fn an_index_without_a_match_lists_what_it_has() {
    let fake = Fake::start();
    let index = fake.put(|store| {
        let amd = store.image(AMD, "a");
        let risc = store.image(RISC, "r");
        let proof = store.image(("unknown", "unknown", ""), "p");
        let index = store.index(&[
            (Some(AMD), &amd),
            (Some(RISC), &risc),
            (Some(("unknown", "unknown", "")), &proof),
        ]);
        store.tag("1.0.0", &index);
        index
    });
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let failure = board.tag(host, "1.0.0").await.expect_err("no arm there");
    assert!(failure.refuses());
    assert_eq!(failure.release.index, Some(index.digest));
    assert_eq!(failure.release.tag.as_deref(), Some("1.0.0"));
    let reason = failure.error.reason(Timestamp(0));
    assert_eq!((reason.code, reason.class), (Code::NoPlatform, Class::Release));
    assert_eq!(
        reason.message,
        format!(
            "{host}/app:1.0.0 has no image for linux/arm/v7; it offers linux/amd64, linux/riscv64"
        )
    );
    assert!(reason.hint.contains("apps.d/<app>.toml"), "{}", reason.hint);
    fake.server.take();
    board.next();
    assert_eq!(board.tag(host, "1.0.0").await.expect_err("still"), failure);
    assert_eq!(fake.server.take(), [HEAD], "a refusal is remembered until the tag moves");
}

#[tokio::test]
async fn a_single_manifest_for_another_board_says_what_it_is_for() {
    let fake = Fake::start();
    let image = fake.put(|store| {
        let image = store.image(AMD, "a");
        store.tag("1.0.0", &image);
        image
    });
    let host = &fake.server.authority;
    let failure = Board::of(host).tag(host, "1.0.0").await.expect_err("amd64");
    assert!(failure.refuses());
    assert_eq!(
        failure.release.config, image.config,
        "a refusal names the config where it is known"
    );
    assert_eq!(failure.release.manifest, Some(image.digest));
    assert_eq!(failure.release.index, None);
    assert_eq!(
        failure.to_string(),
        format!("{host}/app:1.0.0 has no image for linux/arm/v7; it offers linux/amd64")
    );
}

#[tokio::test]
async fn nested_indexes_are_followed_three_deep_and_no_deeper() {
    let fake = Fake::start();
    fake.put(|store| {
        let arm = store.image(ARM, "n");
        let amd = store.image(AMD, "x");
        let mut index = store.index(&[(Some(AMD), &amd), (Some(ARM), &arm)]);
        for tag in ["two", "three", "four"] {
            index = store.index(&[(Some(AMD), &amd), (None, &index)]);
            store.tag(tag, &index);
        }
    });
    let host = &fake.server.authority;
    let board = Board::of(host);
    for tag in ["two", "three"] {
        let found = board.tag(host, tag).await.expect(tag);
        assert_eq!(found.facts.env, ["MARK=n"], "{tag}");
    }
    let failure = board.tag(host, "four").await.expect_err("too deep");
    assert!(matches!(failure.error, RegistryError::TooDeep { limit: 3, .. }), "{failure:?}");
    assert!(failure.refuses());
}

#[tokio::test]
async fn entries_without_a_platform_are_told_apart_by_their_configs() {
    let fake = Fake::start();
    fake.put(|store| {
        let amd = store.image(AMD, "x");
        let arm = store.image(ARM, "bare");
        let index = store.index(&[(None, &amd), (None, &arm)]);
        store.tag("both", &index);
        let index = store.index(&[(None, &amd)]);
        store.tag("other", &index);
    });
    let host = &fake.server.authority;
    let board = Board::of(host);
    let found = board.tag(host, "both").await.expect("resolved");
    assert_eq!(found.facts.env, ["MARK=bare"]);
    assert_eq!(found.release.platform.as_deref(), Some("linux/arm/v7"));
    assert_eq!(
        board.error(host, "other").await.to_string(),
        format!("{host}/app:other has no image for linux/arm/v7; it offers linux/amd64")
    );
}

#[tokio::test]
async fn an_entry_whose_config_says_otherwise_is_taken_and_told() {
    let fake = Fake::start();
    fake.put(|store| {
        let wrong = store.image(AMD, "w");
        let index = store.index(&[(Some(ARM), &wrong)]);
        store.tag("1", &index);
    });
    let host = &fake.server.authority;
    let found = Board::of(host).tag(host, "1").await.expect("no proof");
    assert!(
        found.platform_reason.ends_with("; its own config says linux/amd64"),
        "{}",
        found.platform_reason
    );
}
