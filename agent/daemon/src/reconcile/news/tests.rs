//! Which change of a record is told as which event.

use super::*;
use titania_core::digest::Digest;
use titania_core::names::{BootId, Generation};
use titania_core::reason::{Class, Code};
use titania_core::record::Quarantined;
use titania_core::status::StepName;
use titania_core::time::{Millis, Timestamp};

fn app() -> AppName {
    "wallet".parse().expect("a name")
}

fn release(version: &str) -> Release {
    Release {
        version: Some(version.into()),
        config: Some(Digest::of(version.as_bytes())),
        ..Release::default()
    }
}

fn reason() -> Reason {
    Reason::new(Code::Exited, Class::Release, "it exited with code 3", "docker logs", Timestamp(0))
}

fn outcome(ending: Ending, trigger: Trigger) -> Outcome {
    Outcome {
        schema: 1,
        id: "wallet-g2".into(),
        app: app(),
        generation: Some(Generation(2)),
        trigger,
        by: None,
        from: Some(release("1.0.0")),
        to: Some(release("2.0.0")),
        boot_id: BootId("b".into()),
        started_at: Timestamp(0),
        ended_at: Timestamp(1),
        outcome: ending,
        reason: (ending != Ending::Committed).then(reason),
        step: StepName::Probation,
        down_ms: Some(Millis(400)),
        snapshot: None,
        steps: Vec::new(),
    }
}

#[test]
fn each_ending_has_its_event_told_once() {
    let old = Record::default();
    for (ending, trigger, kind, text) in [
        (
            Ending::Committed,
            Trigger::Tag,
            EventType::UpdateCommitted,
            "wallet: 1.0.0 → 2.0.0 is done",
        ),
        (
            Ending::Committed,
            Trigger::Install,
            EventType::AppInstalled,
            "wallet: 2.0.0 is installed",
        ),
        (
            Ending::RolledBack,
            Trigger::Tag,
            EventType::UpdateRolledBack,
            "wallet: 2.0.0 failed, 1.0.0 runs again: it exited with code 3",
        ),
        (
            Ending::Inconclusive,
            Trigger::Tag,
            EventType::UpdateInconclusive,
            "wallet: 2.0.0 did not come up, 1.0.0 is back: it exited with code 3",
        ),
    ] {
        let new = Record { last: Some(outcome(ending, trigger)), ..Record::default() };
        let told = of_change(&app(), &old, &new, &Change::Conclude);
        let seen: Vec<_> = told.iter().map(|told| (told.kind, told.text.as_str())).collect();
        assert_eq!(seen, [(kind, text)]);
        assert_eq!(told[0].update.as_deref(), Some("wallet-g2"));
        assert_eq!(of_change(&app(), &new, &new, &Change::Conclude), [], "told once");
    }
}

#[test]
fn a_release_that_is_quarantined_is_told_with_its_reason() {
    let entry = Quarantined {
        config: Digest::of(b"2.0.0"),
        definition: Digest::of(b"d"),
        tag: Some("stable".into()),
        reason: reason(),
        at: Timestamp(0),
    };
    let last = Some(outcome(Ending::RolledBack, Trigger::Tag));
    let new = Record { last, quarantine: vec![entry], ..Record::default() };
    let told = of_change(&app(), &Record::default(), &new, &Change::Conclude);
    let kinds: Vec<_> = told.iter().map(|told| told.kind).collect();
    assert_eq!(kinds, [EventType::UpdateRolledBack, EventType::ReleaseQuarantined]);
    assert_eq!(told[1].release.as_ref().and_then(|r| r.version.as_deref()), Some("2.0.0"));
    let cleared = of_change(&app(), &new, &Record::default(), &Change::Retry);
    assert_eq!(
        cleared.iter().map(|told| told.kind).collect::<Vec<_>>(),
        [EventType::QuarantineCleared]
    );
}
