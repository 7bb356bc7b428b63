//! Tag → index → manifest → config, and how many requests that takes.

use titania_core::reason::{Class, Code};
use titania_core::release::Source;
use titania_core::time::Timestamp;

use super::fake::{AMD, ARM, Fake, Store};
use super::*;

/// Lines of requests with digests left out.
fn short(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| match line.split_once("sha256:") {
            Some((before, _)) => format!("{before}#"),
            None => line,
        })
        .collect()
}

const HEAD: &str = "HEAD /v2/app/manifests/1.0.0";
const BY_DIGEST: &str = "GET /v2/app/manifests/#";
const BLOB: &str = "GET /v2/app/blobs/#";

fn two_boards(store: &mut Store, arm: &str, amd: &str) -> (super::fake::Put, super::fake::Put) {
    let arm = store.image(ARM, arm);
    let amd = store.image(AMD, amd);
    let index = store.index(&[(Some(AMD), &amd), (Some(ARM), &arm)]);
    store.tag("1.0.0", &index);
    (index, arm)
}

#[tokio::test]
async fn a_tag_is_followed_to_the_image_for_this_board() {
    let fake = Fake::start();
    let (index, arm) = fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let found = Board::of(host).tag(host, "1.0.0").await.expect("resolved");
    let release = &found.release;
    assert_eq!(release.repository, Some(format!("{host}/app")));
    assert_eq!(release.tag.as_deref(), Some("1.0.0"));
    assert_eq!(release.version.as_deref(), Some("1.0.0"), "the tag is a version");
    assert_eq!(release.config, arm.config);
    assert_eq!(release.manifest, Some(arm.digest));
    assert_eq!(release.index, Some(index.digest));
    assert_eq!(release.platform.as_deref(), Some("linux/arm/v7"));
    assert_eq!(release.created, "2026-11-23T21:00:00Z".parse::<Timestamp>().ok());
    assert_eq!(release.download_bytes, Some(1000));
    assert_eq!(release.source, Source::Registry);
    assert_eq!(found.facts.user, "app");
    assert_eq!(found.facts.volumes, ["/data"]);
    assert_eq!(found.facts.env, ["MARK=a"]);
    assert_eq!(found.layers.len(), 1);
    assert_eq!(found.layers[0].size, 1000);
    assert!(found.platform_reason.contains("linux/arm/v7"), "{}", found.platform_reason);
    assert_eq!(short(fake.server.take()), [HEAD, BY_DIGEST, BY_DIGEST, BLOB]);
    assert_eq!(fake.server.requests().len(), 0);
}

