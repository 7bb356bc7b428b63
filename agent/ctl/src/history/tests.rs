//! The whole output.

use super::*;
use crate::status::tests::snapshot;

#[test]
fn history_reads_as_it_should() {
    let history: History = serde_json::from_str(include_str!("tests/history.json")).unwrap();
    let wide = Look { width: Some(80), colour: false };
    snapshot("history", "wide", &render(&history, wide));
    snapshot("history", "plain", &render(&history, Look { width: None, colour: false }));
    snapshot("history", "none", &render(&History::default(), wide));
    for line in render(&history, wide).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn releases_of_one_name_are_told_apart_by_their_digests() {
    let release = |version: Option<&str>, digit: &str| Release {
        tag: Some("stable".into()),
        version: version.map(String::from),
        config: Some(format!("sha256:{}", digit.repeat(64))),
        ..Release::default()
    };
    let (one, two) = (release(None, "1"), release(None, "2"));
    assert_eq!(releases(Some(&one), Some(&two)), "111111111111 -> 222222222222");
    assert_eq!(releases(Some(&one), Some(&one)), "stable -> stable");
    assert_eq!(releases(None, Some(&two)), "- -> stable");
    let (old, new) = (release(Some("1.0"), "1"), release(Some("1.1"), "2"));
    assert_eq!(releases(Some(&old), Some(&new)), "1.0 -> 1.1");
}
