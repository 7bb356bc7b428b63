//! P7: what differs from the plan is told, the engine's own spelling is not.

use super::*;
use crate::engine::plan::Mount;
use crate::engine::plan::tests::{planned, spec};
use serde_json::{Value, json};
use titania_core::definition::{Port, Protocol, Shape};
use titania_core::spec::Spec;

/// What Docker 28.5 answers for [`full`], as far as it is read.
fn docker(spec: &Spec) -> Value {
    json!({
        "Id": "c", "Name": "/wallet-g7", "Image": "sha256:i", "RestartCount": 0,
        "State": {"Status": "created"},
        "Config": {
            "Hostname": "wallet", "User": "70001:70001", "Image": "titania-agent.local/wallet:g7",
            "Env": ["IMAGE=own", "PATH=/bin", "A=1"], "Cmd": ["serve"], "Entrypoint": ["/app"],
            "WorkingDir": "/", "Labels": {
                "org.titania.agent.app": "wallet", "org.titania.agent.generation": "7", "of-the-image": "x",
                "org.titania.agent.config": spec.release.config.unwrap().to_string(),
                "org.titania.agent.definition": spec.hash.to_string(), "org.titania.agent.instance": "me"}},
        "HostConfig": {
            "NetworkMode": "titania", "RestartPolicy": {"Name": "no"}, "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
            "CapAdd": ["CAP_NET_ADMIN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "GroupAdd": ["998", "44"],
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "rw"}],
            "Init": true, "ReadonlyRootfs": false, "IpcMode": "private", "PidMode": "", "UTSMode": "", "UsernsMode": "",
            "VolumesFrom": null, "Memory": 0, "CpuPeriod": 0, "CpuQuota": 0, "ShmSize": 67108864, "Sysctls": null, "Dns": null, "ExtraHosts": null,
            "Mounts": [{"Type": "bind", "Source": "/v/state", "Target": "/state"}],
            "LogConfig": {"Type": "json-file", "Config": {"max-file": "2", "max-size": "5m"}}},
        "NetworkSettings": {"Networks": {"titania": {"Aliases": ["wallet", "abcdef"], "IPAddress": ""}}},
        "Mounts": [
            {"Type": "tmpfs", "Source": "", "Destination": "/tmp", "RW": true},
            {"Type": "bind", "Source": "/v/state", "Destination": "/state", "RW": true}],
    })
}

fn shape(shape: &mut Shape) {
    shape.env.insert("A".into(), "1".into());
    shape.ports =
        vec![Port { address: String::new(), host: 8080, container: 80, protocol: Protocol::Tcp }];
    shape.capabilities = vec!["NET_ADMIN".into()];
    shape.devices = vec!["/dev/null".into()];
    shape.volumes.scratch = vec!["/tmp".into()];
}

fn image() -> ImageFacts {
    ImageFacts {
        id: "sha256:i".into(),
        entrypoint: vec!["/app".into()],
        command: vec!["serve".into()],
        ..ImageFacts::default()
    }
}

fn compare(spec: &Spec, found: Value, kind: Kind) -> Vec<Difference> {
    let mount = Mount { source: "/v/state".into(), target: "/state".into(), read_only: false };
    let plan = planned(spec, &[mount], &[]).unwrap();
    differences(&plan, &serde_json::from_value(found).unwrap(), &image(), kind)
}

#[test]
fn what_was_asked_for_does_not_differ() {
    let spec = spec(shape);
    assert_eq!(compare(&spec, docker(&spec), Kind::Docker), []);
}

#[test]
fn the_engines_own_spelling_is_no_difference() {
    let spec = spec(shape);
    for (place, value) in [
        (
            "/HostConfig/PortBindings",
            json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}),
        ),
        ("/HostConfig/CapAdd", json!(["net_admin"])),
        ("/HostConfig/SecurityOpt", json!(["no-new-privileges:true"])),
        ("/HostConfig/GroupAdd", json!(["44", "998"])),
        ("/HostConfig/RestartPolicy/Name", json!("unless-stopped")),
        ("/HostConfig/RestartPolicy/Name", json!("")),
        ("/Config/Image", json!("sha256:i")),
        ("/Mounts/1/Source", json!("/v/state/")),
    ] {
        let mut found = docker(&spec);
        *found.pointer_mut(place).unwrap() = value;
        assert_eq!(compare(&spec, found, Kind::Docker), [], "{place}");
    }
}

