//! Which answers of a registry are taken, which are refused.

use super::*;
use titania_core::definition::{Health, Shape, Update};
use titania_core::names::Generation;
use titania_core::track::Track;

fn release(config: u8, version: Option<&str>, created: Option<i64>) -> Release {
    Release {
        repository: Some("registry.local/app".into()),
        version: version.map(Into::into),
        config: Some(Digest::from_raw([config; 32])),
        created: created.map(Timestamp),
        ..Release::default()
    }
}

fn definition() -> Definition {
    let image = "registry.local/app:stable".parse().expect("a reference");
    Definition {
        shape: Shape::of(image),
        track: Track::Tag("stable".into()),
        after: Vec::new(),
        health: Health::default(),
        update: Update::default(),
    }
}

#[test]
fn an_older_candidate_is_refused_unless_allowed() {
    let mut definition = definition();
    let hash = definition.shape.hash();
    let current = Committed {
        generation: Generation(1),
        count: 1,
        spec: Arc::new(spec(&definition, hash, &release(2, Some("2.0.0"), None), None)),
        at: Timestamp(0),
    };
    let older = release(1, Some("1.0.0"), None);
    fn measure<'a>(definition: &'a Definition, current: &'a Committed) -> Measure<'a> {
        let hash = definition.shape.hash();
        Measure { definition, hash, current: Some(current), at: Timestamp(0) }
    }
    let Candidate::Refused(refusal) = judge(&older, measure(&definition, &current)) else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason.code, Code::Downgrade);
    assert_eq!(refusal.reason.message, "1.0.0 is older than 2.0.0, which runs");
    definition.update.allow_downgrade = true;
    assert!(matches!(judge(&older, measure(&definition, &current)), Candidate::Known(_)));
}

#[test]
fn p6_the_user_is_carried_over_under_auto_alone() {
    let mut definition = definition();
    let hash = definition.shape.hash();
    let owner = Owner { uid: 70001, gid: 70001 };
    let mut before = spec(&definition, hash, &release(1, None, None), None);
    before.user = Some(owner);
    let current =
        Committed { generation: Generation(1), count: 1, spec: Arc::new(before), at: Timestamp(0) };
    assert_eq!(kept_user(&definition, Some(&current)), Some(owner));
    assert_eq!(kept_user(&definition, None), None);
    definition.shape.allow_root = true;
    assert_eq!(kept_user(&definition, Some(&current)), None);
    definition.shape.allow_root = false;
    definition.shape.user = UserRule::Pool;
    assert_eq!(kept_user(&definition, Some(&current)), None);
}

#[test]
fn a_candidate_may_be_too_young() {
    let mut definition = definition();
    definition.update.min_age = Millis(1000);
    for (created, at, want) in [
        (Some(5000), 5000, Young::For(Millis(1000))),
        (Some(5000), 5400, Young::For(Millis(600))),
        (Some(5000), 6000, Young::No),
        (Some(5000), 4000, Young::For(Millis(1000))),
        (None, 0, Young::No),
    ] {
        let judged = young(&release(1, None, created), &definition, true, Timestamp(at));
        assert_eq!(judged, want, "{created:?} at {at}");
    }
}

#[test]
fn an_age_waits_for_the_clock_and_says_so() {
    let mut definition = definition();
    let old = release(1, None, Some(5000));
    let in_1970 = Timestamp(60_000);
    assert_eq!(young(&old, &definition, false, in_1970), Young::No, "no age is wanted");
    definition.update.min_age = Millis(1000);
    let Young::Unknown(reason) = young(&old, &definition, false, in_1970) else {
        panic!("it is told how old it is by a clock that nobody set");
    };
    assert_eq!((reason.code, reason.class), (Code::ClockUnsynced, Class::Environment));
    assert!(reason.message.contains("update.min_age"), "{reason:?}");
    assert!(reason.hint.contains("timedatectl"), "{reason:?}");
    assert_eq!(young(&old, &definition, true, in_1970), Young::No);
    assert_eq!(young(&release(1, None, None), &definition, false, in_1970), Young::No);
}
