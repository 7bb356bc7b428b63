//! agentctl as a program: what it says, where, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const WELL: &str = include_str!("../../core/samples/status.json");
const UNKNOWN: &str = r#"{"title":"Unknown app","status":404,"detail":"there is no app \"nobody\"","code":"unknown_app","hint":"apps: tor, wallet"}"#;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("agentctl-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, PartialEq)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// The program; where it is another kind of board's (`cross test`), by what cargo runs tests with.
fn agentctl() -> Command {
    let target = match std::env::consts::ARCH {
        "arm" => "ARMV7_UNKNOWN_LINUX_GNUEABIHF",
        "aarch64" => "AARCH64_UNKNOWN_LINUX_GNU",
        _ => "X86_64_UNKNOWN_LINUX_GNU",
    };
    let program = env!("CARGO_BIN_EXE_agentctl");
    let Ok(runner) = std::env::var(format!("CARGO_TARGET_{target}_RUNNER")) else {
        return Command::new(program);
    };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(program);
    command
}

fn run(arguments: &[&str]) -> Said {
    let output = agentctl().args(arguments).stdin(Stdio::null()).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An agent that gives these answers, in this order, and keeps what it was asked.
struct Agent {
    folder: Folder,
    asked: mpsc::Receiver<String>,
}

impl Agent {
    fn new(answers: Vec<(u16, &'static str)>) -> Self {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.0.join("agent.sock")).unwrap();
        let (send, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for (code, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = send.send(request(&mut stream));
                let kind = if code < 300 { "application/json" } else { "application/problem+json" };
                let head = format!("HTTP/1.0 {code} X\r\nContent-Type: {kind}\r\n\r\n");
                let _ = stream.write_all((head + body).as_bytes());
            }
        });
        Self { folder, asked }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let socket = self.folder.0.join("agent.sock");
        let mut all = vec!["--socket", socket.to_str().unwrap()];
        all.extend(arguments);
        run(&all)
    }

    /// First lines, and bodies, of what it was asked.
    fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

fn request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return format!("{} {body}", head.lines().next().unwrap()).trim_end().to_string();
            }
        }
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "hung up in the middle of a request");
        bytes.extend_from_slice(&part[..count]);
    }
}

fn said(code: i32, out: &str, err: &str) -> Said {
    Said { code: Some(code), out: out.into(), err: err.into() }
}

#[test]
fn status_shows_a_line_an_app() {
    let agent = Agent::new(vec![(200, WELL)]);
    let lines = "tor     ok  0.4.8   2 hours  next: poll in 4 min\nwallet  ok  0.26.1  3 days   next: poll in 4 min\n";
    assert_eq!(agent.run(&["status"]), said(0, lines, ""));
    assert_eq!(agent.asked(), ["GET /v1/status HTTP/1.0"]);
}

#[test]
fn status_as_json_is_the_document_as_it_came() {
    let agent = Agent::new(vec![(200, WELL), (200, "{\"app\":\"tor\"}"), (200, WELL)]);
    assert_eq!(agent.run(&["status", "--json"]), said(0, WELL, ""));
    assert_eq!(agent.run(&["status", "--json", "tor"]), said(0, "{\"app\":\"tor\"}\n", ""));
    assert_eq!(agent.asked()[1], "GET /v1/apps/tor HTTP/1.0");
}

#[test]
fn status_is_3_when_somebody_should_look() {
    let away = WELL.replace("\"state\":\"ready\"", "\"state\":\"away\"");
    let agent = Agent::new(vec![(200, Box::leak(away.into_boxed_str()))]);
    let shown = agent.run(&["status"]);
    assert_eq!(shown.code, Some(3));
    assert!(shown.out.starts_with("engine: away\n"), "{}", shown.out);
}

#[test]
fn an_unknown_app_is_1_with_the_apps_there_are() {
    let agent = Agent::new(vec![(404, UNKNOWN), (404, UNKNOWN)]);
    let told = "there is no app \"nobody\"\n  fix: apps: tor, wallet\n";
    assert_eq!(agent.run(&["status", "nobody"]), said(1, "", told));
    let told = format!("nobody: {told}");
    assert_eq!(agent.run(&["stop", "nobody"]), said(1, "", &told));
}

