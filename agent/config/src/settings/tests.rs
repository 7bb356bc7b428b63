//! Promises of the settings: every key to its value, drop-ins over the main file.

use super::*;
use crate::{FILE_BYTES_MAX, shown};

fn read(text: &str, dropins: &[(&str, &str)]) -> Settings {
    settings("agent.toml", text, dropins).unwrap_or_else(|errors| {
        let told: Vec<String> = errors.iter().map(shown).collect();
        panic!("{}", told.join("\n"))
    })
}

const WHOLE: &str = r#"
poll = "30m"

[board]
id = "kitchen-1"
prefix = "home/boards/kitchen-1"

[paths]
apps = "/srv/agent/apps.d"
keys = "/srv/agent/keys"
state = "/srv/agent/state"
volumes = "/datafs/apps/"
socket = "/run/agent.sock"
allow_volatile = true

[engine]
socket = "/run/podman/podman.sock"

[[registry]]
host = "docker.io"
auth = "/root/.docker/config.json"

[[registry]]
host = "nas:5000"
plain_http = true
user = "board"
password_file = "/etc/nas-password"

[[registry]]
host = "registry.example.org"
ca = "/etc/ssl/example.pem"

[mqtt]
url = "mqtts://[2001:db8::1]:8884"
ca = "/etc/ssl/broker.pem"
client_cert = "/etc/ssl/board.pem"
client_key = "/etc/ssl/board.key"
user = "board"
password_file = "/etc/mqtt-password"
commands = []
homeassistant = false
metrics = "1m"

[disk]
reserve = "1GiB"
fork_limit = "2GiB"
keep = 5

[control]
operators = "adm"
"#;

fn some(text: &str) -> Option<String> {
    Some(text.to_string())
}

#[test]
fn every_key_of_the_settings_is_read_to_its_value() {
    let registry =
        |host: &str| RegistrySettings { host: host.to_string(), ..RegistrySettings::default() };
    let wanted = Settings {
        poll: Millis::seconds(1800),
        board: Board { id: some("kitchen-1"), prefix: some("home/boards/kitchen-1") },
        paths: Paths {
            apps: "/srv/agent/apps.d".to_string(),
            keys: "/srv/agent/keys".to_string(),
            state: "/srv/agent/state".to_string(),
            volumes: "/datafs/apps".to_string(),
            socket: "/run/agent.sock".to_string(),
            allow_volatile: true,
        },
        engine: Engine { socket: some("/run/podman/podman.sock") },
        registries: vec![
            RegistrySettings { auth: some("/root/.docker/config.json"), ..registry("docker.io") },
            RegistrySettings {
                plain_http: true,
                user: some("board"),
                password_file: some("/etc/nas-password"),
                ..registry("nas:5000")
            },
            RegistrySettings {
                ca: some("/etc/ssl/example.pem"),
                ..registry("registry.example.org")
            },
        ],
        mqtt: Some(Mqtt {
            host: "2001:db8::1".to_string(),
            port: 8884,
            tls: true,
            ca: some("/etc/ssl/broker.pem"),
            client_cert: some("/etc/ssl/board.pem"),
            client_key: some("/etc/ssl/board.key"),
            user: some("board"),
            password_file: some("/etc/mqtt-password"),
            metrics: Millis::seconds(60),
        }),
        disk: Disk { reserve: 1 << 30, fork_limit: 2 << 30, keep: 5 },
        control: Control { operators: some("adm") },
    };
    assert_eq!(read(WHOLE, &[]), wanted);
}

#[test]
fn an_empty_file_is_the_defaults() {
    let wanted = Settings::default();
    assert_eq!(read("", &[]), wanted);
    assert_eq!(wanted.poll, Millis::seconds(900));
    assert_eq!(
        (wanted.disk.reserve, wanted.disk.fork_limit, wanted.disk.keep),
        (268_435_456, 1_073_741_824, 3)
    );
    assert_eq!((wanted.mqtt, wanted.paths.allow_volatile), (None, false));
}

