//! What a person sees who logs in.

use harness::Said;
use harness::vm::{APP, Stand};
use serde_json::Value;
use std::time::Duration;

/// Time for a log-in and a command.
const LOGIN_TIME: Duration = Duration::from_secs(180);

/// As the operator, over a connection of its own.
fn by_hand(stand: &Stand, words: &[&str]) -> Said {
    let guest = stand.rig.guest();
    guest.ssh().by_hand(LOGIN_TIME * guest.arch().patience(), words)
}

pub fn status(stand: &mut Stand) {
    let guest = stand.rig.guest();
    let stranger = by_hand(stand, &["op@127.0.0.1", "agentctl", "status"]);
    assert_eq!(stranger.code, 4, "who is in no group may not look: {stranger:?}");
    assert!(stranger.err.contains("titania-agent"), "and is told which: {stranger:?}");
    guest.shell("usermod -aG titania-agent op");
    let plain = by_hand(stand, &["op@127.0.0.1", "agentctl", "status"]);
    assert_eq!(plain.code, 0, "{plain:?}");
    let first = plain.out.lines().next().unwrap_or_default();
    assert!(first.starts_with(&format!("{APP}  ok  ")), "answer first: {plain:?}");
    assert!(!plain.out.contains('\u{1b}'), "no colour without a terminal: {plain:?}");
    let terminal = by_hand(stand, &["-tt", "op@127.0.0.1", "TERM=xterm agentctl status"]);
    assert_eq!(terminal.code, 0, "{terminal:?}");
    assert!(terminal.out.contains("\r\n") && terminal.out.contains(APP), "{terminal:?}");
    let code = |command: &str| by_hand(stand, &["op@127.0.0.1", command]).code;
    assert_eq!(code("agentctl status nobody"), 1, "an app that is not there");
    assert_eq!(code("agentctl dance"), 2, "no such verb");
    assert_eq!(code(&format!("agentctl update {APP}")), 1, "a verb wants more rights");
    assert_eq!(code("agentctl history"), 0);
    let root = by_hand(stand, &["root@127.0.0.1", "agentctl", "update", APP]);
    assert_eq!(root.code, 0, "{root:?}");
    guest.shell("systemctl stop titania-agent");
    assert_eq!(code("agentctl status"), 4, "no agent");
    guest.shell("systemctl start titania-agent");
    stand.rig.wait_version(&stand.version());
}

pub fn journal(stand: &mut Stand) {
    if stand.known.committed.len() < 2 {
        stand.update_whole();
    }
    let said = stand.rig.guest().shell(&format!("journalctl --no-pager -o json TITANIA_APP={APP}"));
    let lines: Vec<Value> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let event = |kind: &str| lines.iter().find(|line| line["TITANIA_EVENT"] == kind);
    let installed = event("app_installed");
    let installed = installed.unwrap_or_else(|| panic!("no app_installed in {lines:#?}"));
    assert_eq!(installed["_SYSTEMD_UNIT"], "titania-agent.service", "{installed:#}");
    assert!(installed["TITANIA_SEQ"].is_string(), "{installed:#}");
    let committed = event("update_committed");
    let committed = committed.unwrap_or_else(|| panic!("no update_committed in {lines:#?}"));
    let config = committed["TITANIA_CONFIG"].as_str().unwrap_or_default();
    assert!(config.starts_with("sha256:"), "{committed:#}");
    let update = committed["TITANIA_UPDATE"].as_str().unwrap_or_default();
    assert!(update.starts_with(&format!("{APP}-g")), "{committed:#}");
    assert!(committed["MESSAGE"].as_str().is_some_and(|text| !text.is_empty()), "{committed:#}");
}
