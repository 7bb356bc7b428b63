//! Who is asking: passwords, tokens, and where they never go.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use titania_core::reason::{Class, Code};
use titania_core::time::Timestamp;

use super::super::Credentials;
use super::fake::{ARM, Fake};
use super::server::{Reply, Request, Server};
use super::*;

/// A file of its own for a test, gone with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(text: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("titania-registry-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a scratch file");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn with_password(authority: &str, file: &Scratch) -> HostSettings {
    HostSettings {
        user: Some("ann".to_owned()),
        password_file: Some(file.0.clone()),
        ..plain(authority)
    }
}

/// `ann:secret`
const ANN: &str = "Basic YW5uOnNlY3JldA==";

fn one_image(fake: &Fake) {
    fake.put(|store| {
        let image = store.image(ARM, "a");
        store.tag("1", &image);
        store.tag("2", &image);
    });
}

/// A registry that wants tokens, and its own token endpoint: `token-<n>`, good for `life` seconds.
fn token_registry(life: u64) -> Fake {
    let given = AtomicU64::new(0);
    let fake = Fake::bent(move |request: &Request| {
        let last = given.load(Ordering::SeqCst);
        if request.target.starts_with("/token") {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            let text = format!("{{\"token\":\"token-{number}\",\"expires_in\":{life}}}");
            return Some(Reply::new(200, text));
        }
        if request.header("authorization") == format!("Bearer token-{last}") {
            return None;
        }
        let realm = format!("http://{}/token", request.header("host"));
        Some(Reply::new(401, "").with(
            "www-authenticate",
            format!("Bearer realm=\"{realm}\",service=\"reg\",scope=\"repository:app:pull\""),
        ))
    });
    one_image(&fake);
    fake
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept_from_poll_to_poll() {
    let fake = token_registry(3600);
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    board.tag(host, "1").await.expect("resolved");
    let lines = fake.server.take();
    assert_eq!(
        lines[..3],
        [
            "HEAD /v2/app/manifests/1",
            "GET /token?service=reg&scope=repository%3Aapp%3Apull",
            "HEAD /v2/app/manifests/1"
        ]
    );
    assert_eq!(lines.len(), 5, "{lines:?}");
    board.next();
    board.tag(host, "1").await.expect("resolved");
    assert_eq!(fake.server.take(), ["HEAD /v2/app/manifests/1"]);
}

#[tokio::test]
async fn a_token_that_is_over_is_renewed_before_the_request() {
    let fake = token_registry(90);
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    board.tag(host, "1").await.expect("resolved");
    fake.server.take();
    board.next();
    board.tag(host, "1").await.expect("resolved");
    assert_eq!(fake.server.take(), ["HEAD /v2/app/manifests/1"], "still good");
    board.next();
    board.tag(host, "1").await.expect("resolved");
    let lines = fake.server.take();
    assert_eq!(lines.len(), 2, "no request that is bound to be denied: {lines:?}");
    assert!(lines[0].starts_with("GET /token"), "{lines:?}");
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_renewed_once_and_no_oftener() {
    let fake = Fake::bent(|request: &Request| {
        if request.target.starts_with("/token") {
            return Some(Reply::new(200, "{\"access_token\":\"t\",\"expires_in\":3600}"));
        }
        let realm = format!("http://{}/token", request.header("host"));
        Some(Reply::new(401, "").with("www-authenticate", format!("Bearer realm=\"{realm}\"")))
    });
    let host = &fake.server.authority;
    let mut board = Board::of(host);
    for expected in [3, 3] {
        let error = board.error(host, "1").await;
        assert!(
            matches!(error, RegistryError::Denied { status: 401, signed_in: false, .. }),
            "{error:?}"
        );
        assert_eq!(fake.server.take().len(), expected);
        board.next();
    }
}

#[tokio::test]
async fn a_token_for_everything_serves_all_repositories() {
    let fake = Fake::bent(|request: &Request| {
        if request.target.starts_with("/token") {
            return Some(Reply::new(200, "{\"token\":\"all\",\"expires_in\":3600}"));
        }
        if request.header("authorization") == "Bearer all" {
            return None;
        }
        let realm = format!("http://{}/token", request.header("host"));
        Some(Reply::new(401, "").with("www-authenticate", format!("Bearer realm=\"{realm}\"")))
    });
    one_image(&fake);
    let host = &fake.server.authority;
    let board = Board::of(host);
    board.tag(host, "1").await.expect("resolved");
    fake.server.take();
    let image = format!("{host}/other");
    board.resolve(&image, &Track::Tag("2".to_owned())).await.expect("resolved");
    let lines = fake.server.take();
    assert!(!lines.iter().any(|line| line.contains("token")), "{lines:?}");
    assert_eq!(lines.len(), 3, "no 401 in between: {lines:?}");
}

#[tokio::test]
async fn a_password_goes_where_it_is_asked_for_and_then_at_once() {
    let file = Scratch::new("secret\nignored\n");
    let fake = Fake::bent(|request: &Request| {
        (request.header("authorization") != ANN)
            .then(|| Reply::new(401, "").with("www-authenticate", "Basic realm=\"reg\""))
    });
    one_image(&fake);
    let host = &fake.server.authority;
    let mut board = Board::with(&[with_password(host, &file)], PATIENT);
    assert_eq!(board.registries.problems(), []);
    board.tag(host, "1").await.expect("resolved");
    assert_eq!(fake.server.take().len(), 4, "one 401");
    board.next();
    board.tag(host, "1").await.expect("resolved");
    assert_eq!(fake.server.take().len(), 1);
    let anonymous = Board::of(host);
    let error = anonymous.error(host, "1").await;
    let reason = error.reason(Timestamp(0));
    assert_eq!((reason.code, reason.class), (Code::RegistryDenied, Class::Config));
    assert!(reason.message.contains("without credentials (401)"), "{}", reason.message);
    assert!(reason.hint.contains("[[registry]]"), "{}", reason.hint);
    assert_eq!(fake.server.take().len(), 1);
    assert_eq!(anonymous.registries.not_before(host), None, "the registry is well");
}

#[tokio::test]
async fn a_wrong_password_is_denied_after_two_requests_and_never_shown() {
    let file = Scratch::new("secret");
    let server =
        Server::start(|_| Reply::new(401, "").with("www-authenticate", "Basic realm=\"reg\""));
    let host = &server.authority;
    let board = Board::with(&[with_password(host, &file)], PATIENT);
    let error = board.error(host, "1").await;
    assert!(matches!(error, RegistryError::Denied { signed_in: true, .. }), "{error:?}");
    assert_eq!(server.take().len(), 2);
    let credentials = board.registries.credentials(host).expect("there are some");
    let shown = format!("{error} {error:?} {credentials:?} {}", error.hint());
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(
        credentials,
        Credentials::Password { user: "ann".to_owned(), password: "secret".to_owned() }
    );
}

#[tokio::test]
async fn a_token_endpoint_gets_the_password_only_over_tls_or_where_the_settings_allow() {
    let file = Scratch::new("secret");
    let endpoint = Server::start(|_| Reply::new(200, "{\"token\":\"t\"}"));
    let realm = endpoint.authority.clone();
    let registry = Server::start(move |request| {
        if request.header("authorization") == "Bearer t" {
            return Reply::new(404, "");
        }
        let realm = format!("Bearer realm=\"http://{realm}/token\",service=\"s\"");
        Reply::new(401, "").with("www-authenticate", realm)
    });
    let host = &registry.authority;
    let board = Board::with(&[with_password(host, &file)], PATIENT);
    let error = board.error(host, "1").await;
    assert!(error.to_string().contains("is not over https"), "{error}");
    assert_eq!(endpoint.take().len(), 0, "nothing was sent there");
    let both = [with_password(host, &file), plain(&endpoint.authority)];
    let board = Board::with(&both, PATIENT);
    let error = board.error(host, "1").await;
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
    let asked = endpoint.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), ANN);
    assert_eq!(asked[0].target, "/token?service=s");
}

