//! Servers that send too much, too little, too slowly, or nonsense: each has an end, and a message.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use titania_core::digest::Digest;
use titania_core::oci::{DOCUMENT_BYTES_MAX, OciError};

use super::fake::{ARM, Fake};
use super::server::{Reply, Request, Server};
use super::*;

/// Answers each HEAD of a manifest with a digest, and each GET as `get` says.
fn instead(get: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        if request.method == "HEAD" {
            let digest = Digest::of(b"something else").to_string();
            return Reply::new(200, "").with("docker-content-digest", digest);
        }
        get(request)
    })
}

const HUGE: u64 = 200 * 1024 * 1024;

/// Writes until the other side gives up, or all is out; tells how much went.
fn flood(stream: &mut TcpStream, chunked: bool, sent: &AtomicU64) {
    let piece = [b' '; 64 * 1024];
    while sent.load(Ordering::SeqCst) < HUGE {
        let mut bytes = Vec::new();
        if chunked {
            bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        }
        bytes.extend_from_slice(&piece);
        if chunked {
            bytes.extend_from_slice(b"\r\n");
        }
        if stream.write_all(&bytes).is_err() {
            return;
        }
        sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_manifest_of_200_mb_is_given_up_at_the_limit_or_before_its_first_byte() {
    for (announced, most) in [(true, 4 << 20), (false, 16 << 20)] {
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let server = instead(move |_| {
            let sent = Arc::clone(&counter);
            Reply::act(move |stream| {
                let length = if announced {
                    format!("content-length: {HUGE}")
                } else {
                    "transfer-encoding: chunked".to_owned()
                };
                let _ = write!(stream, "HTTP/1.1 200 x\r\n{length}\r\n\r\n");
                flood(stream, !announced, &sent);
            })
        });
        let host = &server.authority;
        let board = Board::of(host);
        let failure = board.tag(host, "1").await.expect_err("too large");
        let RegistryError::TooLarge { limit, .. } = failure.error else {
            panic!("{failure:?}");
        };
        assert_eq!(limit, DOCUMENT_BYTES_MAX);
        assert!(failure.refuses());
        assert_eq!(board.registries.not_before(host), None);
        // What went is what the kernel buffers, and the limit where it was not announced.
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent <= most, "announced {announced}: {sent} bytes went");
    }
}

#[tokio::test]
async fn a_manifest_nested_a_thousand_deep_is_refused_by_its_depth() {
    let fake = Fake::start();
    fake.put(|store| {
        let nested = format!("{{\"manifests\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        let put = store.document("application/json", nested);
        store.tag("1", &put);
    });
    let host = &fake.server.authority;
    let failure = Board::of(host).tag(host, "1").await.expect_err("too deep");
    assert!(failure.refuses());
    assert!(
        matches!(
            failure.error,
            RegistryError::Malformed { error: OciError::TooDeep { limit: 64 }, .. }
        ),
        "{failure:?}"
    );
    assert!(
        failure.to_string().ends_with("can't be read: JSON nested more than 64 deep"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_body_that_ends_early_is_asked_for_once_more_and_then_a_broken_connection() {
    let server = instead(|_| {
        Reply::act(|stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{\"manif");
        })
    });
    let host = &server.authority;
    let error = Board::of(host).error(host, "1").await;
    assert!(
        matches!(&error, RegistryError::Unreachable { cause: NoAnswer::Broken, .. }),
        "{error:?}"
    );
    assert_eq!(server.take().len(), 3, "one HEAD, two GETs");
}

#[tokio::test]
async fn a_body_that_ends_early_once_does_no_harm() {
    let first = AtomicU64::new(0);
    let fake = Fake::bent(move |request| {
        let early = request.method == "GET" && first.fetch_add(1, Ordering::SeqCst) == 0;
        early.then(|| {
            Reply::act(|stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{");
            })
        })
    });
    fake.put(|store| {
        let image = store.image(ARM, "a");
        store.tag("1", &image);
    });
    let host = &fake.server.authority;
    assert!(Board::of(host).tag(host, "1").await.is_ok());
}

/// One byte now and then, for ever.
fn drip(stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 100000\r\n\r\n");
    let pace = Some(HASTY.stall / 10);
    stream.set_read_timeout(pace).expect("a pace");
    // A read that times out is the pace; one that ends is the client gone.
    while !matches!(stream.read(&mut [0u8; 1]), Ok(0)) {
        if stream.write_all(b" ").is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn silence_and_dripping_end_at_their_time() {
    type Stall = (&'static str, fn() -> Reply, &'static str);
    let stalls: [Stall; 3] = [
        ("headers", || Reply::silence(b"HTTP/1.1 200"), "headers"),
        ("body", || Reply::silence(b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\n{"), "next piece"),
        ("drip", || Reply::act(drip), "whole body"),
    ];
    for (case, reply, what) in stalls {
        let server = instead(move |_| reply());
        let host = &server.authority;
        let board = Board::with(&[plain(host)], HASTY);
        let begun = Instant::now();
        let error = board.error(host, "1").await;
        let RegistryError::Unreachable { cause: NoAnswer::Timeout, text, .. } = &error else {
            panic!("{case}: {error:?}");
        };
        assert!(text.contains(what), "{case}: {text}");
        assert!(begun.elapsed() < PATIENT.header, "{case}: {:?}", begun.elapsed());
        assert!(board.registries.not_before(host).is_some(), "{case}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_said_to_be_none() {
    let server = Server::start(|_| {
        Reply::act(|stream| {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        })
    });
    let host = &server.authority;
    let error = Board::of(host).error(host, "1").await;
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error:?}");
    assert!(error.hint().contains("is a registry"), "{}", error.hint());
}

#[tokio::test]
async fn a_web_page_instead_of_a_manifest_is_no_manifest() {
    let page = "<!DOCTYPE html><title>Sign in to the hotel's network</title>";
    let server = Server::start(move |_| Reply::new(200, page).with("content-type", "text/html"));
    let host = &server.authority;
    let failure = Board::of(host).tag(host, "1").await.expect_err("a page");
    assert!(
        matches!(failure.error, RegistryError::Malformed { error: OciError::Json { .. }, .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_tag_list_without_end_has_one() {
    let server = Server::start(|request| {
        let count = request.target.len();
        Reply::new(200, "{\"tags\":[\"a\"]}")
            .with("link", format!("</v2/app/tags/list?last={}>; rel=\"next\"", "x".repeat(count)))
    });
    let host = &server.authority;
    let failure =
        Board::of(host).resolve(&format!("{host}/app"), &range("1")).await.expect_err("no end");
    assert!(matches!(failure.error, RegistryError::TooLarge { .. }), "{failure:?}");
    assert!(!failure.refuses(), "a list refuses no release");
    assert!(server.take().len() <= 100);
}

#[tokio::test]
async fn a_tag_list_that_leads_elsewhere_is_not_followed() {
    let elsewhere = Server::start(|_| Reply::new(200, "{\"tags\":[\"1.0.0\"]}"));
    let target = elsewhere.authority.clone();
    let server = Server::start(move |_| {
        Reply::new(200, "{\"tags\":[\"0.1.0\"]}")
            .with("link", format!("<http://{target}/v2/app/tags/list?n=1>; rel=\"next\""))
    });
    let host = &server.authority;
    let failure = Board::of(host)
        .resolve(&format!("{host}/app"), &range(">=1"))
        .await
        .expect_err("not there");
    assert!(matches!(failure.error, RegistryError::NoTag { tags: 1, .. }), "{failure:?}");
    assert_eq!(elsewhere.take().len(), 0);
}

#[tokio::test]
async fn a_server_that_hangs_up_after_each_answer_is_asked_on_a_new_connection() {
    let digest = Arc::new(std::sync::OnceLock::new());
    let named = Arc::clone(&digest);
    let fake = Fake::bent(move |request| {
        let digest: Digest = *named.get().expect("an image was put in");
        (request.method == "HEAD").then(|| {
            Reply::act(move |stream| {
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 x\r\ncontent-length: 0\r\ndocker-content-digest: {digest}\r\n\r\n"
                );
            })
        })
    });
    let image = fake.put(|store| store.image(ARM, "a"));
    digest.set(image.digest).expect("set once");
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    for _ in 0..5 {
        board.tag(host, "1").await.expect("resolved");
        board.next();
    }
}