#[tokio::test]
async fn a_tag_that_did_not_move_costs_one_head_on_a_kept_connection() {
    let fake = Fake::start();
    fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let first = board.tag(host, "1.0.0").await.expect("resolved");
    fake.server.take();
    for _ in 0..3 {
        board.next();
        let again = board.tag(host, "1.0.0").await.expect("resolved");
        assert_eq!(again, first);
    }
    let requests = fake.server.requests();
    assert!(requests.iter().all(|request| request.connection == 0));
    assert_eq!(fake.server.take(), [HEAD, HEAD, HEAD]);
    let head = &requests[0];
    assert_eq!(head.header("accept"), titania_core::oci::ACCEPT);
    assert_eq!(head.header("user-agent"), format!("titania-agent/{}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn several_apps_on_one_tag_ask_once_a_round() {
    let fake = Fake::start();
    fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let board = Board::of(host);
    let (one, two, three) =
        tokio::join!(board.tag(host, "1.0.0"), board.tag(host, "1.0.0"), board.tag(host, "1.0.0"));
    assert_eq!(one, two);
    assert_eq!(two, three);
    assert!(one.is_ok());
    assert_eq!(fake.server.take().len(), 4);
}

#[tokio::test]
async fn an_index_that_moved_for_others_is_noted_and_nothing_else_is_fetched() {
    let fake = Fake::start();
    let (old, arm) = fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let first = board.tag(host, "1.0.0").await.expect("resolved");
    assert_eq!(first.index_before, None);
    fake.server.take();
    let (new, _) = fake.put(|store| two_boards(store, "a", "another"));
    board.next();
    let second = board.tag(host, "1.0.0").await.expect("resolved");
    assert_eq!(short(fake.server.take()), [HEAD, BY_DIGEST]);
    assert!(second.release.is(&first.release));
    assert_eq!(second.release.index, Some(new.digest));
    assert_eq!(second.release.manifest, Some(arm.digest));
    assert_eq!(second.index_before, Some(old.digest));
    assert_eq!(second.facts, first.facts);
}

#[tokio::test]
async fn a_tag_that_moved_is_another_release() {
    let fake = Fake::start();
    fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let first = board.tag(host, "1.0.0").await.expect("resolved");
    fake.put(|store| two_boards(store, "c", "b"));
    board.next();
    let second = board.tag(host, "1.0.0").await.expect("resolved");
    assert!(!second.release.is(&first.release));
    assert_eq!(second.facts.env, ["MARK=c"]);
    assert_eq!(second.index_before, None);
}

#[tokio::test]
async fn a_docker_list_and_single_manifests_of_both_kinds_are_taken() {
    let fake = Fake::start();
    fake.put(|store| {
        let image = store.docker_image(ARM, "d");
        let list = store.docker_list(&[(Some(ARM), &image)]);
        store.tag("list", &list);
        store.tag("docker", &image);
        let image = store.image(ARM, "o");
        store.tag("oci", &image);
    });
    let host = &fake.server.authority;
    let board = Board::of(host);
    for (tag, mark, index) in [("list", "d", true), ("docker", "d", false), ("oci", "o", false)] {
        let found = board.tag(host, tag).await.expect(tag);
        assert_eq!(found.facts.env, [format!("MARK={mark}")], "{tag}");
        assert_eq!(found.release.index.is_some(), index, "{tag}");
        assert_eq!(found.release.platform.as_deref(), Some("linux/arm/v7"), "{tag}");
        assert_eq!(found.release.version, None, "{tag} is no version");
    }
}

#[tokio::test]
async fn a_pinned_digest_is_asked_for_once() {
    let fake = Fake::start();
    let (index, arm) = fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let image = format!("{host}/app@{}", index.digest);
    let found = board.resolve(&image, &Track::Pinned).await.expect("resolved");
    assert_eq!(found.release.config, arm.config);
    assert_eq!(found.release.tag, None);
    assert_eq!(short(fake.server.take()), [BY_DIGEST, BY_DIGEST, BLOB]);
    board.next();
    assert_eq!(board.resolve(&image, &Track::Pinned).await, Ok(found));
    assert_eq!(fake.server.take().len(), 0);
    let image = format!("{host}/app");
    let failure = board.resolve(&image, &Track::Pinned).await.expect_err("no digest");
    assert_eq!(failure.error, RegistryError::NoReference { image });
}

#[tokio::test]
async fn semver_takes_the_highest_of_all_pages_and_asks_no_more_than_needed() {
    let fake = Fake::start();
    fake.put(|store| {
        let old = store.image(ARM, "old");
        let new = store.image(ARM, "new");
        for minor in 0..2500 {
            store.tag(&format!("0.{minor}.0"), &old);
        }
        store.tag("v1.2.3", &new);
        store.tag("2.0.0", &old);
        store.tag("latest", &old);
    });
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let image = format!("{host}/app");
    let found = board.resolve(&image, &range(">=0.3, <2")).await.expect("resolved");
    assert_eq!(found.release.tag.as_deref(), Some("v1.2.3"));
    assert_eq!(found.facts.env, ["MARK=new"]);
    fake.server.take();
    board.next();
    // Another range over the same repository shares the list.
    board.resolve(&image, &range(">=0.3, <2")).await.expect("resolved");
    let other = board.resolve(&image, &range(">=2")).await.expect("resolved");
    assert_eq!(other.release.tag.as_deref(), Some("2.0.0"));
    let lines = fake.server.take();
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("GET /v2/app/tags/list?"), 3, "{lines:?}");
    assert_eq!(count("HEAD /v2/app/manifests/v1.2.3"), 1, "{lines:?}");
    board.registries.rest();
    let failure = board.resolve(&image, &range(">=3")).await.expect_err("none");
    assert_eq!(
        failure.to_string(),
        format!("none of the 2503 tags of {host}/app is a version within \">=3\"")
    );
    assert!(!failure.refuses());
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_digest_are_refused_wherever_they_come() {
    let fake = Fake::start();
    let host = &fake.server.authority;
    let (index, arm) = fake.put(|store| two_boards(store, "a", "b"));
    let config = arm.config.expect("an image has one");
    for place in ["index", "manifest", "config"] {
        fake.put(|store| {
            two_boards(store, "a", "b");
            match place {
                "index" => store.spoil(&index, b"{\"manifests\":[]}"),
                "manifest" => store.spoil(&arm, b"{}"),
                _ => store.spoil_blob(&config, b"{\"rootfs\":{}}"),
            }
        });
        let failure = Board::of(host).tag(host, "1.0.0").await.expect_err(place);
        let RegistryError::DigestMismatch { wanted, .. } = &failure.error else {
            panic!("{place}: {failure:?}");
        };
        let expected = match place {
            "index" => index.digest,
            "manifest" => arm.digest,
            _ => config,
        };
        assert_eq!(*wanted, expected, "{place}");
        assert!(failure.refuses(), "{place}");
        let reason = failure.error.reason(Timestamp(0));
        assert_eq!((reason.code, reason.class), (Code::DigestMismatch, Class::Environment));
        assert!(reason.message.contains(&expected.to_string()), "{}", reason.message);
    }
}

#[tokio::test]
async fn a_registry_that_names_no_digest_or_takes_no_head_is_read_by_tag() {
    for head in [200, 405] {
        let fake = Fake::bent(move |request| {
            (request.method == "HEAD").then(|| super::server::Reply::new(head, ""))
        });
        fake.put(|store| {
            let image = store.image(ARM, "plain");
            store.tag("1", &image);
        });
        let host = &fake.server.authority;
        let mut board = Board::of(host);
        let first = board.tag(host, "1").await.expect("resolved");
        assert_eq!(first.facts.env, ["MARK=plain"]);
        fake.server.take();
        board.next();
        assert_eq!(board.tag(host, "1").await, Ok(first));
        assert_eq!(fake.server.take(), ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_refuses_nothing() {
    let fake = Fake::start();
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let failure = board.tag(host, "gone").await.expect_err("no such tag");
    assert_eq!(failure.to_string(), format!("{host}/app:gone does not exist"));
    assert!(!failure.refuses());
    assert_eq!(failure.error.reason(Timestamp(0)).code, Code::ImageMissing);
    assert_eq!(board.registries.not_before(host), None, "the registry itself is well");
    // A tag that comes back is found again.
    fake.put(|store| two_boards(store, "a", "b"));
    assert!(board.tag(host, "1.0.0").await.is_ok());
    fake.put(|store| store.untag("1.0.0"));
    board.next();
    assert!(board.tag(host, "1.0.0").await.is_err());
    fake.put(|store| two_boards(store, "a", "b"));
    board.next();
    assert!(board.tag(host, "1.0.0").await.is_ok());
}

#[tokio::test]
async fn a_release_that_may_be_needed_again_is_looked_for_with_one_head() {
    let fake = Fake::start();
    let (_, arm) = fake.put(|store| two_boards(store, "a", "b"));
    let host = &fake.server.authority;
    let board = Board::of(host);
    let reference: Reference = format!("{host}/app").parse().expect("a reference");
    let ask = |digest| board.registries.exists(&reference.repository, digest, board.now);
    assert_eq!(ask(&arm.digest).await, Ok(true));
    let other = titania_core::digest::Digest::of(b"never pushed");
    assert_eq!(ask(&other).await, Ok(false));
    let lines = fake.server.take();
    assert!(lines.iter().all(|line| line.starts_with("HEAD ")), "{lines:?}");
    assert_eq!(lines.len(), 2);
}
