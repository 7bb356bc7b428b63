//! Over a real Unix socket, byte by byte.

mod client;
mod limits;
mod peers;
mod verbs;

use std::cell::RefCell;

use serde_json::Value;
use titania_core::api::History;
use titania_core::event::{Event, EventType, Level};
use titania_core::reason::Code;
use tokio::io::AsyncReadExt;

use super::*;
use client::{Server, get, on_one_thread, post, until};

fn status() -> Status {
    serde_json::from_str(include_str!("../../../core/samples/status.json")).unwrap()
}

fn event(seq: u64) -> Event {
    let status = status();
    Event {
        schema: 1,
        board: status.board.id,
        seq,
        boot_id: status.board.boot_id,
        at: Timestamp(0),
        clock_synced: true,
        app: None,
        kind: EventType::EngineBack,
        level: Level::Info,
        reason: None,
        release: None,
        update: None,
        text: format!("number {seq}"),
    }
}

#[test]
fn p8_the_status_is_the_document_with_the_time_of_the_answer() {
    on_one_thread(async {
        let server = Server::start(None);
        let before = jiff::Timestamp::now().as_millisecond();
        let answer = get(&server, "/v1/status").await;
        assert_eq!(answer.code, 200);
        assert_eq!(answer.kind, "application/json");
        let document: Status = serde_json::from_slice(&answer.body).unwrap();
        assert!((before..before + 5_000).contains(&document.at.0));
        assert_eq!(Status { at: status().at, ..document }, status());
        let absent: Value = answer.json();
        assert!(absent["apps"][0].as_object().unwrap()["candidate"].is_null());

        server.change(|status| status.clock_synced = false);
        let document: Status =
            serde_json::from_slice(&get(&server, "/v1/status").await.body).unwrap();
        assert!(!document.clock_synced, "a change is seen at once");
    });
}

#[test]
fn an_http_1_0_answer_ends_with_the_connection_and_1_1_keeps_it() {
    on_one_thread(async {
        let server = Server::start(None);
        let mut peer = server.connect().await;
        peer.say(b"GET /v1/apps/tor HTTP/1.0\r\n\r\n").await;
        assert!(peer.rest().await.starts_with(b"HTTP/1.0 200 OK\r\n"));

        let mut peer = server.connect().await;
        for app in ["tor", "wallet"] {
            let request = format!("GET /v1/apps/{app} HTTP/1.1\r\nHost: x\r\n\r\n");
            peer.say(request.as_bytes()).await;
            let answer = peer.answer().await;
            assert_eq!((answer.code, &answer.json()["app"]), (200, &app.into()));
        }
    });
}

#[test]
fn what_is_not_there_is_told_as_a_problem() {
    let apps = "apps: tor, wallet";
    let paths = "/v1/status, /v1/apps/{app}, /v1/history, /v1/events, /v1/requests/{id}; \
                 POST /v1/apps/{app}/{verb}, /v1/adopt";
    let methods = "GET reads, POST uses a verb";
    let cases = [
        ("GET", "/v1/apps/nobody", 404, "unknown_app", "there is no app \"nobody\"", apps),
        ("GET", "/v1/apps/..%2f", 404, "unknown_app", "there is no app \"..%2f\"", apps),
        ("GET", "/v1/apps/", 404, "unknown_app", "there is no app \"\"", apps),
        ("GET", "/", 404, "bad_request", "there is no \"/\"", paths),
        ("GET", "/v2/status", 404, "bad_request", "there is no \"/v2/status\"", paths),
        ("POST", "/v1/status", 405, "bad_request", "POST can't be used here", methods),
        ("GET", "/v1/adopt", 405, "bad_request", "GET can't be used here", methods),
        ("DELETE", "/v1/apps/tor", 405, "bad_request", "DELETE can't be used here", methods),
        ("GET", "/v1/status?x=1", 400, "bad_request", "there is no \"x\" here", ""),
        ("GET", "/v1/history?limit=many", 400, "bad_request", "\"many\" is no limit", ""),
        ("GET", "/v1/history?before=now", 400, "bad_request", "\"now\" is no before", ""),
        ("GET", "/v1/history?app=nobody", 404, "unknown_app", "there is no app \"nobody\"", apps),
        ("GET", "/v1/events?follow=yes", 400, "bad_request", "follow is 0 or 1, not \"yes\"", ""),
        (
            "GET",
            "/v1/requests/7",
            404,
            "bad_request",
            "there is no request \"7\" (any more)",
            "a restart of the agent forgets requests: agentctl history shows what was done",
        ),
        (
            "POST",
            "/v1/apps/tor/dance",
            404,
            "bad_request",
            "there is no \"/v1/apps/tor/dance\"",
            paths,
        ),
        ("POST", "/v1/apps/nobody/stop", 404, "unknown_app", "there is no app \"nobody\"", apps),
    ];
    on_one_thread(async {
        let server = Server::start(None);
        for (method, path, code, word, detail, hint) in cases {
            let request = format!("{method} {path} HTTP/1.0\r\n\r\n");
            let answer = server.ask(request.as_bytes()).await;
            let problem: Problem = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(answer.kind, "application/problem+json", "{path}");
            assert_eq!((answer.code, problem.status), (code, code), "{path}");
            assert_eq!(
                (problem.code.as_str(), problem.detail.as_str(), problem.hint.as_str()),
                (word, detail, hint),
                "{path}"
            );
        }
    });
}

