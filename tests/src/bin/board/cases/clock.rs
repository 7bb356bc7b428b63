//! A board without a clock of its own: it starts in 1970, works there, and its clock is set in mid-update.
//!
//! Its hardware clock starts in 1970 with it, and no time server is to be had. systemd sets a clock that is older than
//! itself to the time of its own build: so the first boot is. Before the second one a unit of the case sets it back to
//! what the hardware says, before engine and agent start, as a system older than 2024 leaves it.

use harness::vm::{APP, Hardware, Stand, Timeline};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the hardware clock says at power-on. Not the first second of all: the kernel takes no time before its own start.
const BEGIN: &str = "1970-01-01T01:00:00";
/// The unit that undoes what systemd did.
const SET_BACK: &str = "set-back.service";
/// An app whose window is open all day.
const NIGHT: &str = "night";
/// An app that takes no release younger than an hour.
const WARY: &str = "wary";
/// How long a release of the app must be well while the clock jumps, and what may be missing of it by what is heard over
/// MQTT.
const SETTLE: Duration = Duration::from_secs(20);
const HEARD_LATE: Duration = Duration::from_secs(1);
/// The most that an emulated board takes longer, for each of its own kind's slowness.
const SLOWER: Duration = Duration::from_secs(40);

pub fn unset(stand: &mut Stand) {
    let guest = stand.rig.guest();
    guest.shut_down();
    guest.boot(&Hardware { clock: Some(BEGIN), ..Hardware::default() });
    stand.rig.wait_version(&stand.version());
    println!("       systemd has made of it {}", said(stand, "date -u +%Y-%m-%d"));
    assert_told(stand);
    set_back(stand);
    assert_eq!(said(stand, "date -u +%Y"), "1970");
    assert_eq!(
        said(
            stand,
            "date -u -d \"$(docker inspect -f '{{.State.StartedAt}}' $(docker ps -q))\" +%Y"
        ),
        "1970"
    );
    assert_told(stand);
    two_more(stand);
    good_in_1970(stand);
    let bad = bad_in_1970(stand);
    let release = jump_in_probation(stand);
    assert_set(stand);
    others_go_on(stand, &release);
    let list = stand.app()["quarantine"].clone();
    let is_kept = list.as_array().into_iter().flatten().any(|one| one["config"] == *bad);
    assert!(is_kept, "{bad} failed in 1970 and is known still: {list:#}");
    stand.judge();
    put_away(stand);
}

fn said(stand: &Stand, script: &str) -> String {
    stand.rig.guest().shell(script).trim().to_owned()
}

/// From the next boot on the clock starts where the hardware's is. Boots.
fn set_back(stand: &Stand) {
    let text = "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\n\
        ExecStart=/bin/sh -c 'date -s @$(cat /sys/class/rtc/rtc0/since_epoch)'\n\
        [Install]\nWantedBy=sysinit.target\n";
    let guest = stand.rig.guest();
    guest.put(&format!("/etc/systemd/system/{SET_BACK}"), text.as_bytes());
    guest.shell(&format!("systemctl daemon-reload && systemctl enable -q {SET_BACK}"));
    guest.reboot();
    stand.rig.wait_version(&stand.version());
}

fn is_named(reasons: &Value) -> bool {
    reasons.as_array().into_iter().flatten().any(|one| one["code"] == "clock_unsynced")
}

/// Status, document and events say that the clock is not set, and what to do.
fn assert_told(stand: &Stand) {
    let guest = stand.rig.guest();
    let status = guest.status();
    assert_eq!(status["clock_synced"], false, "{status:#}");
    assert!(is_named(&status["board"]["problems"]), "{status:#}");
    let words = guest.run("agentctl status").out;
    assert!(words.contains("the clock was not set"), "{words}");
    assert!(words.contains("fix: give the board a time server"), "{words}");
    wait_document(stand, false);
    wait_event(stand, "board_booted", false);
}

/// Waits for a document of this boot over MQTT that says so.
fn wait_document(stand: &Stand, is_set: bool) {
    let guest = stand.rig.guest();
    let boot = guest.status()["board"]["boot_id"].clone();
    let topic = stand.rig.topic("board");
    stand.rig.listener().wait(guest.patience(), "the board's document over MQTT", |message| {
        let document = message.json();
        message.topic == topic
            && document["boot_id"] == boot
            && document["clock_synced"] == is_set
            && is_named(&document["problems"]) != is_set
    });
}

/// Waits for an event of this boot, and whether it says that the clock was set.
fn wait_event(stand: &Stand, kind: &str, is_set: bool) {
    let boot = stand.rig.guest().status()["board"]["boot_id"].clone();
    let topic = stand.rig.topic("event");
    let what = format!("{kind}, clock_synced {is_set}");
    stand.rig.listener().wait(stand.rig.guest().patience(), &what, |message| {
        let event = message.json();
        message.topic == topic
            && event["type"] == kind
            && event["boot_id"] == boot
            && event["clock_synced"] == is_set
    });
}

