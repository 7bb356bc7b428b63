//! Promises of a definition that is read: every key to its value, none ignored.

use std::collections::BTreeMap;

use titania_core::definition::{
    DataVolume, Health, HostMount, Port, ProbeRule, Protocol, Stop, Update, UserRule, Volumes,
};
use titania_core::time::Millis;
use titania_core::track::Track;
use titania_core::window::Window;

use super::*;
use crate::shown;

mod hostile;

fn name(text: &str) -> AppName {
    text.parse().unwrap()
}

fn read(text: &str) -> Definition {
    definition(&name("wallet"), "wallet.toml", text).unwrap_or_else(|errors| {
        let told: Vec<String> = errors.iter().map(shown).collect();
        panic!("{}", told.join("\n"))
    })
}

const WHOLE: &str = r#"
image = "skycoin/skycoin"
track = { semver = ">=0.26, <0.28" }
user = "10000:10001"
groups = ["i2c", 44]
entrypoint = ["/wallet"]
command = ["-enable-api-sets", "READ,WALLET"]
working_dir = "/srv/"
hostname = "wallet.local"
ports = ["6420:6420", "127.0.0.1:8080:80/tcp", "[::1]:53:5353/udp"]
devices = ["/dev/i2c-1"]
network = "apps"
env_file = "/etc/titania-agent/secrets/wallet.env"
after = ["tor"]
stop = { signal = "int", grace = "10s" }
capabilities = ["CAP_NET_RAW", "chown"]
read_only = true
shm_size = "128MiB"
init = false
extra_hosts = ["board:host-gateway", "printer:192.168.1.20", "six:[::1]"]
dns = ["192.168.1.1"]
mounts = ["/etc/localtime:/etc/localtime"]

[volumes]
state = "/wallet"
data = ["/data/.skycoin", { path = "/media", source = "/mnt/usb/media", mounted = true, read_only = true }]
scratch = ["/tmp"]

[env]
RPC_ADDR = "http://0.0.0.0:6420"
PORT = 6420
RATIO = 0.5
DEBUG = false

[sysctls]
"net.core.somaxconn" = 1024
net.ipv4.ip_forward = "1"

[labels]
"org.example.room" = "hall"
org.example.floor = 1

[limits]
memory = "256MiB"
cpus = 1.5

[health]
http = { port = 6420, path = "/health?quick=1" }
interval = "10s"
timeout = "2s"
retries = 5
start_period = "1m"
settle = "45s"
deadline = "10m"

[update]
window = { from = "22:00", to = "05:30" }
rollback = false
allow_downgrade = true
min_age = "2d"
"#;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pair = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
    pairs.iter().map(pair).collect()
}

fn whole_shape() -> Shape {
    let port = |address: &str, host, container, protocol| Port {
        address: address.to_string(),
        host,
        container,
        protocol,
    };
    Shape {
        user: UserRule::Fixed { uid: 10000, gid: 10001 },
        groups: texts(&["i2c", "44"]),
        entrypoint: Some(texts(&["/wallet"])),
        command: Some(texts(&["-enable-api-sets", "READ,WALLET"])),
        working_dir: Some("/srv".to_string()),
        hostname: Some("wallet.local".to_string()),
        ports: vec![
            port("", 6420, 6420, Protocol::Tcp),
            port("127.0.0.1", 8080, 80, Protocol::Tcp),
            port("::1", 53, 5353, Protocol::Udp),
        ],
        devices: texts(&["/dev/i2c-1"]),
        network: "apps".to_string(),
        env_file: Some("/etc/titania-agent/secrets/wallet.env".to_string()),
        env: map(&[
            ("RPC_ADDR", "http://0.0.0.0:6420"),
            ("PORT", "6420"),
            ("RATIO", "0.5"),
            ("DEBUG", "false"),
        ]),
        stop: Stop { signal: "SIGINT".to_string(), grace: Millis::seconds(10) },
        volumes: Volumes {
            state: texts(&["/wallet"]),
            data: vec![
                DataVolume {
                    path: "/data/.skycoin".to_string(),
                    source: None,
                    mounted: false,
                    read_only: false,
                    own: true,
                },
                DataVolume {
                    path: "/media".to_string(),
                    source: Some("/mnt/usb/media".to_string()),
                    mounted: true,
                    read_only: true,
                    own: false,
                },
            ],
            scratch: texts(&["/tmp"]),
        },
        limits: Limits { memory: Some(256 << 20), cpus: Some(1500) },
        capabilities: texts(&["NET_RAW", "CHOWN"]),
        read_only: true,
        sysctls: map(&[("net.core.somaxconn", "1024"), ("net.ipv4.ip_forward", "1")]),
        shm_size: Some(128 << 20),
        init: false,
        extra_hosts: texts(&["board:host-gateway", "printer:192.168.1.20", "six:::1"]),
        dns: texts(&["192.168.1.1"]),
        labels: map(&[("org.example.room", "hall"), ("org.example.floor", "1")]),
        mounts: vec![HostMount {
            host: "/etc/localtime".to_string(),
            container: "/etc/localtime".to_string(),
        }],
        ..Shape::of("docker.io/skycoin/skycoin".parse().unwrap())
    }
}

