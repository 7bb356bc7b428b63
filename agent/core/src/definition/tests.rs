//! Promises of the hash and of how a definition is kept.

use alloc::format;
use alloc::vec;

use super::*;

fn shape() -> Shape {
    Shape::of("docker.io/library/nginx:1.27".parse().unwrap())
}

#[test]
fn the_hash_is_over_canonical_json_of_what_differs_from_its_default() {
    let text = r#"{"image":"docker.io/library/nginx:1.27"}"#;
    assert_eq!(shape().hash(), Digest::of(text.as_bytes()));
    let written = Shape {
        read_only: true,
        env: BTreeMap::from([
            ("B".to_string(), "2".to_string()),
            ("A".to_string(), "1".to_string()),
        ]),
        limits: Limits { memory: Some(1 << 28), cpus: None },
        init: true, // the default, written out: not in the hash
        ..shape()
    };
    let text = r#"{"env":{"A":"1","B":"2"},"image":"docker.io/library/nginx:1.27","limits":{"cpus":null,"memory":268435456},"read_only":true}"#;
    assert_eq!(written.hash(), Digest::of(text.as_bytes()));
}

#[test]
fn the_hash_of_a_definition_never_changes_between_versions_of_the_agent() {
    // Pinned: a change here makes every app on every board be updated once.
    let hash = shape().hash().to_string();
    assert_eq!(hash, "sha256:1b289b1a7964182e614be5aea0b899c3a51a420d14a60c5f1f99a040d4266b77");
    let whole = Shape {
        user: UserRule::Fixed { uid: 1000, gid: 1000 },
        ports: vec![Port {
            address: String::new(),
            host: 80,
            container: 8080,
            protocol: Protocol::Udp,
        }],
        volumes: Volumes {
            state: vec!["/wallet".to_string()],
            data: vec![DataVolume {
                path: "/data".to_string(),
                source: None,
                mounted: false,
                read_only: false,
                own: true,
            }],
            scratch: vec!["/tmp".to_string()],
        },
        stop: Stop { signal: "SIGINT".to_string(), grace: Millis::seconds(10) },
        ..shape()
    };
    assert_eq!(
        whole.hash().to_string(),
        "sha256:5a30d0e0f1f18ff9555c7197a9c65621856c165a32182017a0aaa9f29ca067c4"
    );
}

#[test]
fn a_definition_written_by_an_older_agent_is_read_with_the_defaults() {
    let old: Definition =
        serde_json::from_str(r#"{"image":"docker.io/library/nginx:1.27","track":{"tag":"1.27"}}"#)
            .unwrap();
    assert_eq!(old.shape, shape());
    assert_eq!((old.health, old.update), (Health::default(), Update::default()));
}

#[test]
fn a_definition_is_read_as_it_was_written() {
    let definition = Definition {
        shape: Shape { user: UserRule::Pool, network: "host".to_string(), init: false, ..shape() },
        track: Track::Pinned,
        after: vec!["tor".parse().unwrap()],
        health: Health { probe: ProbeRule::Exec(vec!["/check".to_string()]), ..Health::default() },
        update: Update { window: Some(Window { from: 60, to: 120 }), ..Update::default() },
    };
    let text = serde_json::to_string(&definition).unwrap();
    assert_eq!(serde_json::from_str::<Definition>(&text).unwrap(), definition);
}

#[test]
fn a_volume_has_its_path_as_its_name() {
    for (path, key) in
        [("/wallet", "wallet"), ("/data/.skycoin", "data-.skycoin"), ("/a/b-c/d", "a-b-c-d")]
    {
        assert_eq!(volume_key(path), key);
    }
}

#[test]
fn ports_are_shown_as_they_are_written() {
    let port = |address: &str| Port {
        address: address.to_string(),
        host: 80,
        container: 8080,
        protocol: Protocol::Tcp,
    };
    for (address, shown) in
        [("", "80:8080/tcp"), ("127.0.0.1", "127.0.0.1:80:8080/tcp"), ("::1", "[::1]:80:8080/tcp")]
    {
        assert_eq!(format!("{}", port(address)), shown);
    }
}
