//! What each engine says of itself is read.

use super::*;

fn about(version: &str, info: &str) -> About {
    About::of(
        false,
        41,
        serde_json::from_str(version).unwrap(),
        serde_json::from_str(info).unwrap(),
    )
}

#[test]
fn docker_with_mapped_users_tells_their_base() {
    let about = about(
        r#"{"Version":"20.10.24+dfsg1","Os":"linux","Arch":"arm","Components":[{"Name":"Engine","Version":"20.10.24"}]}"#,
        r#"{"Architecture":"armv7l","DockerRootDir":"/var/lib/docker/300000.300001","MemoryLimit":false,"CpuCfsQuota":true,
            "SecurityOptions":["name=seccomp,profile=default","name=userns"],"InitBinary":"docker-init","New":{"word":[1]}}"#,
    );
    assert_eq!((about.kind, about.version.as_str()), (Kind::Docker, "20.10.24+dfsg1"));
    assert_eq!(about.remap, Some(Remap { uid: 300_000, gid: 300_001 }));
    assert_eq!((about.arch.as_str(), about.machine.as_str()), ("arm", "armv7l"));
    assert!(
        about.keeps_policy
            && about.limits_cpu
            && !about.limits_memory
            && about.has_init
            && !about.rootless
    );
}

#[test]
fn podman_is_told_by_its_components() {
    let about = about(
        r#"{"Version":"4.3.1","Os":"linux","Arch":"amd64","Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}"#,
        r#"{"DockerRootDir":"/var/lib/containers/storage","SecurityOptions":["name=seccomp,profile=default","name=rootless"],"InitBinary":""}"#,
    );
    assert_eq!((about.kind, about.version.as_str(), about.remap), (Kind::Podman, "4.3.1", None));
    assert!(!about.keeps_policy && about.rootless && !about.has_init);
}

#[test]
fn what_is_missing_promises_nothing() {
    let about = about("{}", r#"{"DockerRootDir":null,"SecurityOptions":null,"MemoryLimit":null}"#);
    assert!(!about.limits_memory && !about.live_restore && about.remap.is_none());
    assert_eq!(remap("/var/lib/docker"), None);
    assert_eq!(remap("/var/lib/docker/a.b"), None);
}

#[test]
fn p6_a_map_that_begins_with_the_boards_root_is_none() {
    assert_eq!(remap("/var/lib/docker/1.1"), Some(Remap { uid: 1, gid: 1 }));
    for root in ["0.0", "0.300000", "300000.0"] {
        assert_eq!(remap(&format!("/var/lib/docker/{root}")), None, "{root}");
    }
}