#[tokio::test]
async fn a_refresh_token_is_posted() {
    let auth = Scratch::new(""); // filled in below, when the port is known
    let fake = Fake::bent(|request: &Request| {
        if request.target.starts_with("/token") {
            let is_right = request.method == "POST"
                && request.body.contains("grant_type=refresh_token")
                && request.body.contains("refresh_token=re%2Ffresh")
                && request.header("authorization").is_empty();
            return Some(if is_right {
                Reply::new(200, "{\"access_token\":\"fine\"}")
            } else {
                Reply::new(400, "")
            });
        }
        if request.header("authorization") == "Bearer fine" {
            return None;
        }
        let realm = format!("http://{}/token", request.header("host"));
        Some(Reply::new(401, "").with("www-authenticate", format!("Bearer realm=\"{realm}\"")))
    });
    one_image(&fake);
    let host = &fake.server.authority;
    let text = format!("{{\"auths\":{{\"{host}\":{{\"identitytoken\":\"re/fresh\"}}}}}}");
    std::fs::write(&auth.0, text).expect("a scratch file");
    let settings = HostSettings { auth: Some(auth.0.clone()), ..plain(host) };
    let board = Board::with(&[settings], PATIENT);
    board.tag(host, "1").await.expect("resolved");
}

#[tokio::test]
async fn a_blob_elsewhere_is_fetched_without_credentials_and_still_verified() {
    let file = Scratch::new("secret");
    let storage = Fake::start();
    one_image(&storage);
    let elsewhere = storage.server.authority.clone();
    let fake = Fake::bent(move |request: &Request| {
        if request.header("authorization") != ANN {
            return Some(Reply::new(401, "").with("www-authenticate", "Basic realm=\"reg\""));
        }
        if !request.target.contains("/blobs/") {
            return None;
        }
        let target = format!("http://{elsewhere}{}", request.target);
        Some(Reply::new(307, "").with("location", target))
    });
    one_image(&fake);
    let host = &fake.server.authority;
    let board = Board::with(&[with_password(host, &file)], PATIENT);
    board.tag(host, "1").await.expect("resolved");
    let asked = storage.server.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), "");
    storage.put(|store| {
        let image = store.image(ARM, "a");
        store.spoil_blob(&image.config.expect("an image has one"), b"{\"rootfs\":{}}");
    });
    let error = Board::with(&[with_password(host, &file)], PATIENT).error(host, "1").await;
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_have_an_end_and_manifests_have_none() {
    let fake = Fake::bent(|request: &Request| {
        (request.target.contains("/blobs/") || request.target.ends_with("/manifests/2"))
            .then(|| Reply::new(307, "").with("location", request.target.clone()))
    });
    one_image(&fake);
    let host = &fake.server.authority;
    let board = Board::of(host);
    let error = board.error(host, "1").await;
    assert!(error.to_string().contains("more than 3 redirects"), "{error}");
    let error = board.error(host, "2").await;
    assert!(matches!(error, RegistryError::Server { status: 307, .. }), "{error:?}");
    for target in ["ftp://x/y", "file:///etc/passwd", "http://u@x/y", "//x/y", ""] {
        let fake = Fake::bent(move |request: &Request| {
            request.target.contains("/blobs/").then(|| Reply::new(307, "").with("location", target))
        });
        one_image(&fake);
        let host = &fake.server.authority;
        let error = Board::of(host).error(host, "1").await;
        assert!(matches!(error, RegistryError::Protocol { .. }), "{target}: {error:?}");
    }
}