#[test]
fn history_is_asked_for_what_was_asked() {
    on_one_thread(async {
        let server = Server::start(None);
        let line = status().apps[1].last.clone().unwrap();
        server.outcomes.borrow_mut().extend([line.clone(), line.clone(), line]);
        let asked = |path: &'static str| {
            let server = &server;
            async move {
                let answer = get(server, path).await;
                let history: History = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!((answer.code, history.schema), (200, 1));
                (history.outcomes.len(), server.queries.borrow_mut().pop().unwrap())
            }
        };
        let query = |app: Option<&str>, limit, before: Option<i64>| HistoryQuery {
            app: app.map(|app| app.parse().unwrap()),
            limit,
            before: before.map(Timestamp),
        };
        assert_eq!(asked("/v1/history").await, (3, query(None, 50, None)));
        assert_eq!(
            asked("/v1/history?app=wallet&limit=2&before=1970-01-01T00:00:01Z").await,
            (2, query(Some("wallet"), 2, Some(1000)))
        );
        assert_eq!(asked("/v1/history?limit=100000").await.1.limit, 1000);
        *server.history_fails.borrow_mut() = true;
        let answer = get(&server, "/v1/history").await;
        assert_eq!((answer.code, &answer.json()["code"]), (500, &Code::DiskLow.word().into()));
    });
}

#[test]
fn events_are_told_after_a_number_and_as_they_come() {
    on_one_thread(async {
        let server = Server::start(None);
        assert_eq!(get(&server, "/v1/events").await.body, b"");
        for seq in [3, 4, 9] {
            server.events.push(&event(seq));
        }
        let numbers = |body: &[u8]| -> Vec<u64> {
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice::<Event>(line).unwrap().seq).collect()
        };
        let answer = get(&server, "/v1/events?after=3").await;
        assert_eq!(
            (answer.kind.as_str(), numbers(&answer.body)),
            ("application/x-ndjson", vec![4, 9])
        );

        let mut follower = server.connect().await;
        follower.say(b"GET /v1/events?after=4&follow=1 HTTP/1.0\r\n\r\n").await;
        let first = follower.until(b"\"number 9\"}\n").await;
        assert!(!first.windows(10).any(|bytes| bytes == b"\"number 4\""));
        server.events.push(&event(10));
        follower.until(b"\"number 10\"}\n").await;
    });
}

#[test]
fn the_ring_of_events_is_bounded() {
    on_one_thread(async {
        let server = Server::start(None);
        for seq in 1..=201 {
            server.events.push(&event(seq));
        }
        let answer = get(&server, "/v1/events").await;
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(text.lines().count(), 200);
        assert!(text.starts_with(&serde_json::to_string(&event(2)).unwrap()));
        let long = Event { text: "x".repeat(25_000), ..event(202) };
        for seq in 202..=204 {
            server.events.push(&Event { seq, ..long.clone() });
        }
        let answer = get(&server, "/v1/events").await;
        assert_eq!(String::from_utf8(answer.body).unwrap().lines().count(), 2);
    });
}
