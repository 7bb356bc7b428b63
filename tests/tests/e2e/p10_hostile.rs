//! P10: what a registry sends is hostile until checked: bounded in size, depth and time.

use crate::start;
use harness::{Board, Hostile, Kept, Reply, SOON, digest, wait_until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// Port of the hostile registry.
const PORT: u16 = 5666;
/// Most memory of the agent, in KiB.
const MEMORY_KIB_MAX: u64 = 64 * 1024;
/// Longest time for the status document.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);
/// What 200 MB are.
const HUGE_BYTES: u64 = 200_000_000;
/// Media type of the manifests here.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn nested(depth: usize) -> Vec<u8> {
    let head =
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","a":"#;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    [&head[..], open.as_bytes(), close.as_bytes(), b"}"].concat()
}

/// Answers for each repository by its name.
fn answer(_method: &str, target: &str) -> Reply {
    let deep = nested(1000);
    if target.starts_with("/v2/huge/tags/") {
        return Reply::of("application/json", &b"{\"name\":\"huge\",\"tags\":[\"1.0.0\""[..])
            .padded(HUGE_BYTES);
    }
    if target.starts_with("/v2/huge/") {
        let claimed = digest(b"another");
        return Reply::of(MANIFEST, &b"{"[..])
            .header("Docker-Content-Digest", &claimed)
            .padded(HUGE_BYTES);
    }
    if target.starts_with("/v2/deep/") {
        let own = digest(&deep);
        return Reply::of(MANIFEST, deep).header("Docker-Content-Digest", &own);
    }
    if target.starts_with("/v2/refusal/") {
        return Reply::of("application/json", &b"{\"errors\":"[..]).status(404).padded(HUGE_BYTES);
    }
    Reply::of("text/plain", &b"nothing here"[..]).status(404)
}

/// The status document came in time; returns the app's part.
fn in_time(board: &Board, app: &str) -> Value {
    let begun = Instant::now();
    let found = board.agent().app(app);
    let passed = begun.elapsed();
    assert!(passed < ANSWER_TIME_MAX, "status took {passed:?}");
    found
}

#[test]
fn p10_hostile_registry_costs_neither_memory_nor_time_nor_the_other_apps() {
    let board = Board::start();
    let hostile = Hostile::start(PORT, answer);
    let host = hostile.host();
    board.agent().settings(|toml| {
        toml.push("registry", json!({"host": host, "plain_http": true}));
    });
    let wallet = start::installed(&board);
    let before = wallet.container();
    for name in ["huge", "deep", "refusal"] {
        board.app(name).image(&format!("{host}/{name}:latest")).define();
    }
    board.app("tags").image(&format!("{host}/huge")).semver(">=1").define();
    board.agent().reload();
    for name in ["huge", "deep", "refusal", "tags"] {
        let app = wait_until(SOON, "a reason that names the registry", || {
            let app = in_time(&board, name);
            let is_told =
                app["reason"]["message"].as_str().is_some_and(|text| text.contains(&host));
            if is_told { Ok(app) } else { Err(format!("{app:#}")) }
        });
        assert!(app["container"].is_null(), "{name}");
        let message = app["reason"]["message"].as_str().unwrap();
        assert!(message.len() < 1000, "{name}: a bounded message");
        assert_ne!(app["reason"]["hint"], "", "{name}: {app:#}");
    }
    let sent = hostile.sent_bytes();
    assert!(sent < HUGE_BYTES / 4, "{sent} bytes were taken");
    assert!(!hostile.asked().is_empty());
    let peak = board.agent().peak_kib();
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB at most");
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.container().started_at(), before.started_at());
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
}

#[test]
fn p10_agent_listens_on_no_port_and_its_socket_is_for_root_and_a_group() {
    let board = Board::start();
    start::installed(&board);
    let id = board.agent().pid().unwrap();
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{id}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let text = link.to_string_lossy().into_owned();
            Some(text.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    assert!(!sockets.is_empty(), "it has its control socket");
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default();
        for row in text.lines().skip(1) {
            let words: Vec<&str> = row.split_whitespace().collect();
            let (remote, state, inode) = (words[2], words[3], words[9]);
            let listens = state == "0A" || (table.starts_with("udp") && remote.ends_with(":0000"));
            let own = sockets.iter().any(|one| one == inode);
            assert!(!(own && listens), "{table}: {row}");
        }
    }
    let socket = std::fs::metadata(board.agent().socket()).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
}

#[test]
fn p10_garbage_on_the_control_socket_is_answered_or_hung_up_and_costs_no_memory() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let huge = "x".repeat(1024 * 1024);
    let kinds: [(&str, String, Value); 4] = [
        ("GET", format!("/v1/{huge}"), Value::Null),
        ("POST", "/v1/apps/wallet/update".to_owned(), json!({"x": huge})),
        ("POST", "/v1/apps/wallet/rollback".to_owned(), json!({"no-such-flag": true})),
        ("DELETE", "/v1/status".to_owned(), Value::Null),
    ];
    for (method, target, body) in kinds {
        if let Ok(answer) = board.agent().ask(method, &target, &body) {
            assert!((400..500).contains(&answer.status), "{method}: {}", answer.status);
        }
        assert_eq!(in_time(&board, "wallet")["app"], "wallet");
    }
    let peak = board.agent().peak_kib();
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB at most");
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]));
}
