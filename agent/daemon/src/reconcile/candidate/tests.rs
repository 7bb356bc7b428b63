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
        (Some(5000), 5000, 1000),
        (Some(5000), 5400, 600),
        (Some(5000), 6000, 0),
        (Some(5000), 4000, 1000),
        (None, 0, 0),
    ] {
        let young = is_young_for(&release(1, None, created), &definition, Timestamp(at));
        assert_eq!(young, Millis(want), "{created:?} at {at}");
    }
}
