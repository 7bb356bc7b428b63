//! The create body, whole and field by field.

use super::*;
use serde_json::{Value, json};
use titania_core::definition::{Definition, Limits, Port, Protocol};
use titania_core::digest::Digest;
use titania_core::names::Owner;
use titania_core::release::Release;
use titania_core::track::Track;

/// A specification with nothing but an image and a user.
pub(crate) fn spec(change: impl FnOnce(&mut Shape)) -> Spec {
    let mut shape = Shape::of("r.example/wallet:1".parse().unwrap());
    change(&mut shape);
    let definition = Definition {
        track: Track::Tag("1".into()),
        after: Vec::new(),
        health: Default::default(),
        update: Default::default(),
        shape,
    };
    Spec {
        hash: definition.shape.hash(),
        release: Release { config: Some(Digest::of(b"config")), ..Release::default() },
        user: Some(Owner { uid: 70001, gid: 70001 }),
        groups: vec![44, 998],
        definition,
    }
}

pub(crate) fn planned(
    spec: &Spec,
    mounts: &[Mount],
    env_file: &[(String, String)],
) -> Result<Plan, PlanError> {
    plan(&Making {
        app: &"wallet".parse().unwrap(),
        instance: &InstanceId("me".into()),
        generation: Generation(7),
        spec,
        image: "titania-agent.local/wallet:g7",
        mounts,
        env_file,
        armed: false,
        is_mapped: false,
    })
}

fn body(spec: &Spec, mounts: &[Mount]) -> Value {
    serde_json::to_value(planned(spec, mounts, &[]).unwrap().body).unwrap()
}

#[test]
fn p6_a_plain_app_is_safe_by_default() {
    let plain = spec(|_| {});
    let mount = Mount {
        source: "/v/wallet/state/7/state".into(),
        target: "/state".into(),
        read_only: false,
    };
    let labels = json!({
        "org.titania.agent.app": "wallet", "org.titania.agent.generation": "7",
        "org.titania.agent.config": plain.release.config.unwrap().to_string(),
        "org.titania.agent.definition": plain.hash.to_string(), "org.titania.agent.instance": "me",
    });
    // Whole: what is not here is not sent, so it is the image's or the engine's own.
    assert_eq!(
        body(&plain, &[mount]),
        json!({
            "Hostname": "wallet", "User": "70001:70001", "Image": "titania-agent.local/wallet:g7",
            "Labels": labels, "StopSignal": "SIGTERM", "StopTimeout": 30,
            "NetworkingConfig": {"EndpointsConfig": {"titania": {"Aliases": ["wallet"]}}},
            "HostConfig": {
                "NetworkMode": "titania", "RestartPolicy": {"Name": "no"}, "Init": true, "ReadonlyRootfs": false,
                "Mounts": [{"Type": "bind", "Source": "/v/wallet/state/7/state", "Target": "/state", "ReadOnly": false}],
                "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "GroupAdd": ["44", "998"],
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}},
            },
        })
    );
}

