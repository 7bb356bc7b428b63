//! A container is read from inspect; new words make none disappear.

use super::*;
use serde_json::{Value, json};

fn seen(change: impl FnOnce(&mut Value)) -> Seen {
    let mut found = json!({
        "Id": "c1", "Name": "/web-g3", "Image": "sha256:i", "RestartCount": 2,
        "State": {"Status": "running", "Pid": 4711, "ExitCode": 0, "Error": "", "OOMKilled": false,
                  "StartedAt": "2026-11-24T08:00:00.123456789Z", "FinishedAt": "0001-01-01T00:00:00Z",
                  "Health": {"Status": "healthy", "FailingStreak": 0, "Log": []}},
        "Config": {"User": "7:7", "Labels": {
            "org.titania.agent.app": "web", "org.titania.agent.generation": "3", "org.titania.agent.instance": "me",
            "org.titania.agent.config": "sha256:0000000000000000000000000000000000000000000000000000000000000001",
            "org.titania.agent.definition": "odd"}},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}, "NetworkMode": "titania"},
        "NetworkSettings": {"Networks": {"titania": {"IPAddress": "172.18.0.2"}, "empty": {"IPAddress": ""}, "null": null,
                                         "six": {"IPAddress": "", "GlobalIPv6Address": "fd00::2"}}},
        "Mounts": null, "NewInDocker40": {"Words": ["x"]},
    });
    change(&mut found);
    Seen::of(serde_json::from_value(found).unwrap(), None)
}

#[test]
fn a_running_container_is_read() {
    let seen = seen(|_| {});
    assert_eq!((seen.id.as_str(), seen.name.as_str(), seen.pid), ("c1", "web-g3", Some(4711)));
    assert_eq!(seen.state, ContainerState::Running);
    assert!(seen.alive && seen.armed && !seen.oom_killed);
    assert_eq!(seen.started_at.unwrap().0, "2026-11-24T08:00:00.123456789Z");
    assert_eq!(
        (seen.finished_at, seen.restarts, seen.health),
        (None, 2, Some(HealthCheck::Healthy))
    );
    let addresses: Vec<_> =
        seen.addresses.iter().map(|(name, address)| format!("{name} {address}")).collect();
    assert_eq!(addresses, ["six fd00::2", "titania 172.18.0.2"]);
    let Role::App { app, generation, config, definition } = seen.role else {
        panic!("{:?}", seen.role)
    };
    assert_eq!((app.as_str(), generation.0, config.is_some(), definition), ("web", 3, true, None));
}

#[test]
fn a_word_that_is_new_makes_no_container_disappear() {
    let seen = seen(|found| {
        found["State"]["Status"] = json!("hibernating");
        found["State"]["Health"]["Status"] = json!("dreaming");
        found["HostConfig"]["RestartPolicy"]["Name"] = json!("on-full-moon");
    });
    assert_eq!((seen.state, seen.health, seen.armed), (ContainerState::Unknown, None, false));
}

#[test]
fn what_is_absent_or_null_is_nothing() {
    let bare: Inspected =
        serde_json::from_value(json!({"Id": "c", "State": null, "Config": {"Labels": null}}))
            .unwrap();
    let seen = Seen::of(bare, None);
    assert_eq!((seen.state, seen.pid, seen.started_at), (ContainerState::Unknown, None, None));
    assert_eq!(seen.role, Role::Throwaway);
}

#[test]
fn health_counts_only_while_it_runs() {
    let seen = seen(|found| {
        found["State"]["Status"] = json!("exited");
        found["State"]["Health"]["Status"] = json!("unhealthy");
    });
    assert_eq!((seen.health, seen.alive), (None, false));
}

#[test]
fn labels_tell_what_a_container_is_for() {
    let label = |key: &str, value: Value| {
        let key = format!("org.titania.agent.{key}");
        move |found: &mut Value| {
            found["Config"]["Labels"][&key] = value;
        }
    };
    for change in [
        label("generation", json!("x")),
        label("generation", json!("-1")),
        label("app", json!("../x")),
    ] {
        assert_eq!(seen(change).role, Role::Unreadable);
    }
    let throwaway = seen(|found| {
        found["Config"]["Labels"] =
            json!({"org.titania.agent.instance": "me", "of-the-image": "x"});
    });
    assert_eq!(throwaway.role, Role::Throwaway);
    let half = seen(|found| found["Config"]["Labels"] = json!({"org.titania.agent.app": "web"}));
    assert_eq!(half.role, Role::Unreadable);
}
