//! Whom TLS trusts. The certificates here are the tests' own: the authority's key is gone, the server's is public.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use titania_core::reason::{Class, Code};
use titania_core::time::{Millis, Timestamp};

use super::*;

pub fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/registry/tests/certificates").join(name)
}

/// A server of TLS that answers whatever comes with 404.
fn server() -> String {
    server_of("server")
}

/// The same with another certificate and its key.
fn server_of(name: &str) -> String {
    let chain = CertificateDer::pem_file_iter(certificate(&format!("{name}.pem")))
        .expect("a file")
        .collect::<Result<Vec<_>, _>>()
        .expect("certificates");
    let key = PrivateKeyDer::from_pem_file(certificate(&format!("{name}.key"))).expect("a key");
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let authority = listener.local_addr().expect("its address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            std::thread::spawn(move || answer(StreamOwned::new(connection, stream)));
        }
    });
    authority
}

fn answer(mut tls: StreamOwned<ServerConnection, TcpStream>) {
    let mut seen = Vec::new();
    let mut piece = [0u8; 1024];
    while let Ok(n @ 1..) = tls.read(&mut piece) {
        seen.extend_from_slice(&piece[..n]);
        if seen.ends_with(b"\r\n\r\n") {
            let _ = tls.write_all(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n");
            seen.clear();
        }
    }
}

fn trusting(authority: &str, ca: Option<PathBuf>) -> HostSettings {
    HostSettings { host: authority.to_owned(), ca, ..HostSettings::default() }
}

#[tokio::test]
async fn an_authority_of_the_settings_is_trusted_and_none_else() {
    let host = server();
    let board = Board::with(&[trusting(&host, Some(certificate("ca.pem")))], PATIENT);
    let error = board.error(&host, "1").await;
    assert!(matches!(error, RegistryError::NotFound { .. }), "it answered: {error:?}");
    let board = Board::with(&[trusting(&host, None)], PATIENT);
    let error = board.error(&host, "1").await;
    assert!(matches!(error, RegistryError::Unreachable { cause: NoAnswer::Tls, .. }), "{error:?}");
    assert!(error.hint().contains("ca = "), "{}", error.hint());
}

#[tokio::test]
async fn a_certificate_that_begins_later_is_the_clock_s_fault_and_looked_at_again_each_minute() {
    // Begins in 2100: what a board that wakes up in 1970 sees of every certificate.
    let host = server_of("later");
    let settings = [trusting(&host, Some(certificate("later-ca.pem")))];
    let mut board = Board::with_clock(&settings, PATIENT, || false);
    for _ in 0..12 {
        let error = board.error(&host, "1").await;
        let is_clock = matches!(error, RegistryError::Unreachable { cause: NoAnswer::Clock, .. });
        assert!(is_clock, "{error:?}");
        let reason = error.reason(Timestamp(0));
        assert_eq!((reason.code, reason.class), (Code::ClockUnsynced, Class::Environment));
        assert!(reason.message.contains("not valid yet by the board's clock"), "{reason:?}");
        assert!(reason.hint.contains("timedatectl"), "{reason:?}");
        let pause = board.registries.not_before(&host).expect("a pause");
        assert!(pause.at.since(board.now) <= Millis::seconds(61), "{pause:?}");
        board.now = pause.at;
    }
}

#[tokio::test]
async fn p10_a_certificate_that_begins_later_is_not_the_clock_s_fault_where_that_was_set() {
    let host = server_of("later");
    // Whether its authority is known or not: anybody on the way can show such a certificate.
    for ca in [None, Some(certificate("later-ca.pem"))] {
        let board = Board::with(&[trusting(&host, ca)], PATIENT);
        let error = board.error(&host, "1").await;
        let is_tls = matches!(error, RegistryError::Unreachable { cause: NoAnswer::Tls, .. });
        assert!(is_tls && !error.is_of_clock(), "{error:?}");
        assert_eq!(error.reason(Timestamp(0)).code, Code::RegistryUnreachable);
        assert!(!error.hint().contains("timedatectl"), "{}", error.hint());
    }
}

/// A server that reads some bytes, says `answer` to whatever they are, and hangs up.
fn deaf(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let authority = listener.local_addr().expect("its address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0u8; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    authority
}

#[tokio::test]
async fn a_server_without_tls_is_told_and_what_to_write() {
    for answer in [&b"HTTP/1.0 400 Bad Request\r\n\r\n"[..], b""] {
        let host = deaf(answer);
        let board = Board::with(&[trusting(&host, Some(certificate("ca.pem")))], PATIENT);
        let error = board.error(&host, "1").await;
        assert!(
            matches!(error, RegistryError::Unreachable { cause: NoAnswer::Tls, .. }),
            "{error:?}"
        );
        assert!(error.hint().contains("plain_http = true"), "{error} {}", error.hint());
    }
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_a_fault_of_the_settings() {
    let host = server();
    for (file, text) in [
        (certificate("missing.pem"), "can't be read"),
        (certificate("server.key"), "has no certificate"),
    ] {
        let board = Board::with(&[trusting(&host, Some(file))], PATIENT);
        let error = board.error(&host, "1").await;
        assert!(matches!(error, RegistryError::Settings { .. }), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
    }
}