#[test]
fn every_key_of_the_format_is_read_to_its_value() {
    let wanted = Definition {
        shape: whole_shape(),
        track: Track::Semver(">=0.26, <0.28".to_string()),
        after: vec![name("tor")],
        health: Health {
            probe: ProbeRule::Http { port: 6420, path: "/health?quick=1".to_string() },
            interval: Millis::seconds(10),
            timeout: Millis::seconds(2),
            retries: 5,
            start_period: Millis::seconds(60),
            settle: Millis::seconds(45),
            deadline: Millis::seconds(600),
        },
        update: Update {
            window: Some(Window { from: 22 * 60, to: 5 * 60 + 30 }),
            rollback: false,
            allow_downgrade: true,
            min_age: Millis::seconds(2 * 24 * 3600),
        },
    };
    assert_eq!(read(WHOLE), wanted);
}

#[test]
fn an_image_alone_gets_the_defaults_of_the_core() {
    let wanted = Definition {
        shape: Shape::of("docker.io/library/nginx:1.27".parse().unwrap()),
        track: Track::Tag("1.27".to_string()),
        after: Vec::new(),
        health: Health::default(),
        update: Update::default(),
    };
    assert_eq!(read("image = \"nginx:1.27\""), wanted);
}

/// A value for each key of [`KEYS`] and of [`TABLES`] that is not its default.
const OTHER_VALUES: [&str; 43] = [
    "allow_root = true",
    "user = \"pool\"",
    "groups = [\"gpio\"]",
    "entrypoint = [\"/a\"]",
    "command = [\"a\"]",
    "working_dir = \"/a\"",
    "hostname = \"a\"",
    "ports = [\"80:80\"]",
    "devices = [\"/dev/gpiomem\"]",
    "network = \"host\"",
    "env_file = \"/a\"",
    "after = [\"tor\"]",
    "stop.signal = \"SIGHUP\"",
    "stop.grace = \"1s\"",
    "capabilities = [\"KILL\"]",
    "read_only = true",
    "sysctls = { \"net.core.somaxconn\" = 1 }",
    "shm_size = \"1MiB\"",
    "init = false",
    "extra_hosts = [\"a:10.0.0.1\"]",
    "dns = [\"10.0.0.1\"]",
    "labels = { a = \"b\" }",
    "mounts = [\"/a:/a\"]",
    "volumes.state = \"/a\"",
    "volumes.data = \"/a\"",
    "volumes.scratch = \"/a\"",
    "env = { A = \"b\" }",
    "limits.memory = \"64MiB\"",
    "limits.cpus = 1",
    "health.http = { port = 80 }",
    "health.tcp = { port = 80 }",
    "health.exec = [\"/a\"]",
    "health.container = true",
    "health.interval = \"1s\"",
    "health.timeout = \"1s\"",
    "health.retries = 1",
    "health.start_period = \"1s\"",
    "health.settle = \"1s\"",
    "health.deadline = \"1h\"",
    "update.window = { from = \"01:00\", to = \"02:00\" }",
    "update.rollback = false",
    "update.allow_downgrade = true",
    "update.min_age = \"1h\"",
];

#[test]
fn no_key_is_silently_ignored() {
    let plain = read("image = \"nginx:1\"");
    for line in OTHER_VALUES {
        let changed = read(&format!("image = \"nginx:1\"\n{line}"));
        assert_ne!(changed, plain, "{line}");
    }
    let mut all: Vec<String> = KEYS.iter().map(ToString::to_string).collect();
    for (table, keys) in TABLES {
        all.retain(|key| key != table);
        all.extend(keys.iter().map(|key| format!("{table}.{key}")));
    }
    // These have tests of their own: what is wanted, and what is refused.
    for apart in ["image", "track.semver", "track.pattern", "arch_tags"] {
        all.retain(|key| key != apart);
    }
    for key in all {
        let is_there = OTHER_VALUES.iter().any(|line| line.starts_with(&format!("{key} = ")));
        assert!(is_there, "{key} has no value here");
    }
}

