//! A broker that does not do its part, or that means harm: the connection ends, nothing else does.

use titania_core::reason::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const CONNACK: &[u8] = &[0x20, 2, 0, 0];

/// Takes one connection and reads its CONNECT.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = until("connection", listener.accept()).await.unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x10, "CONNECT");
    let mut rest = vec![0; usize::from(head[1])];
    stream.read_exact(&mut rest).await.unwrap();
    stream
}

fn publish(payload: usize) -> Vec<u8> {
    let topic = b"titania/b/availability";
    let mut length = 2 + topic.len() + payload;
    let mut packet = vec![0x30];
    while length > 0 {
        let more = if length > 127 { 0x80 } else { 0 };
        packet.push(u8::try_from(length % 128).unwrap() | more);
        length /= 128;
    }
    packet.extend([0, u8::try_from(topic.len()).unwrap()]);
    packet.extend(topic);
    packet.resize(packet.len() + payload, b'x');
    packet
}

#[test]
fn p10_whatever_a_broker_sends_only_ends_the_connection() {
    let in_max = 20 * 1024;
    let over = publish(in_max - 2 - 22 + 1);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no MQTT at all", [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[b'x'; 100]].concat()),
        ("refused", vec![0x20, 2, 0, 5]),
        ("an unknown return code", vec![0x20, 2, 0, 99]),
        ("another packet instead of CONNACK", vec![0xd0, 0]),
        ("a packet of 256 MB announced", [CONNACK, &[0x30, 0xff, 0xff, 0xff, 0x7f]].concat()),
        ("a length of five bytes", [CONNACK, &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff]].concat()),
        ("one byte too many", [CONNACK, over.as_slice()].concat()),
        ("a topic longer than its packet", [CONNACK, &[0x30, 3, 0xff, 0xff, 0]].concat()),
        ("a topic that is no text", [CONNACK, &[0x30, 4, 0, 2, 0xff, 0xfe]].concat()),
        ("QoS 3", [CONNACK, &[0x36, 4, 0, 1, b'a', 0]].concat()),
        ("an acknowledgement nobody waits for", [CONNACK, &[0x40, 2, 0xff, 0xff]].concat()),
        ("an empty acknowledgement", [CONNACK, &[0x40, 0]].concat()),
        ("a release nobody waits for", [CONNACK, &[0x62, 2, 0, 9]].concat()),
        ("a completion nobody waits for", [CONNACK, &[0x70, 2, 0, 9]].concat()),
        ("a SUBACK with unknown codes", [CONNACK, &[0x90, 3, 0, 1, 0x77]].concat()),
        ("CONNECT of its own", [CONNACK, &[0x10, 2, 0, 4]].concat()),
        ("a second CONNACK", [CONNACK, CONNACK].concat()),
        ("a flood", [CONNACK, publish(3).repeat(500).as_slice()].concat()),
    ];
    on_one_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mqtt = start(listener.local_addr().unwrap().port());
        mqtt.event(&sample::event(1));
        for (case, bytes) in cases {
            let mut stream = accept(&listener).await;
            let _ = stream.write_all(&bytes).await;
            let mut rest = Vec::new();
            // It hangs up by itself: this end stays open.
            let ended = until(case, stream.read_to_end(&mut rest)).await;
            assert!(
                ended.is_ok()
                    || ended.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset)
            );
            let shown = state(&mqtt, MqttState::Backoff).await;
            let error = shown.error.expect(case);
            assert!(
                matches!(error.code, Code::BrokerUnreachable | Code::BrokerDenied),
                "{case}: {error:?}"
            );
            assert_eq!(shown.queued, 1, "{case}");
        }
        // And then one that behaves gets what waited.
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let broker = Broker::start_at(port);
        let mut watcher = Watcher::new(port).await;
        assert_eq!(watcher.events(1).await, [1]);
        drop(broker);
    });
}

#[test]
fn a_packet_at_the_limit_is_read() {
    on_one_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _mqtt = start(listener.local_addr().unwrap().port());
        let mut stream = accept(&listener).await;
        stream.write_all(CONNACK).await.unwrap();
        stream.write_all(&publish(20 * 1024 - 2 - 22)).await.unwrap();
        // A ping after it shows that the connection goes on: rumqttc ends it at an unexpected PINGREQ only.
        stream.write_all(&[0xd0, 0]).await.unwrap();
        let mut head = [0; 1];
        until("SUBSCRIBE", stream.read_exact(&mut head)).await.unwrap();
        assert_eq!(head[0], 0x82);
    });
}

#[test]
fn a_broker_that_does_not_acknowledge_is_left() {
    on_one_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::new("titania/b".into(), MqttState::Connecting);
        let patience = Patience {
            silence: Duration::from_secs(600),
            acknowledgement: Duration::from_millis(200),
        };
        tokio::task::spawn_local(connection::keep(
            shared.clone(),
            settings(port),
            patience,
            Metrics::default,
        ));
        for _ in 0..2 {
            let mut stream = accept(&listener).await;
            stream.write_all(CONNACK).await.unwrap();
            let mut read = Vec::new();
            until("hang-up", stream.read_to_end(&mut read)).await.unwrap();
            assert!(read.windows(6).any(|bytes| bytes == b"online"), "it published first");
        }
        let shown = shared.state.borrow().clone();
        assert!(shown.error.unwrap().message.ends_with("does not answer any more"));
    });
}

#[test]
fn a_broker_that_says_nothing_is_left() {
    on_one_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::new("titania/b".into(), MqttState::Connecting);
        let patience = Patience {
            silence: Duration::from_millis(200),
            acknowledgement: Duration::from_secs(600),
        };
        tokio::task::spawn_local(connection::keep(
            shared,
            settings(port),
            patience,
            Metrics::default,
        ));
        for _ in 0..2 {
            let mut stream = accept(&listener).await;
            let mut read = Vec::new();
            until("hang-up", stream.read_to_end(&mut read)).await.unwrap();
        }
    });
}
