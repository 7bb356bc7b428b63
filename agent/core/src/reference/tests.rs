//! References good and bad.

use alloc::format;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn references_are_normalised_as_the_field_does() {
    for (text, host, path, tag) in [
        ("nginx", "docker.io", "library/nginx", None),
        ("nginx:1.27", "docker.io", "library/nginx", Some("1.27")),
        ("skycoin/skycoin:release", "docker.io", "skycoin/skycoin", Some("release")),
        ("docker.io/skycoin/skycoin", "docker.io", "skycoin/skycoin", None),
        ("docker.io/nginx", "docker.io", "library/nginx", None),
        ("index.docker.io/nginx:1", "docker.io", "library/nginx", Some("1")),
        ("index.docker.io/library/nginx:1", "docker.io", "library/nginx", Some("1")),
        ("localhost/app", "localhost", "app", None),
        ("localhost:5000/app:v1", "localhost:5000", "app", Some("v1")),
        ("127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000", "a/b/c", Some("v1")),
        ("[::1]:5000/app", "[::1]:5000", "app", None),
        ("[2001:db8::1]/app:1", "[2001:db8::1]", "app", Some("1")),
        ("ghcr.io/a-b/c__d.e:V_1.2-3", "ghcr.io", "a-b/c__d.e", Some("V_1.2-3")),
        ("a.b/c---d", "a.b", "c---d", None),
    ] {
        let found: Reference = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            (found.repository.host.as_str(), found.repository.path.as_str()),
            (host, path),
            "{text}"
        );
        assert_eq!(found.tag.as_deref(), tag, "{text}");
        assert_eq!(
            found.to_string().parse::<Reference>().as_ref(),
            Ok(&found),
            "{text} shown is read again"
        );
        let with_digest: Reference = format!("{text}@{DIGEST}").parse().unwrap();
        assert_eq!(with_digest.digest.map(|d| d.to_string()).as_deref(), Some(DIGEST));
        assert_eq!((with_digest.repository, with_digest.tag), (found.repository, found.tag));
    }
}

#[test]
fn a_text_that_is_no_reference_is_told_what_is_wrong_with_it() {
    let long = "a/".repeat(130) + "a";
    let long_tag = format!("nginx:{}", "x".repeat(129));
    for (text, wanted) in [
        ("", "an image reference is missing"),
        ("Nginx", "\"Nginx\" is no part of a repository"),
        ("docker.io/a//b", "\"\" is no part of a repository"),
        ("docker.io/a/", "\"\" is no part of a repository"),
        ("a..b/c", "\"a..b\" is no registry host"),
        ("docker.io/a..b", "\"a..b\" is no part of a repository"),
        ("docker.io/a.-b", "\"a.-b\" is no part of a repository"),
        ("docker.io/a-_b", "\"a-_b\" is no part of a repository"),
        ("docker.io/a___b", "\"a___b\" is no part of a repository"),
        ("docker.io/-a", "\"-a\" is no part of a repository"),
        ("docker.io/ü", "\"ü\" is no part of a repository"),
        ("nginx:", "\"\" is no tag"),
        ("nginx:.a", "\".a\" is no tag"),
        ("nginx:a b", "\"a b\" is no tag"),
        (&long_tag, "is no tag"),
        (&long, "a repository name has at most 255 characters, this one 271"),
        ("https://a.b/c", "\"https:\" is no registry host"),
        ("a_b.c/d", "\"a_b.c\" is no registry host"),
        ("nas:0/app", "\"nas:0\" is no registry host"),
        ("nas:70000/app", "\"nas:70000\" is no registry host"),
        ("nas:+80/app", "\"nas:+80\" is no registry host"),
        ("[::1/app", "\"[::1\" is no registry host"),
        ("[::x]:1/app", "\"[::x]:1\" is no registry host"),
        ("::1:5000/app", "\"::1:5000\" is no registry host"),
        ("nginx@sha256:12", "a sha256 digest has 64 hex digits, this one 2"),
        ("nginx@md5:12", "a digest starts with \"sha256:\""),
        ("nginx@", "a digest starts with \"sha256:\""),
    ] {
        let error = text.parse::<Reference>().expect_err(text).to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn tags_have_at_most_128_characters() {
    assert!(is_tag(&"x".repeat(128)));
    assert!(!is_tag(&"x".repeat(129)));
    assert!(!is_tag(""));
}