#[test]
fn what_shapes_no_container_is_not_in_the_hash_and_all_else_is() {
    let plain = read("image = \"nginx:1\"").shape.hash();
    for line in OTHER_VALUES {
        let changed = read(&format!("image = \"nginx:1\"\n{line}")).shape.hash();
        let shapes = !["health.", "update.", "after "].iter().any(|part| line.starts_with(part));
        assert_eq!(changed != plain, shapes, "{line}");
    }
}

#[test]
fn a_tag_a_range_and_a_digest_are_three_tracks() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (text, wanted) in [
        ("image = \"nginx:1.27\"".to_string(), Track::Tag("1.27".to_string())),
        (format!("image = \"nginx@{digest}\""), Track::Pinned),
        (format!("image = \"nginx:1.27@{digest}\""), Track::Pinned),
        ("image = \"nginx\"\ntrack.semver = \"^1\"".to_string(), Track::Semver("^1".to_string())),
    ] {
        assert_eq!(read(&text).track, wanted, "{text}");
    }
}

#[test]
fn users_are_words_numbers_or_pairs() {
    for (line, wanted) in [
        ("", UserRule::Auto),
        ("user = \"auto\"", UserRule::Auto),
        ("user = \"image\"", UserRule::Image),
        ("user = \"pool\"", UserRule::Pool),
        ("user = \"mapped\"", UserRule::Mapped),
        ("user = 10000", UserRule::Fixed { uid: 10000, gid: 10000 }),
        ("user = \"10000\"", UserRule::Fixed { uid: 10000, gid: 10000 }),
        ("user = \"1:2\"", UserRule::Fixed { uid: 1, gid: 2 }),
        ("user = 0\nallow_root = true", UserRule::Fixed { uid: 0, gid: 0 }),
        ("user = 4294967294", UserRule::Fixed { uid: 4294967294, gid: 4294967294 }),
    ] {
        assert_eq!(read(&format!("image = \"nginx:1\"\n{line}")).shape.user, wanted, "{line}");
    }
    for bad in
        ["4294967295", "-1", "1.5", "\"1:\"", "\":1\"", "\"1:2:3\"", "\"+1\"", "0x10", "true"]
    {
        let text = format!("image = \"nginx:1\"\nuser = {bad}");
        assert!(definition(&name("wallet"), "wallet.toml", &text).is_err(), "{bad}");
    }
}

#[test]
fn one_path_or_a_list_of_them_is_the_same() {
    let one = read(
        "image = \"nginx:1\"\nvolumes = { state = \"/a\", data = { path = \"/b\" }, scratch = \"/c\" }",
    );
    let list = read(
        "image = \"nginx:1\"\nvolumes = { state = [\"/a\"], data = [\"/b/\"], scratch = [\"/c\"] }",
    );
    assert_eq!(one, list);
}

#[test]
fn ports_that_do_not_overlap_live_together() {
    let ports =
        "[\"127.0.0.1:80:80\", \"192.168.1.5:80:80\", \"[::]:80:80\", \"80:80/udp\", \"81:80\"]";
    assert_eq!(read(&format!("image = \"nginx:1\"\nports = {ports}")).shape.ports.len(), 5);
}

#[test]
fn the_name_of_a_file_is_the_name_of_its_app() {
    assert_eq!(
        app_name("/etc/titania-agent/apps.d/global.iop.can.toml").unwrap(),
        name("global.iop.can")
    );
    for (file, hint) in [
        ("Wallet.toml", "rename the file to wallet.toml"),
        ("my wallet.toml", "rename the file to my-wallet.toml"),
        ("wallet-g2.toml", "rename the file to walletg2.toml"),
        ("wallet-probe.toml", "rename the file to wallet.toml"),
        ("_.toml", "rename the file, as in wallet.toml"),
        ("", "rename the file, as in wallet.toml"),
    ] {
        assert_eq!(app_name(file).unwrap_err().hint, hint, "{file}");
    }
    assert_eq!(
        shown(&app_name("apps.d/Wallet.toml").unwrap_err()),
        "apps.d/Wallet.toml:1:1: the file's name names the app, and \"Wallet\" is no app name: 1 to 63 of a-z, 0-9, \
         '.', '_', '-', with a letter or digit at both ends\n  fix: rename the file to wallet.toml"
    );
}