#[test]
fn wrong_use_is_2() {
    for arguments in [
        &["dance"][..],
        &[],
        &["rollback"],
        &["rollback", "tor", "--old-state", "--keep-state"],
        &["history", "--limit", "0"],
        &["status", "--yaml"],
    ] {
        let shown = run(arguments);
        assert_eq!((shown.code, shown.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(
            shown.err.contains("--help") || shown.err.contains("Usage: agentctl"),
            "{}",
            shown.err
        );
    }
    assert_eq!(
        run(&["--version"]),
        said(0, concat!("agentctl ", env!("CARGO_PKG_VERSION"), "\n"), "")
    );
    assert_eq!(run(&["--help"]).code, Some(0));
}

#[test]
fn an_agent_that_is_not_there_is_4() {
    let folder = Folder::new();
    let path = folder.0.join("agent.sock");
    let socket = path.to_str().unwrap();
    let told = |why: &str| {
        let fix = "is it running? systemctl status titania-agent";
        format!("the agent is not reachable at {socket}: {why}\n  fix: {fix}\n")
    };
    let absent = run(&["--socket", socket, "status"]);
    assert_eq!(absent, said(4, "", &told("no such file or directory")));
    drop(UnixListener::bind(&path).unwrap());
    let killed = run(&["--socket", socket, "stop", "tor"]);
    assert_eq!(killed, said(4, "", &told("connection refused")));
}

#[test]
fn the_socket_is_that_of_the_settings_unless_environment_or_flag_names_one() {
    let folder = Folder::new();
    let config = folder.write("agent.toml", "[paths]\nsocket = \"/nowhere/main.sock\"\n");
    let socket_of = |name: Option<&str>, arguments: &[&str]| {
        let mut command = agentctl();
        command.env_remove("TITANIA_SOCKET").args(["--config", config.to_str().unwrap(), "status"]);
        command.envs(name.map(|name| ("TITANIA_SOCKET", name)));
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "nobody listens there");
        let told = String::from_utf8(output.stderr).unwrap();
        told.split(": ").next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(socket_of(None, &[]), "/nowhere/main.sock");
    folder.write("agent.d/10-paths.toml", "[paths]\nsocket = \"/nowhere/dropin.sock\"\n");
    assert_eq!(socket_of(None, &[]), "/nowhere/dropin.sock");
    assert_eq!(socket_of(Some("/nowhere/env.sock"), &[]), "/nowhere/env.sock");
    let flag = ["--socket", "/nowhere/flag.sock"];
    assert_eq!(socket_of(Some("/nowhere/env.sock"), &flag), "/nowhere/flag.sock");
    folder.write("agent.d/10-paths.toml", "[paths]\nsocket = 1\n");
    assert_eq!(socket_of(None, &[]), "/run/titania-agent/agent.sock", "as of an agent without");
    assert_eq!(socket_of(None, &flag), "/nowhere/flag.sock");
}

#[test]
fn what_is_no_agent_is_4() {
    let agent = Agent::new(vec![(500, "oops"), (200, "[1")]);
    let shown = agent.run(&["status"]);
    assert_eq!(shown.code, Some(4));
    assert!(shown.err.ends_with("is no agent of this version: HTTP 500\n"), "{}", shown.err);
    assert_eq!(agent.run(&["status"]).code, Some(4));
}

#[test]
fn a_verb_waits_for_its_end_and_tells_how_the_app_is_now() {
    let request = |state| format!(r#"{{"schema":1,"id":"r-1","state":"{state}","error":null}}"#);
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let agent = Agent::new(vec![
        (202, r#"{"id":"r-1"}"#),
        (200, leak(request("waiting"))),
        (200, leak(request("running"))),
        (200, leak(request("done"))),
        (200, WELL),
    ]);
    let line = "wallet  ok  0.26.1  3 days  next: poll in 4 min\n";
    assert_eq!(agent.run(&["rollback", "wallet", "--keep-state"]), said(0, line, ""));
    let asked = agent.asked();
    let body = r#"{"old-state":false,"keep-state":true}"#;
    assert_eq!(asked[0], format!("POST /v1/apps/wallet/rollback HTTP/1.0 {body}"));
    assert_eq!(asked[1], "GET /v1/requests/r-1?wait=30 HTTP/1.0");
    assert_eq!(asked.len(), 5);
}

#[test]
fn a_verb_that_fails_is_1_with_its_reason() {
    let failed = r#"{"schema":1,"id":"r-1","state":"failed","error":{"title":"Rate limited","status":429,"detail":"docker.io asks to wait until 21:40","code":"rate_limited","hint":"try again then"}}"#;
    let agent = Agent::new(vec![(202, r#"{"id":"r-1"}"#), (200, failed)]);
    let told = "tor: update failed: docker.io asks to wait until 21:40\n  fix: try again then\n";
    assert_eq!(agent.run(&["update", "tor"]), said(1, "", told));
}

#[test]
fn update_without_an_app_asks_for_all_and_no_wait_returns_at_once() {
    let refused = r#"{"title":"No","status":409,"detail":"its definition is gone","code":"operator","hint":""}"#;
    let agent = Agent::new(vec![(200, WELL), (202, r#"{"id":"r-1"}"#), (409, refused)]);
    let shown = agent.run(&["update", "--no-wait"]);
    let out = "tor: update taken, request r-1\n";
    assert_eq!(shown, said(1, out, "wallet: its definition is gone\n"));
    let asked = agent.asked();
    assert_eq!(
        asked[1..],
        ["POST /v1/apps/tor/update HTTP/1.0", "POST /v1/apps/wallet/update HTTP/1.0"]
    );
}

#[test]
fn adopt_concerns_the_board() {
    let done = r#"{"schema":1,"id":"r-1","state":"done","error":null}"#;
    let agent = Agent::new(vec![(202, r#"{"id":"r-1"}"#), (200, done)]);
    assert_eq!(agent.run(&["adopt"]), said(0, "adopt: done\n", ""));
    assert_eq!(agent.asked()[0], "POST /v1/adopt HTTP/1.0");
}

#[test]
fn history_asks_for_what_was_asked() {
    let none = r#"{"schema":1,"outcomes":[]}"#;
    let agent = Agent::new(vec![(200, none), (200, none)]);
    assert_eq!(agent.run(&["history"]), said(0, "no updates yet\n", ""));
    assert_eq!(
        agent.run(&["history", "tor", "--limit", "5", "--json"]),
        said(0, &format!("{none}\n"), "")
    );
    let wanted = ["GET /v1/history?limit=20 HTTP/1.0", "GET /v1/history?limit=5&app=tor HTTP/1.0"];
    assert_eq!(agent.asked(), wanted);
}

#[test]
fn an_agent_that_hangs_is_not_waited_for_for_ever() {
    let folder = Folder::new();
    let path = folder.0.join("agent.sock");
    let _listener = UnixListener::bind(&path).unwrap(); // takes nothing
    let begun = Instant::now();
    let shown = run(&["--socket", path.to_str().unwrap(), "status"]);
    assert_eq!(shown.code, Some(4));
    assert!(shown.err.contains("it does not answer"), "{}", shown.err);
    assert!(begun.elapsed() < Duration::from_secs(40));
}

fn check(folder: &Folder, config: &Path) -> Said {
    let mut shown = run(&["check", "--config", config.to_str().unwrap()]);
    shown.out = shown.out.replace(folder.0.to_str().unwrap(), "");
    shown
}

fn good(folder: &Folder) -> PathBuf {
    let apps = folder.0.join("apps.d");
    folder.write("apps.d/tor.toml", "image = \"docker.io/titania/tor:stable\"\n");
    folder.write("agent.toml", &format!("[paths]\napps = \"{}\"\n", apps.display()))
}

#[test]
fn check_says_that_all_is_right() {
    let folder = Folder::new();
    let config = good(&folder);
    folder.write("agent.d/10-poll.toml", "poll = \"5m\"\n");
    folder.write("apps.d/.#tor.toml", "an editor's own");
    folder.write("apps.d/tor.toml.bak", "nor this");
    assert_eq!(check(&folder, &config), said(0, "the settings and 1 definition are right\n", ""));
}

#[test]
fn check_tells_each_fault_with_its_place_and_its_fix() {
    let folder = Folder::new();
    let config = good(&folder);
    folder.write("apps.d/cam.toml", "imgae = \"docker.io/titania/cam:1\"\n");
    let secrets = folder.write("cam.env", "TOKEN=x\n");
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o644)).unwrap();
    let text =
        format!("image = \"docker.io/titania/web:1\"\nenv_file = \"{}\"\n", secrets.display());
    folder.write("apps.d/web.toml", &text);
    let shown = check(&folder, &config);
    assert_eq!((shown.code, shown.err.as_str()), (Some(1), ""));
    assert!(shown.out.starts_with("/apps.d/cam.toml:1:1: "), "{}", shown.out);
    assert!(shown.out.contains("\n  fix: "), "{}", shown.out);
    let env = "/cam.env:1:1: the env file's mode is 0644: everybody on the board can get at it\n  fix: chmod o= /cam.env\n";
    assert!(shown.out.ends_with(env), "{}", shown.out);
}

#[test]
fn check_looks_at_definitions_though_the_settings_are_wrong() {
    let folder = Folder::new();
    let config = folder.write("agent.toml", "pol = \"5m\"\n");
    folder.write("apps.d/cam.toml", "image = 7\n");
    let shown = check(&folder, &config);
    assert_eq!(shown.code, Some(1));
    let files: Vec<&str> = shown.out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(files[0].starts_with("/agent.toml:1:1: "), "{}", shown.out);
    assert!(files[1].starts_with("/apps.d/cam.toml:1:9: "), "{}", shown.out);
}

#[test]
fn check_is_not_held_up_by_what_is_no_file() {
    let folder = Folder::new();
    let config = good(&folder);
    let pipe = folder.0.join("apps.d/pipe.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::create_dir(folder.0.join("apps.d/folder.toml")).unwrap();
    let shown = check(&folder, &config);
    assert_eq!(shown.code, Some(1));
    assert_eq!(shown.out.matches("it is no regular file").count(), 2, "{}", shown.out);
    let missing = check(&folder, &folder.0.join("nothing.toml"));
    assert_eq!(missing.code, Some(1));
    assert!(missing.out.starts_with("/nothing.toml:1:1: can't be read"), "{}", missing.out);
}
