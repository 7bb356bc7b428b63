//! What a peer may do to the server: nothing that others notice.

use std::time::Instant;

use super::super::server::{CONNECTIONS_OF_A_USER_MAX, HEAD_BYTES_MAX};
use super::super::verb::BODY_BYTES_MAX;
use super::*;

#[test]
fn p10_a_head_a_body_or_a_header_too_many_is_refused() {
    let header = |bytes: usize| {
        let head = "GET /v1/status HTTP/1.0\r\nX: ";
        let fill = "x".repeat(bytes - head.len() - 4);
        format!("{head}{fill}\r\n\r\n").into_bytes()
    };
    let headers = |count: usize| {
        let lines: String = (0..count).map(|n| format!("X{n}: y\r\n")).collect();
        format!("GET /v1/status HTTP/1.0\r\n{lines}\r\n").into_bytes()
    };
    let body = |bytes: usize| {
        let fill = " ".repeat(bytes - 2);
        post("/v1/apps/tor/stop", &format!("{fill}[]"))
    };
    let path = |bytes: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(bytes)).into_bytes();
    let cases: [(&str, Vec<u8>, &[u16]); 10] = [
        ("a head at the limit", header(HEAD_BYTES_MAX - 1), &[200]),
        ("a head past it", header(HEAD_BYTES_MAX + 2), &[431]),
        ("headers at the limit", headers(32), &[200]),
        ("one header more", headers(33), &[431]),
        ("a body at the limit", body(BODY_BYTES_MAX), &[400]),
        ("a body past it", body(BODY_BYTES_MAX + 1), &[413]),
        ("a path of 7 KB", path(7000), &[404]),
        ("a path of 70 KB", path(70_000), &[414, 431]),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400]),
        (
            "a body that claims to be endless",
            b"POST /v1/apps/tor/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec(),
            &[400, 413, 431],
        ),
    ];
    on_one_thread(async {
        let server = Server::start(None);
        for (case, request, codes) in cases {
            let mut peer = server.connect().await;
            peer.say(&request).await;
            let answer = client::Answer::of(&peer.until(b"\r\n\r\n").await);
            assert!(codes.contains(&answer.code), "{case}: {}", answer.code);
            assert_eq!(get(&server, "/v1/apps/tor").await.code, 200, "after {case}");
        }
        assert!(server.commands.borrow_mut().try_recv().is_err());
    });
}

#[test]
fn p10_a_peer_that_is_slow_is_left_after_its_time() {
    on_one_thread(async {
        let server = Server::start(None);
        let begun = Instant::now();
        let mut silent = server.connect().await;
        let mut half = server.connect().await;
        half.say(b"GET /v1/status HT").await;
        let mut bodiless = server.connect().await;
        bodiless
            .say(b"POST /v1/apps/tor/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            .await;
        let (silent, half, bodiless) =
            tokio::join!(silent.rest(), half.rest(), bodiless.until(b"\r\n\r\n"));
        let seconds = begun.elapsed().as_secs_f64();
        assert!((4.5..15.0).contains(&seconds), "{seconds} s");
        assert_eq!(client::Answer::of(&bodiless).code, 408);
        for (case, bytes) in [("silent", silent), ("half a head", half)] {
            assert!(bytes.is_empty() || client::Answer::of(&bytes).code == 408, "{case}");
        }
    });
}

#[test]
fn p10_one_user_can_hold_so_many_connections_and_gives_them_back() {
    on_one_thread(async {
        let server = Server::start(None);
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_OF_A_USER_MAX {
            let mut peer = server.connect().await;
            peer.say(b"GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
            peer.until(b"\r\n\r\n").await;
            held.push(peer);
        }
        let mut one_more = server.connect().await;
        one_more.say(b"GET /v1/status HTTP/1.0\r\n\r\n").await;
        assert_eq!(one_more.rest().await, b"", "hung up on");
        held.pop();
        until("a free place", async {
            loop {
                let mut peer = server.connect().await;
                peer.say(b"GET /v1/status HTTP/1.0\r\n\r\n").await;
                if !peer.rest().await.is_empty() {
                    return;
                }
            }
        })
        .await;
    });
}

#[test]
fn p10_the_status_answers_while_others_follow_and_do_not_read() {
    on_one_thread(async {
        let server = Server::start(None);
        let mut deaf = Vec::new();
        for _ in 0..8 {
            let mut peer = server.connect().await;
            peer.say(b"GET /v1/events?follow=1 HTTP/1.0\r\n\r\n").await;
            deaf.push(peer);
        }
        let long = Event { text: "x".repeat(60_000), ..event(0) };
        for seq in 1..=200 {
            server.events.push(&Event { seq, ..long.clone() });
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(get(&server, "/v1/status").await.code, 200);
        }
        assert!(begun.elapsed().as_secs_f64() < 1.0);
    });
}

#[test]
fn a_writer_that_is_not_read_gives_up() {
    use tokio::io::AsyncWriteExt;
    on_one_thread(async {
        let (near, _far) = tokio::net::UnixStream::pair().unwrap();
        let patience = std::time::Duration::from_millis(100);
        let mut near = super::super::stream::Hurried::new(near, patience);
        let endless = async {
            loop {
                if let Err(error) = near.write_all(&[0; 65536]).await {
                    return error;
                }
            }
        };
        let error = until("the end of patience", endless).await;
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    });
}
