//! Headers of strangers.

use hyper::HeaderMap;
use hyper::header::{DATE, HeaderName, HeaderValue, LINK, RETRY_AFTER, WWW_AUTHENTICATE};

use super::super::challenge::{Bearer, Challenge, challenge};
use super::super::headers::{content_digest, next_page, query_value, retry_after};
use super::*;

fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value")))
        .collect()
}

fn bearer(realm: &str, service: &str, scope: &str) -> Option<Challenge> {
    Some(Challenge::Bearer(Bearer {
        realm: realm.to_owned(),
        service: service.to_owned(),
        scope: scope.to_owned(),
    }))
}

#[test]
fn challenges_are_read_as_registries_write_them() {
    let read = |text: &str| challenge(&headers(&[(WWW_AUTHENTICATE, text)]));
    assert_eq!(
        read(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push""#
        ),
        bearer(
            "https://auth.docker.io/token",
            "registry.docker.io",
            "repository:library/alpine:pull,push"
        )
    );
    assert_eq!(read("bearer  realm=https://a/t , service=s"), bearer("https://a/t", "s", ""));
    assert_eq!(read(r#"Bearer realm="a\"b", error="x=y""#), bearer("a\"b", "", ""));
    assert_eq!(read("Basic realm=\"x\""), Some(Challenge::Basic));
    assert_eq!(read("basic"), Some(Challenge::Basic));
    for none in [
        "",
        "Bearer",
        "Bearer realm=\"",
        "Bearer realm=\"a\\",
        "Digest realm=\"x\"",
        "Bearer service=\"s\"",
    ] {
        assert_eq!(read(none), None, "{none}");
    }
    assert_eq!(read(&format!("Bearer realm=\"{}\"", "x".repeat(5000))), None);
    let both = headers(&[
        (WWW_AUTHENTICATE, "Basic realm=\"x\""),
        (WWW_AUTHENTICATE, "Bearer realm=\"r\""),
    ]);
    assert_eq!(challenge(&both), bearer("r", "", ""), "a token before a password");
}

#[test]
fn retry_after_is_seconds_or_a_date_and_a_day_at_most() {
    let read = |value: &str| retry_after(&headers(&[(RETRY_AFTER, value)])).map(|d| d.as_secs());
    assert_eq!(read("17"), Some(17));
    assert_eq!(read("86401"), Some(86_400));
    assert_eq!(read("-1"), None);
    assert_eq!(read("soon"), None);
    assert_eq!(read("Tue, 24 Nov 2026 08:00:17 GMT"), None, "no Date beside it: no clock is asked");
    let dated = |until: &str| {
        let date = "Tue, 24 Nov 2026 08:00:00 GMT";
        retry_after(&headers(&[(RETRY_AFTER, until), (DATE, date)])).map(|d| d.as_secs())
    };
    assert_eq!(dated("Tue, 24 Nov 2026 08:00:17 GMT"), Some(17));
    assert_eq!(dated("Tue, 24 Nov 2026 07:00:00 GMT"), Some(0));
    assert_eq!(dated("Mon, 24 Nov 2026 09:00:00 GMT"), None, "the weekday is wrong");
    assert_eq!(dated("Thu, 24 Nov 2095 07:00:00 GMT"), Some(86_400));
}

#[test]
fn the_next_page_is_on_the_same_host_and_in_its_api() {
    let read = |value: &str| next_page(&headers(&[(LINK, value)]), "reg:5000");
    let next = Some("/v2/a/tags/list?last=x&n=2".to_owned());
    assert_eq!(read("</v2/a/tags/list?last=x&n=2>; rel=\"next\""), next);
    assert_eq!(read("<https://reg:5000/v2/a/tags/list?last=x&n=2>; rel=next"), next);
    for none in [
        "<https://evil/v2/a/tags/list>; rel=\"next\"",
        "<https://reg:5000.evil/v2/a>; rel=\"next\"",
        "<https://reg:5000@evil/v2/a>; rel=\"next\"",
        "</etc/passwd>; rel=\"next\"",
        "</v2/a>; rel=\"prev\"",
        "</v2/a",
        "",
    ] {
        assert_eq!(read(none), None, "{none}");
    }
}

#[test]
fn a_digest_that_is_none_is_none() {
    let name = HeaderName::from_static("docker-content-digest");
    let digest = titania_core::digest::Digest::of(b"x");
    let read = |value: &str| content_digest(&headers(&[(name.clone(), value)]));
    assert_eq!(read(&digest.to_string()), Some(digest));
    assert_eq!(read("sha256:short"), None);
    assert_eq!(read("sha512:00"), None);
}

#[test]
fn values_of_a_query_hold_nothing_that_ends_them() {
    assert_eq!(
        query_value("repository:a/b:pull&x=1 ä"),
        "repository%3Aa%2Fb%3Apull%26x%3D1%20%C3%A4"
    );
}

#[test]
fn docker_hub_is_asked_where_its_api_is() {
    let registries = Registries::new(&[], PATIENT, || true);
    let host = registries.inner.host("docker.io");
    let uri = host.uri("/v2/library/alpine/tags/list", "x").expect("an address");
    assert_eq!(uri.to_string(), "https://registry-1.docker.io/v2/library/alpine/tags/list");
    let host = registries.inner.host("ghcr.io");
    assert_eq!(host.uri("/v2/", "x").expect("an address").to_string(), "https://ghcr.io/v2/");
}