#[test]
fn ports_of_a_broker_follow_its_scheme() {
    for (url, host, port, tls) in [
        ("mqtt://localhost", "localhost", 1883, false),
        ("mqtts://broker.example.org", "broker.example.org", 8883, true),
        ("mqtt://10.0.0.1:1884/", "10.0.0.1", 1884, false),
        ("mqtt://[::1]", "::1", 1883, false),
    ] {
        let mqtt = read(&format!("[mqtt]\nurl = \"{url}\""), &[]).mqtt.unwrap();
        assert_eq!((mqtt.host.as_str(), mqtt.port, mqtt.tls), (host, port, tls), "{url}");
        assert_eq!(mqtt.metrics, Millis::seconds(300));
    }
    for off in ["0", "\"0s\"", "\"0m\""] {
        let mqtt = read(&format!("[mqtt]\nurl = \"mqtt://a\"\nmetrics = {off}"), &[]).mqtt;
        assert_eq!(mqtt.unwrap().metrics, Millis(0), "{off}");
    }
}

#[test]
fn a_drop_in_overrides_key_by_key_and_the_last_one_wins() {
    let main = "poll = \"15m\"\n[disk]\nkeep = 1\nreserve = \"1GiB\"\n[mqtt]\nurl = \"mqtt://a\"";
    let first = ("10.toml", "poll = \"20m\"\n[disk]\nkeep = 2");
    let second = ("20.toml", "[disk]\nkeep = 4\n[mqtt]\nuser = \"board\"");
    let both = read(main, &[first, second]);
    assert_eq!(both.poll, Millis::seconds(1200));
    assert_eq!((both.disk.keep, both.disk.reserve), (4, 1 << 30));
    let mqtt = both.mqtt.unwrap();
    assert_eq!((mqtt.host.as_str(), mqtt.user.as_deref()), ("a", Some("board")));
    assert_eq!(read(main, &[second, first]).disk.keep, 2);
}

#[test]
fn a_registry_of_a_drop_in_replaces_the_one_of_its_host_and_is_added_else() {
    let main =
        "[[registry]]\nhost = \"docker.io\"\nauth = \"/a\"\n[[registry]]\nhost = \"nas:5000\"";
    let dropin = (
        "10.toml",
        "[[registry]]\nhost = \"index.docker.io\"\nca = \"/ca\"\n[[registry]]\nhost = \"localhost\"",
    );
    let list = read(main, &[dropin]).registries;
    let hosts: Vec<&str> = list.iter().map(|r| r.host.as_str()).collect();
    assert_eq!(hosts, ["nas:5000", "docker.io", "localhost"]);
    assert_eq!((list[1].auth.as_deref(), list[1].ca.as_deref()), (None, Some("/ca")));
}

#[test]
fn what_goes_together_may_stand_in_two_files() {
    let main = "[mqtt]\nurl = \"mqtt://a\"\npassword_file = \"/b\"";
    assert!(settings("agent.toml", main, &[]).is_err());
    let mqtt = read(main, &[("10.toml", "[mqtt]\nuser = \"board\"")]).mqtt.unwrap();
    assert_eq!((mqtt.user.as_deref(), mqtt.password_file.as_deref()), (Some("board"), Some("/b")));
}

#[test]
fn each_file_is_read_up_to_its_limit_and_not_past_it() {
    let comment = format!("#{}", "x".repeat(FILE_BYTES_MAX - 1));
    read(&comment, &[("10.toml", &comment)]);
    let longer = format!("{comment}x");
    let errors = settings("agent.toml", "", &[("10.toml", &longer)]).unwrap_err();
    assert_eq!((errors.len(), errors[0].file.as_str()), (1, "10.toml"));
}

#[test]
fn no_text_brings_it_down() {
    for at in 0..WHOLE.len() {
        for piece in ["\"", "[", "\n", "=", "\u{0}", "é", "9"] {
            let mut text = WHOLE.to_string();
            if text.is_char_boundary(at) {
                text.insert_str(at, piece);
                let read = settings("agent.toml", &text, &[]);
                assert!(read.is_ok() || read.is_err_and(|errors| !errors.is_empty()), "{text}");
            }
        }
    }
}
