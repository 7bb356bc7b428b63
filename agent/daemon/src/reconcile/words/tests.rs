//! Each reason in words.

use std::collections::BTreeSet;

use super::*;
use titania_core::digest::Digest;

const DOCUMENT: &str = include_str!("../../../../../docs/reasons.md");
const CODES: &str = include_str!("../../../../core/src/reason.rs");

/// `ExitUnseen` as `exit_unseen`.
fn snake(word: &str) -> String {
    word.chars()
        .enumerate()
        .flat_map(|(place, c)| {
            let dash = (c.is_uppercase() && place > 0).then_some('_');
            dash.into_iter().chain(c.to_lowercase())
        })
        .collect()
}

#[test]
fn every_reason_stands_in_the_docs_once_and_no_other() {
    let body = CODES.split_once("pub enum Code {").unwrap().1.split_once('}').unwrap().0;
    let codes: BTreeSet<String> =
        body.lines().filter_map(|line| line.trim().strip_suffix(',')).map(snake).collect();
    assert!(codes.contains("engine_away") && codes.len() > 30);
    let told: Vec<String> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code.to_owned())
        .filter(|word| !["release", "environment", "config"].contains(&word.as_str()))
        .collect();
    let unique: BTreeSet<String> = told.iter().cloned().collect();
    let missing: Vec<_> = codes.difference(&unique).collect();
    let unknown: Vec<_> = unique.difference(&codes).collect();
    assert_eq!((missing, unknown), (Vec::new(), vec![]));
    // `operator` is a class and a code.
    assert_eq!(told.len(), unique.len() + 1);
}

#[test]
fn a_release_is_called_by_the_best_name_it_has() {
    let config = Digest::of(b"x");
    let all = Release {
        version: Some("1.2.0".to_owned()),
        tag: Some("stable".to_owned()),
        config: Some(config),
        ..Release::default()
    };
    let tagged = Release { version: None, ..all.clone() };
    let bare = Release { tag: None, ..tagged.clone() };
    let short = config.short();
    for (what, want) in [
        (&all, "1.2.0"),
        (&tagged, "stable"),
        (&bare, short.as_str()),
        (&Release::default(), "an unknown release"),
    ] {
        assert_eq!(release(what), want);
    }
}

#[test]
fn an_event_is_one_line_that_says_who_what_and_why() {
    let app: AppName = "wallet".parse().unwrap();
    let to = Release { version: Some("2.0.0".to_owned()), ..Release::default() };
    let why = Reason::new(Code::Unhealthy, Class::Release, "its probe said no", "", Timestamp(0));
    for (made, want) in [
        (
            event(EventType::UpdateRolledBack, Some(&app), Some(&to), Some(&why)),
            "wallet: release 2.0.0 failed, the old one runs again: its probe said no",
        ),
        (event(EventType::AppStarted, Some(&app), None, None), "wallet: started"),
        (event(EventType::EngineBack, None, None, None), "the engine answers again"),
        (
            event(EventType::UpdateStarted, Some(&app), Some(&to), None),
            "wallet: the update to release 2.0.0 begins",
        ),
    ] {
        assert_eq!(made, want);
    }
}

#[test]
fn what_a_person_must_act_upon_is_an_error() {
    assert_eq!(level(EventType::UpdateRolledBack), Level::Error);
    assert_eq!(level(EventType::AppPutRight), Level::Warning);
    assert_eq!(level(EventType::UpdateCommitted), Level::Info);
}

#[test]
fn a_failure_waits_for_what_would_mend_it() {
    for (code, want) in [
        (Code::DiskLow, WaitingFor::Disk),
        (Code::PortInUse, WaitingFor::Port),
        (Code::PortLeaked, WaitingFor::Port),
        (Code::RateLimited, WaitingFor::Registry),
        (Code::DeviceMissing, WaitingFor::Device),
        (Code::VolumesMissing, WaitingFor::Volumes),
        (Code::Exited, WaitingFor::Backoff),
    ] {
        assert_eq!(awaits(code), want, "{code:?}");
    }
}
