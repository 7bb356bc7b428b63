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
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_password_is_read_from_its_file_and_a_wrong_one_is_told() {
    on_one_thread(async {
        let broker = Broker::start_with(free_port(), |folder| {
            let file = folder.join("users");
            run(
                "mosquitto_passwd",
                &["-c", "-b", text(&file), "board", "right"],
            );
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
        strict.address = format!("mqtts://localhost:{}", broker.port)
            .parse()
            .unwrap();

        let unknown = Mqtt::start(strict.clone(), Metrics::default);
        let error = state(&unknown, MqttState::Backoff).await.error.unwrap();
        assert!(
            error.message.contains("certificate"),
            "a CA nobody knows: {}",
            error.message
        );
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
fn an_address_is_parsed_once() {
    let good = [
        ("mqtt://broker.example", "broker.example", 1883, false),
        ("mqtts://broker.example", "broker.example", 8883, true),
        ("mqtt://10.0.0.7:1884/", "10.0.0.7", 1884, false),
        ("mqtt://[fe80::1]:1884", "[fe80::1]", 1884, false),
        ("mqtt://[::1]", "[::1]", 1883, false),
    ];
    for (url, host, port, tls) in good {
        let address: Address = url.parse().unwrap();
        assert_eq!(
            (address.host.as_str(), address.port, address.tls),
            (host, port, tls),
            "{url}"
        );
    }
    for (url, wanted) in [
        (
            "http://x",
            "\"http://x\" is no broker's address: write mqtt://host:port or mqtts://host:port",
        ),
        ("mqtt://user:pw@x", "\"pw@x\" is no port: 1 to 65535"),
        (
            "mqtt://user@x",
            "\"user@x\" is no host: write mqtt://host:port, user and password have keys of their own",
        ),
        (
            "mqtt://:1883",
            "\"\" is no host: write mqtt://host:port, user and password have keys of their own",
        ),
        ("mqtt://x:0", "\"0\" is no port: 1 to 65535"),
        ("mqtt://x:65536", "\"65536\" is no port: 1 to 65535"),
        (
            "mqtt://::1",
            "\":\" is no host: write mqtt://host:port, user and password have keys of their own",
        ),
    ] {
        assert_eq!(url.parse::<Address>().unwrap_err().to_string(), wanted);
    }
}