/// The app with a window runs; the one with an age to wait for does not take what it can't tell the age of.
fn two_more(stand: &Stand) {
    let guest = stand.rig.guest();
    for (app, key, value) in [
        (NIGHT, "window", serde_json::json!({"from": "00:00", "to": "23:59"})),
        (WARY, "min_age", "1h".into()),
    ] {
        let mut definition = stand.rig.definition();
        definition.set("ports", serde_json::json!([]));
        definition.set_in("update", key, value);
        guest.put(&definition_of(app), definition.text().as_bytes());
    }
    guest.shell("systemctl reload titania-agent");
    guest.wait_app(NIGHT, "to be installed", |app| app["state"] == "ok");
    let wary = guest.wait_app(WARY, "to wait for the clock", |app| is_named(&app["warnings"]));
    assert!(wary["container"].is_null(), "{wary:#}");
}

fn definition_of(app: &str) -> String {
    format!("/etc/titania-agent/apps.d/{app}.toml")
}

fn good_in_1970(stand: &mut Stand) {
    stand.update_whole();
    let last = stand.app()["last"].clone();
    assert_eq!(last["outcome"], "committed", "{last:#}");
    assert!(last["ended_at"].as_str().is_some_and(|at| at.starts_with("1970-")), "{last:#}");
    let guest = stand.rig.guest();
    let night = guest.wait_app(NIGHT, "to wait for the clock with its update ready", |app| {
        app["next"]["waiting_for"] == "clock"
    });
    assert_eq!(
        (&night["state"], &night["update"]["step"]),
        (&"waiting".into(), &"wait".into()),
        "{night:#}"
    );
    let words = guest.run(&format!("agentctl status {NIGHT}")).out;
    assert!(words.contains("clock"), "{words}");
}

/// A release that ends by itself is rolled back and remembered. Returns it.
fn bad_in_1970(stand: &mut Stand) -> String {
    let (_, release) = stand.push("crash 3 200");
    stand.listen(|timeline, _| timeline.is_over());
    let app = stand.rig.wait_version(&stand.version());
    assert_eq!(app["last"]["outcome"], "rolled_back", "{app:#}");
    stand.judge();
    release
}

/// A release is on probation when the clock is set: it is watched as long as its definition says, not a second less and
/// no year longer. Returns it.
fn jump_in_probation(stand: &mut Stand) -> String {
    let mut definition = stand.rig.definition();
    definition.set_in("health", "settle", format!("{}s", SETTLE.as_secs()));
    stand.rig.define(&definition);
    let (version, release) = stand.push("");
    let guest = stand.rig.guest();
    let true_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let jump =
        guest.ssh().prepare(guest.patience(), "true", &format!("date -s @{true_time} >/dev/null"));
    let mut jump = Some(jump);
    let timeline = stand.listen(|timeline, _| {
        if let Some(jump) = jump.take_if(|_| timeline.step() == "probation") {
            jump.go();
        }
        timeline.is_over()
    });
    assert!(jump.is_none(), "{timeline:?}");
    let app = stand.rig.wait_version(&version);
    stand.known.committed.push(version);
    let last = &app["last"];
    assert_eq!(last["outcome"], "committed", "{last:#}");
    let at = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
    assert!(
        at("started_at").starts_with("1970-") && !at("ended_at").starts_with("1970-"),
        "{last:#}"
    );
    let watched = probation(&timeline);
    println!("       on probation for {:.1} s, settle is {SETTLE:?}", watched.as_secs_f64());
    let most = SETTLE + SLOWER * stand.rig.guest().arch().patience();
    assert!(watched + HEARD_LATE >= SETTLE && watched <= most, "{timeline:?}");
    release
}

fn probation(timeline: &Timeline) -> Duration {
    let steps = timeline.steps();
    let step = steps.iter().find(|(name, _, _)| *name == "probation");
    step.map(|(_, from, to)| *to - *from).unwrap_or_default()
}

/// The problem goes, from the document too, and events say that they know the time.
fn assert_set(stand: &Stand) {
    let guest = stand.rig.guest();
    guest.wait("the problem to go", || {
        let status = guest.status();
        match status["clock_synced"] == true && !is_named(&status["board"]["problems"]) {
            true => Ok(()),
            false => Err(format!("{status:#}")),
        }
    });
    wait_document(stand, true);
    wait_event(stand, "update_committed", true);
}

/// What waited for the clock goes on by itself.
fn others_go_on(stand: &Stand, release: &str) {
    for app in [NIGHT, WARY] {
        stand.rig.guest().wait_app(app, "to have gone on", |app| {
            app["state"] == "ok"
                && app["update"].is_null()
                && app["current"]["config"] == release
                && !is_named(&app["warnings"])
        });
    }
}

/// The board is as it was, its clock right.
fn put_away(stand: &Stand) {
    let guest = stand.rig.guest();
    guest.shell(&format!(
        "set -e; rm {} {}; systemctl reload titania-agent; systemctl disable -q {SET_BACK}",
        definition_of(NIGHT),
        definition_of(WARY)
    ));
    for app in [NIGHT, WARY] {
        guest.wait_app(app, "to be nobody's", |app| app["state"] == "orphaned");
        guest.shell(&format!("agentctl purge {app} --yes"));
    }
    guest.shell(&format!("rm /etc/systemd/system/{SET_BACK}"));
    stand.rig.define(&stand.rig.definition());
    guest.shut_down();
    guest.boot(&Hardware::default());
    let app = stand.rig.wait_version(&stand.version());
    assert_eq!(app["app"], APP);
    assert_eq!(guest.status()["clock_synced"], true);
}
