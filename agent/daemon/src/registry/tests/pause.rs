//! Registries that are away, or want to be left alone.

use titania_core::reason::{Class, Code};
use titania_core::time::{Millis, Timestamp};

use super::super::NotBefore;
use super::super::backoff::{Backoff, WAIT_MAX};
use super::fake::{ARM, Fake};
use super::server::{Reply, Server};
use super::*;

fn busy(header: &'static str) -> Server {
    Server::start(move |_| Reply::new(429, "").with("retry-after", header))
}

#[tokio::test]
async fn a_429_is_honoured_and_nothing_is_sent_before_its_time() {
    let server = busy("120");
    let host = &server.authority;
    let mut board = Board::of(host);
    let error = board.error(host, "1").await;
    assert_eq!(
        error,
        RegistryError::RateLimited {
            host: host.clone(),
            retry_after: Some(Duration::from_secs(120)),
        }
    );
    let reason = error.reason(Timestamp(0));
    assert_eq!((reason.code, reason.class), (Code::RateLimited, Class::Environment));
    let pause = board.registries.not_before(host).expect("a pause");
    assert!(pause.ordered);
    assert!(pause.at >= board.now.after(Millis::seconds(120)));
    assert_eq!(server.take().len(), 1);
    board.next(); // a minute later: an operator asks
    let error = board.error(host, "1").await;
    let RegistryError::RateLimited { retry_after: Some(left), .. } = error else {
        panic!("{error:?}");
    };
    assert!(left <= Duration::from_secs(61), "{left:?}");
    assert_eq!(server.take().len(), 0);
    let other: Reference = format!("{host}/other").parse().expect("a reference");
    let digest = titania_core::digest::Digest::of(b"");
    assert!(board.registries.exists(&other.repository, &digest, board.now).await.is_err());
    assert_eq!(server.take().len(), 0, "the pause is the whole host's");
    board.now = pause.at;
    board.error(host, "1").await;
    assert_eq!(server.take().len(), 1, "its time has come");
}

#[tokio::test]
async fn a_day_is_the_longest_pause_and_a_date_counts_from_the_answers_own() {
    for (value, seconds) in [
        ("99999999999999999999", 86_400),
        ("1000000", 86_400),
        ("0", 10),
        ("Tue, 24 Nov 2026 08:10:30 GMT", 630),
    ] {
        let server = Server::start(move |_| {
            Reply::new(503, "")
                .with("retry-after", value)
                .with("date", "Tue, 24 Nov 2026 08:00:00 GMT")
        });
        let host = &server.authority;
        let board = Board::of(host);
        board.error(host, "1").await;
        let pause = board.registries.not_before(host).expect(value);
        assert!(pause.ordered, "{value}");
        let wait = pause.at.since(board.now);
        let most = Millis(seconds * 1000 + 5000);
        assert!(wait >= Millis::seconds(seconds) && wait <= most, "{value}: {wait:?}");
    }
}

#[test]
fn our_own_pause_doubles_from_10_s_to_6_h_and_ends_with_an_answer() {
    let mut backoff = Backoff::default();
    let now = Moment(5);
    let mut waits = Vec::new();
    for _ in 0..40 {
        backoff.failed(now, None, WAIT_MAX);
        waits.extend(backoff.not_before().map(|pause| pause.at.since(now).0 / 1000));
    }
    assert_eq!(waits[..4], [10, 20, 40, 80]);
    assert_eq!(waits[11..13], [20_480, 21_600]);
    assert_eq!(waits[39], 21_600);
    assert_eq!(backoff.ordered(now), None, "our own pause binds no operator");
    backoff.failed(now, Some(Millis::seconds(30)), WAIT_MAX);
    assert_eq!(
        backoff.not_before(),
        Some(NotBefore { at: now.after(Millis::seconds(30)), ordered: true })
    );
    backoff.answered();
    assert_eq!(backoff.not_before(), None);
    backoff.failed(now, None, WAIT_MAX);
    assert_eq!(backoff.not_before().map(|pause| pause.at), Some(now.after(Millis::seconds(10))));
}

#[tokio::test]
async fn a_registry_that_is_away_is_asked_once_a_round_and_what_was_known_stays() {
    let away = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let gone = std::sync::Arc::clone(&away);
    let fake = Fake::bent(move |_| {
        gone.load(std::sync::atomic::Ordering::SeqCst)
            .then(|| Reply::new(500, "{\"errors\":[{\"message\":\"no disk\"}]}"))
    });
    fake.put(|store| {
        let image = store.image(ARM, "a");
        store.tag("1", &image);
        store.tag("2", &image);
    });
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    let found = board.tag(host, "1").await.expect("resolved");
    fake.server.take();
    away.store(true, std::sync::atomic::Ordering::SeqCst);
    board.next();
    let first = board.tag(host, "1").await.expect_err("away");
    assert!(!first.refuses());
    assert_eq!(first.error.reason(Timestamp(0)).code, Code::RegistryUnreachable);
    assert_eq!(board.tag(host, "2").await.expect_err("away"), first);
    assert_eq!(fake.server.take().len(), 1);
    away.store(false, std::sync::atomic::Ordering::SeqCst);
    board.next();
    assert_eq!(board.tag(host, "1").await, Ok(found));
    assert_eq!(fake.server.take(), ["HEAD /v2/app/manifests/1"]);
    assert_eq!(board.registries.not_before(host), None);
}

#[tokio::test]
async fn a_port_where_nobody_listens_and_a_name_that_nobody_has_are_told_apart() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("its address").port()
    };
    let cases = [
        (format!("127.0.0.1:{port}"), NoAnswer::Connect),
        ("no-such-host.invalid:5000".to_owned(), NoAnswer::Dns),
    ];
    for (host, expected) in cases {
        let board = Board::of(&host);
        let error = board.error(&host, "1").await;
        let RegistryError::Unreachable { cause, host: named, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!((*cause, named), (expected, &host));
        let reason = error.reason(Timestamp(0));
        assert_eq!((reason.code, reason.class), (Code::RegistryUnreachable, Class::Environment));
        assert!(reason.message.starts_with(&format!("{host} can't be reached: ")));
        let pause = board.registries.not_before(&host).expect("a pause");
        assert!(!pause.ordered);
    }
}
