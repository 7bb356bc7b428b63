//! Passwords and TLS, with the broker's own.

use std::path::Path;
use std::process::Command;

use titania_core::reason::Code;

use super::broker::free_port;
use super::*;

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_password_is_read_from_its_file_and_a_wrong_one_is_told() {
    on_one_thread(async {
        let broker = Broker::start_with(free_port(), |folder| {
            let file = folder.join("users");
            run("mosquitto_passwd", &["-c", "-b", text(&file), "board", "right"]);
            format!("allow_anonymous false\npassword_file {}\n", file.display())
        });
        broker.wait_for_log("running").await;
        let password = broker.folder.join("password");
        std::fs::write(&password, "wrong\n").unwrap();
        let mut settings = settings(broker.port);
        settings.user = Some("board".into());
        settings.password_file = Some(password.clone());
        let mqtt = Mqtt::start(settings, Metrics::default);
        let error = state(&mqtt, MqttState::Backoff).await.error.unwrap();
        assert_eq!(error.code, Code::BrokerDenied, "{}", error.message);
        std::fs::write(&password, "right\n").unwrap();
        state(&mqtt, MqttState::Connected).await;
        assert_eq!(mqtt.state().borrow().error, None);
    });
}

/// A CA, the broker's certificate for `localhost`, the board's; by openssl.
fn certificates(folder: &Path) {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_string();
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test CA",
            "-keyout",
            &at("ca.key"),
            "-out",
            &at("ca.pem"),
        ],
    );
    std::fs::write(at("names"), "subjectAltName=DNS:localhost\n").unwrap();
    for name in ["broker", "board"] {
        run(
            "openssl",
            &[
                "req",
                "-new",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                &format!("/CN={name}"),
                "-keyout",
                &at(&format!("{name}.key")),
                "-out",
                &at(&format!("{name}.csr")),
            ],
        );
        run(
            "openssl",
            &[
                "x509",
                "-req",
                "-days",
                "2",
                "-in",
                &at(&format!("{name}.csr")),
                "-CA",
                &at("ca.pem"),
                "-CAkey",
                &at("ca.key"),
                "-CAcreateserial",
                "-extfile",
                &at("names"),
                "-out",
                &at(&format!("{name}.pem")),
            ],
        );
    }
}

#[test]
fn tls_needs_the_brokers_certificate_to_be_right_and_shows_the_boards_own() {
    on_one_thread(async {
        let broker = Broker::start_with(free_port(), |folder| {
            certificates(folder);
            let at = |name: &str| folder.join(name).display().to_string();
            format!(
                "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
                at("ca.pem"),
                at("broker.pem"),
                at("broker.key")
            )
        });
        broker.wait_for_log("running").await;
        let at = |name: &str| Some(broker.folder.join(name));
        let mut strict = settings(broker.port);
        strict.address = Address { host: "localhost".into(), port: broker.port, tls: true };

        let unknown = Mqtt::start(strict.clone(), Metrics::default);
        let error = state(&unknown, MqttState::Backoff).await.error.unwrap();
        assert!(error.message.contains("certificate"), "a CA nobody knows: {}", error.message);
        unknown.close().await;

        strict.ca = at("ca.pem");
        let nameless = Mqtt::start(strict.clone(), Metrics::default);
        state(&nameless, MqttState::Backoff).await;
        nameless.close().await;

        strict.client_cert = at("board.pem");
        let half = Mqtt::start(strict.clone(), Metrics::default);
        let error = state(&half, MqttState::Backoff).await.error.unwrap();
        assert_eq!(error.code, Code::ConfigInvalid, "{}", error.message);
        half.close().await;

        strict.client_key = at("board.key");
        let whole = Mqtt::start(strict, Metrics::default);
        state(&whole, MqttState::Connected).await;
        whole.close().await;
    });
}

#[test]
fn p10_a_certificate_that_begins_later_is_the_clocks_fault_only_where_that_was_not_set() {
    on_one_thread(async {
        // Begins in 2100, by an authority that nobody knows: what anybody on the way can show.
        let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/src/registry/tests/certificates");
        let broker = Broker::start_with(free_port(), |_| {
            format!("allow_anonymous true\ncertfile {keys}/later.pem\nkeyfile {keys}/later.key\n")
        });
        broker.wait_for_log("running").await;
        let mut settings = settings(broker.port);
        settings.address.tls = true;
        for (is_synced, code) in [(true, Code::BrokerUnreachable), (false, Code::ClockUnsynced)] {
            let mqtt = Mqtt::start(settings.clone(), Metrics::default);
            mqtt.status(sample::changed(|status| status.clock_synced = is_synced));
            let error = state(&mqtt, MqttState::Backoff).await.error.unwrap();
            assert_eq!(error.code, code, "{}", error.message);
            assert_eq!(error.hint.contains("timedatectl"), !is_synced, "{}", error.hint);
            mqtt.close().await;
        }
    });
}

#[test]
fn an_ipv6_address_is_written_in_brackets() {
    let address = |host: &str, tls| Address { host: host.into(), port: 1884, tls };
    assert_eq!(address("::1", false).to_string(), "mqtt://[::1]:1884");
    assert_eq!(address("broker.example", true).to_string(), "mqtts://broker.example:1884");
}