#[test]
fn p7_each_thing_that_is_otherwise_is_told() {
    let spec = spec(shape);
    for (place, value, field) in [
        ("/Config/User", json!(""), "user"),
        ("/Config/User", json!("70001"), "user"),
        ("/HostConfig/GroupAdd", json!(["44"]), "groups"),
        ("/HostConfig/GroupAdd", json!(["44", "998", "0"]), "groups"),
        ("/Mounts/1/Source", json!("/v/other"), "volumes"),
        ("/Mounts/1/RW", json!(false), "volumes"),
        ("/Mounts/1/Destination", json!("/states"), "volumes"),
        ("/Mounts/1/Type", json!("volume"), "volumes"),
        ("/Mounts", json!([]), "volumes"),
        ("/HostConfig/VolumesFrom", json!(["other"]), "volumes_from"),
        (
            "/HostConfig/PortBindings",
            json!({"80/tcp": [{"HostIp": "", "HostPort": "8081"}]}),
            "ports",
        ),
        (
            "/HostConfig/PortBindings",
            json!({"80/udp": [{"HostIp": "", "HostPort": "8080"}]}),
            "ports",
        ),
        (
            "/HostConfig/PortBindings",
            json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}),
            "ports",
        ),
        ("/HostConfig/PortBindings", json!({}), "ports"),
        ("/HostConfig/CapAdd", json!(["NET_ADMIN", "SYS_ADMIN"]), "capabilities"),
        ("/HostConfig/CapDrop", json!(null), "dropped capabilities"),
        ("/HostConfig/Devices", json!([]), "devices"),
        ("/HostConfig/SecurityOpt", json!(null), "security options"),
        (
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges", "seccomp=unconfined"]),
            "security options",
        ),
        ("/HostConfig/Init", json!(null), "init"),
        ("/HostConfig/ReadonlyRootfs", json!(true), "read_only"),
        ("/HostConfig/PidMode", json!("host"), "shared namespaces"),
        ("/HostConfig/IpcMode", json!("host"), "shared namespaces"),
        ("/HostConfig/UsernsMode", json!("host"), "shared namespaces"),
        ("/HostConfig/NetworkMode", json!("host"), "network"),
        ("/HostConfig/Sysctls", json!({"net.ipv4.ip_forward": "1"}), "sysctls"),
        ("/HostConfig/Dns", json!(["1.1.1.1"]), "dns"),
        ("/HostConfig/RestartPolicy/Name", json!("always"), "restart policy"),
        ("/NetworkSettings/Networks/titania/Aliases", json!(null), "name on its network"),
        (
            "/NetworkSettings/Networks",
            json!({"titania": {"Aliases": ["wallet"]}, "x": {}}),
            "other networks",
        ),
        ("/Config/Entrypoint", json!(["/other"]), "entrypoint"),
        ("/Config/Cmd", json!(["other"]), "command"),
        ("/Config/Env", json!(["IMAGE=own", "A=2"]), "env"),
        ("/Config/Labels/org.titania.agent.generation", json!("8"), "labels"),
    ] {
        let mut found = docker(&spec);
        *found.pointer_mut(place).unwrap() = value.clone();
        let told = compare(&spec, found, Kind::Docker);
        assert_eq!(
            told.iter().map(|one| one.field).collect::<Vec<_>>(),
            [field],
            "{place} {value}"
        );
        assert!(told.iter().all(|one| one.strict), "{place}");
    }
}

#[test]
fn p7_privilege_that_nobody_asked_for_is_told() {
    let spec = spec(shape);
    for (key, field) in [
        ("Privileged", "privileged"),
        ("PublishAllPorts", "all ports published"),
        ("AutoRemove", "removed by itself"),
    ] {
        let mut found = docker(&spec);
        found["HostConfig"][key] = json!(true);
        let told = compare(&spec, found, Kind::Docker);
        assert_eq!(told.iter().map(|one| one.field).collect::<Vec<_>>(), [field]);
    }
}

#[test]
fn values_of_the_environment_are_never_told() {
    let spec = spec(|shape| {
        shape.env.insert("PASSWORD".into(), "s3cret".into());
    });
    let told = compare(&spec, json!({}), Kind::Docker);
    let text: String = told.iter().map(ToString::to_string).collect();
    assert!(text.contains("PASSWORD") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_limit_that_the_kernel_lacks_is_a_warning() {
    let spec = spec(|it| {
        shape(it);
        it.limits.memory = Some(64 << 20);
        it.limits.cpus = Some(500);
    });
    let told = compare(&spec, docker(&spec), Kind::Docker);
    let told: Vec<_> = told.iter().map(|one| (one.field, one.strict)).collect();
    assert_eq!(told, [("limits.memory", false), ("limits.cpus", false)]);
}

#[test]
fn an_own_entry_point_drops_the_images_command() {
    let own_entry = spec(|it| {
        shape(it);
        it.entrypoint = Some(vec!["/own".into()]);
    });
    let mut found = docker(&own_entry);
    found["Config"]["Entrypoint"] = json!(["/own"]);
    let told = compare(&own_entry, found.clone(), Kind::Docker);
    assert_eq!(
        told.iter().map(|one| one.field).collect::<Vec<_>>(),
        ["command"],
        "the image's is still there"
    );
    found["Config"]["Cmd"] = json!(null);
    assert_eq!(compare(&own_entry, found, Kind::Docker), []);
}

#[test]
fn podman_leaves_out_and_spells_otherwise() {
    let spec = spec(shape);
    let mut found = docker(&spec);
    found["BoundingCaps"] = json!(["CAP_NET_ADMIN"]);
    found["HostConfig"]["NetworkMode"] = json!("bridge");
    found["HostConfig"]["CapAdd"] = json!(["CAP_NET_ADMIN"]);
    found["HostConfig"]["CapDrop"] = json!(["CAP_CHOWN", "CAP_KILL"]);
    found["HostConfig"]["Tmpfs"] = json!({"/tmp": "rw", "/run": "rw"});
    found["HostConfig"]["LogConfig"] = json!({"Type": "k8s-file", "Config": null});
    found["Mounts"] =
        json!([{"Type": "bind", "Source": "/v/state", "Destination": "/state", "RW": true}]);
    assert_eq!(compare(&spec, found.clone(), Kind::Podman), []);
    found["BoundingCaps"] = json!(["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
    let told = compare(&spec, found, Kind::Podman);
    assert_eq!(told.iter().map(|one| one.field).collect::<Vec<_>>(), ["capabilities"]);
}
