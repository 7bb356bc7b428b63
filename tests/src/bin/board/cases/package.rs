//! The package: upgraded, removed, purged, installed again.

use super::life::{container, started_at};
use harness::vm::{APP, Act, Look, Stand, newer, package_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Steps in which an upgrade is tried.
const STEPS: [&str; 10] = [
    "reserve",
    "fetch",
    "inspect",
    "create",
    "wait",
    "stop",
    "fork",
    "start",
    "probation",
    "commit",
];
/// Of these so many must have been hit, the long ones at least: an emulated board can be too fast for
/// the short ones.
const STEPS_MIN: usize = 4;

pub fn upgrade(stand: &mut Stand) {
    let folder = stand.rig.folder().to_owned();
    let settings = "/etc/titania-agent/agent.toml";
    let sum = format!("sha256sum {settings}");
    stand.rig.guest().shell(&format!("echo '# the words of its owner' >>{settings}"));
    let before = stand.rig.guest().shell(&sum);
    let first = package_for(stand.rig.guest().arch());
    let mut hit = Vec::new();
    for (number, step) in (1..).zip(STEPS) {
        let package = newer(&first, number, &folder);
        if upgrade_at(stand, step, &package) {
            hit.push(step);
        }
    }
    println!("       upgraded in the steps {hit:?}");
    assert!(hit.len() >= STEPS_MIN, "{hit:?}");
    assert_eq!(stand.rig.guest().shell(&sum), before, "settings stay");
    assert_told_once(stand);
    stays_off(stand, &newer(&first, 90, &folder));
}

/// Each update has one line of history.
fn assert_told_once(stand: &Stand) {
    let text = stand.rig.guest().shell("agentctl history --json");
    let history: Value = serde_json::from_str(&text).expect("history is JSON");
    let lines = history["outcomes"].as_array().cloned().unwrap_or_default();
    let ids: Vec<&str> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
    let once: BTreeSet<&str> = ids.iter().copied().collect();
    assert!(ids.len() == once.len() && ids.len() > STEPS.len(), "{ids:?}");
}

/// What its owner switched off stays off in an upgrade.
fn stays_off(stand: &Stand, package: &Path) {
    let guest = stand.rig.guest();
    guest.shell("systemctl disable -q --now titania-agent");
    stand.rig.install(package);
    assert_eq!(guest.run("systemctl is-enabled titania-agent").out.trim(), "disabled");
    assert_eq!(guest.run("systemctl is-active titania-agent").out.trim(), "inactive");
    guest.shell("systemctl enable -q --now titania-agent");
    stand.rig.wait_version(&stand.version());
}

/// Starts an update, stops the agent's process as soon as it is heard to be at `step`, and installs a
/// newer package then. Returns whether that step was hit.
fn upgrade_at(stand: &mut Stand, step: &str, package: &Path) -> bool {
    let guest = stand.rig.guest();
    let acts = Look::at(guest).acts().len();
    let (old, generation) = (started_at(stand), number_of(&container(stand)));
    let (version, _) = stand.push("");
    let trap = stand.rig.guest().ssh().prepare(
        stand.rig.guest().patience(),
        "agent=$(systemctl show titania-agent -p MainPID --value)",
        "kill -STOP $agent",
    );
    let heard = stand.listen(|heard, _| heard.step() == step || heard.is_over());
    trap.go();
    let hit = heard.step() == step;
    stand.rig.install(package);
    stand.rig.wait_version(&version);
    stand.known.committed.push(version);
    let look = Look::at(stand.rig.guest());
    let new = number_of(&container(stand));
    assert!(new > generation && started_at(stand) != old);
    assert_acts(&look.acts()[acts..], step, generation, new);
    stand.judge();
    hit
}

/// One stop and one start, whatever the package did. Only an agent that is ended after it asked for the stop and before
/// it wrote that the new one begins leaves an app that is down without a word of why: the next one brings
/// the old one up first, and stops it anew.
fn assert_acts(acts: &[Act], step: &str, old: u64, new: u64) {
    let act = |action: &str, generation| Act { action: action.to_owned(), generation };
    let straight = [act("die", old), act("start", new)];
    let detour = [act("die", old), act("start", old), act("die", old), act("start", new)];
    let is_down_unexplained = matches!(step, "stop" | "fork");
    assert!(acts == straight || is_down_unexplained && acts == detour, "at {step}: {acts:?}");
}

fn number_of(container: &str) -> u64 {
    let number = container.rsplit("-g").next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{container:?} has no number"))
}

pub fn remove(stand: &mut Stand) {
    let before = started_at(stand);
    let guest = stand.rig.guest();
    let said = guest.shell("apt-get remove -y -q titania-agent 2>&1");
    assert!(said.contains("the apps run on"), "{said}");
    assert_ne!(guest.run("command -v agentctl").code, 0, "it is gone");
    assert_eq!(stand.rig.version(), Some(stand.version()), "the app runs on");
    stand.rig.install(&package_for(guest.arch()));
    stand.rig.wait_version(&stand.version());
    assert_eq!(started_at(stand), before, "the app was not restarted");
    stand.judge();
}

pub fn purge(stand: &mut Stand) {
    let before = started_at(stand);
    let guest = stand.rig.guest();
    let said = guest.shell("apt-get purge -y -q titania-agent 2>&1");
    assert!(said.contains("/var/lib/titania-volumes"), "it says what stays, and where: {said}");
    assert_ne!(guest.run("test -e /etc/titania-agent/agent.toml").code, 0, "settings are gone");
    assert_ne!(guest.run("test -e /var/lib/titania-agent").code, 0, "records are gone");
    assert_eq!(stand.rig.version(), Some(stand.version()), "the app runs on");
    let blobs = guest.shell("find /var/lib/titania-volumes -name blob | wc -l");
    assert!(blobs.trim().parse::<u32>().is_ok_and(|count| count >= 2), "volumes stay: {blobs}");
    // Its owner puts settings and definition back first: an app without a definition is stopped.
    stand.rig.write_settings();
    stand.rig.write_definition(&stand.rig.definition());
    stand.rig.install(&package_for(guest.arch()));
    let app = stand.rig.wait_version(&stand.version());
    let name = app["container"]["name"].as_str().unwrap_or_default().to_owned();
    assert_eq!(started_at(stand), before, "{APP} was taken over as it ran: {name}");
    stand.judge();
}
