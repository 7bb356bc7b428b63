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