#[test]
fn p7_every_field_of_a_definition_is_sent() {
    let full = spec(|shape| {
        shape.entrypoint = Some(vec!["/app".into()]);
        shape.command = Some(vec!["-v".into()]);
        shape.working_dir = Some("/work".into());
        shape.hostname = Some("box".into());
        shape.ports = vec![
            Port {
                address: "127.0.0.1".into(),
                host: 8080,
                container: 80,
                protocol: Protocol::Tcp,
            },
            Port { address: String::new(), host: 53, container: 53, protocol: Protocol::Udp },
            Port { address: String::new(), host: 8081, container: 80, protocol: Protocol::Tcp },
        ];
        shape.devices = vec!["/dev/i2c-1".into()];
        shape.env = [("B".to_string(), "2".to_string()), ("A".to_string(), "1".to_string())].into();
        shape.volumes.scratch = vec!["/tmp".into()];
        shape.limits = Limits { memory: Some(64 << 20), cpus: Some(1500) };
        shape.capabilities = vec!["NET_ADMIN".into()];
        shape.read_only = true;
        shape.sysctls = [("net.ipv4.ip_forward".to_string(), "1".to_string())].into();
        shape.shm_size = Some(1 << 20);
        shape.init = false;
        shape.extra_hosts = vec!["db:10.0.0.1".into()];
        shape.dns = vec!["10.0.0.2".into()];
        shape.labels = [("mine".to_string(), "1".to_string())].into();
        shape.stop.signal = "SIGINT".into();
        shape.stop.grace = titania_core::time::Millis(1500);
    });
    let body = body(&full, &[]);
    for (place, want) in [
        ("/Entrypoint", json!(["/app"])),
        ("/Cmd", json!(["-v"])),
        ("/WorkingDir", json!("/work")),
        ("/Hostname", json!("box")),
        ("/Env", json!(["A=1", "B=2"])),
        ("/Labels/mine", json!("1")),
        ("/StopSignal", json!("SIGINT")),
        ("/StopTimeout", json!(2)),
        ("/ExposedPorts", json!({"80/tcp": {}, "53/udp": {}})),
        (
            "/HostConfig/PortBindings",
            json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "", "HostPort": "8081"}],
                   "53/udp": [{"HostIp": "", "HostPort": "53"}]}),
        ),
        (
            "/HostConfig/Devices",
            json!([{"PathOnHost": "/dev/i2c-1", "PathInContainer": "/dev/i2c-1", "CgroupPermissions": "rw"}]),
        ),
        (
            "/HostConfig/Mounts",
            json!([{"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"Mode": 0o1777}}]),
        ),
        ("/HostConfig/Memory", json!(64 << 20)),
        ("/HostConfig/CpuPeriod", json!(100_000)),
        ("/HostConfig/CpuQuota", json!(150_000)),
        ("/HostConfig/CapAdd", json!(["NET_ADMIN"])),
        ("/HostConfig/ReadonlyRootfs", json!(true)),
        ("/HostConfig/Sysctls", json!({"net.ipv4.ip_forward": "1"})),
        ("/HostConfig/ShmSize", json!(1 << 20)),
        ("/HostConfig/Init", json!(false)),
        ("/HostConfig/ExtraHosts", json!(["db:10.0.0.1"])),
        ("/HostConfig/Dns", json!(["10.0.0.2"])),
    ] {
        assert_eq!(body.pointer(place), Some(&want), "{place}");
    }
}

#[test]
fn networks_that_every_engine_has_take_no_alias() {
    for (network, alias, hostname) in [
        ("titania", true, Some("wallet")),
        ("mine", true, Some("wallet")),
        ("bridge", false, Some("wallet")),
        ("host", false, None),
        ("none", false, None),
    ] {
        let body = body(&spec(|shape| shape.network = network.into()), &[]);
        assert_eq!(body.get("NetworkingConfig").is_some(), alias, "{network}");
        assert_eq!(body.get("Hostname").and_then(Value::as_str), hostname, "{network}");
    }
}

#[test]
fn the_definitions_variables_win_over_the_env_file() {
    let spec = spec(|shape| {
        shape.env.insert("A".into(), "definition".into());
    });
    let file = [("A".to_string(), "file".to_string()), ("B".to_string(), "file".to_string())];
    let plan = planned(&spec, &[], &file).unwrap();
    assert_eq!(plan.body.env.clone().unwrap(), ["A=definition", "B=file"]);
    assert!(!format!("{plan:?}").contains("file"), "and no value is printed");
}

#[test]
fn no_definition_speaks_for_the_agent() {
    let spec = spec(|shape| {
        shape.labels =
            [("org.titania.agent.app", "other"), ("org.titania.agent.new", "x"), ("mine", "1")]
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .into();
    });
    let labels = planned(&spec, &[], &[]).unwrap().body.labels.unwrap();
    assert_eq!(labels.get("org.titania.agent.app").unwrap(), "wallet");
    assert!(!labels.contains_key("org.titania.agent.new"));
    assert_eq!(labels.get("mine").unwrap(), "1");
}

#[test]
fn p6_no_root_without_a_word_in_the_definition() {
    let plain = |uid, gid| {
        let mut spec = spec(|_| {});
        spec.user = Some(Owner { uid, gid });
        spec
    };
    for owner in [(0, 0), (0, 7), (7, 0)] {
        let error = planned(&plain(owner.0, owner.1), &[], &[]).unwrap_err();
        assert_eq!(error, PlanError::Root, "{owner:?}");
    }
    let mut allowed = plain(0, 0);
    allowed.definition.shape.allow_root = true;
    assert_eq!(planned(&allowed, &[], &[]).unwrap().body.user.unwrap(), "0:0");
    let mut unknown = plain(7, 7);
    unknown.user = None;
    assert_eq!(planned(&unknown, &[], &[]).unwrap_err(), PlanError::NoUser);
}

#[test]
fn two_volumes_at_one_path_are_an_error() {
    let mount =
        |source: &str| Mount { source: source.into(), target: "/state".into(), read_only: false };
    let twice = planned(&spec(|_| {}), &[mount("/a"), mount("/b")], &[]).unwrap_err();
    assert_eq!(twice, PlanError::TwiceMounted("/state".into()));
    let scratch = spec(|shape| shape.volumes.scratch = vec!["/state".into()]);
    assert!(planned(&scratch, &[mount("/a")], &[]).is_err());
}

#[test]
fn only_a_committed_one_is_armed() {
    let spec = spec(|_| {});
    let armed = plan(&Making {
        app: &"wallet".parse().unwrap(),
        instance: &InstanceId("me".into()),
        generation: Generation(7),
        spec: &spec,
        image: "x",
        mounts: &[],
        env_file: &[],
        armed: true,
        is_mapped: false,
    });
    let policy = armed.unwrap().body.host_config.unwrap().restart_policy.unwrap();
    assert_eq!(policy.name, Some(RestartPolicyNameEnum::UNLESS_STOPPED));
}

#[test]
fn p6_a_mapped_app_may_start_as_root_of_its_container_on_an_engine_that_maps_users_alone() {
    let made = |spec: &Spec, is_mapped| {
        let planned = plan(&Making {
            app: &"wallet".parse().unwrap(),
            instance: &InstanceId("me".into()),
            generation: Generation(7),
            spec,
            image: "x",
            mounts: &[],
            env_file: &[],
            armed: false,
            is_mapped,
        });
        planned.map(|plan| plan.body.user.unwrap())
    };
    let root = Some(Owner { uid: 0, gid: 0 });
    let mapped = Spec { user: root, ..spec(|shape| shape.user = UserRule::Mapped) };
    assert_eq!(made(&mapped, true).unwrap(), "0:0");
    assert_eq!(made(&mapped, false).unwrap_err(), PlanError::NotMapped);
    let image = Spec { user: root, ..spec(|shape| shape.user = UserRule::Image) };
    assert_eq!(made(&image, true).unwrap_err(), PlanError::Root);
    assert_eq!(made(&spec(|_| {}), true).unwrap(), "50001:50001", "the pool, among those mapped");
    assert_eq!(made(&spec(|_| {}), false).unwrap(), "70001:70001");
}
