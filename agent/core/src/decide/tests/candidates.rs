//! Which candidate is taken: definitions that change, refusals, releases that were left, holds.

use super::*;
use crate::record::{AGENT, Hold, Refused};
use crate::step::Refusal;

#[test]
fn p4_a_changed_definition_waits_for_no_candidate_that_may_not_be_tried() {
    let changed = |candidate: Candidate| {
        with(steady(), |w| {
            let other = Spec { hash: Digest::of(b"other"), ..(*spec(b"old")).clone() };
            w.wanted = Some(Wanted {
                hash: other.hash,
                with_current: Some(Arc::new(other)),
                rollback: true,
            });
            w.candidate = candidate;
        })
    };
    let refusal = |code| {
        let (release, definition) = (spec(b"new").release.clone(), Digest::of(b"other"));
        Refusal { release, definition, reason: reason(code, Class::Config) }
    };
    let gone = reason(Code::RegistryUnreachable, Class::Environment);
    let quarantined = with(changed(Candidate::Known(spec(b"new"))), |w| {
        w.record.quarantine.push(Quarantined {
            config: Digest::of(b"new"),
            definition: spec(b"new").hash,
            tag: None,
            reason: reason(Code::Exited, Class::Release),
            at: Timestamp(0),
        });
    });
    check(&[
        ("quarantined", quarantined, "write Begin"),
        ("unreachable", changed(Candidate::Unreachable(gone)), "write Begin"),
        (
            "refused: told once, then the definition",
            changed(Candidate::Refused(Box::new(refusal(Code::Downgrade)))),
            "write Refuse",
        ),
        (
            "not asked yet: it may be the very next candidate",
            changed(Candidate::Unknown),
            "idle NoCandidate",
        ),
    ]);
}

#[test]
fn p4_a_refusal_is_remembered_by_config_and_code_and_holds_only_where_it_was_proven() {
    let new = spec(b"new");
    let remembered = |code, inspected| {
        let (digest, definition) = (Digest::of(b"new"), new.hash);
        with(steady(), |w| {
            w.record.refused.push(Refused { digest, definition, code, inspected });
        })
    };
    let refused = |code, release: Release| {
        let (definition, reason) = (new.hash, reason(code, Class::Config));
        move |w: &mut World| {
            w.candidate = Candidate::Refused(Box::new(Refusal { release, definition, reason }));
        }
    };
    let known = |w: &mut World| w.candidate = Candidate::Known(spec(b"new"));
    let release = || new.release.clone();
    check(&[
        (
            "told once",
            with(remembered(Code::Downgrade, false), refused(Code::Downgrade, release())),
            "idle Refused",
        ),
        (
            "another code",
            with(remembered(Code::Downgrade, false), refused(Code::Signature, release())),
            "write Refuse",
        ),
        (
            "nothing to know it by: shown, not written",
            with(steady(), refused(Code::NoPlatform, Release::default())),
            "idle Refused",
        ),
        (
            "a downgrade, allowed by now",
            with(remembered(Code::Downgrade, false), known),
            "write Begin",
        ),
        ("found in the image", with(remembered(Code::NeedsRootStart, true), known), "idle Refused"),
    ]);
}

#[test]
fn p4_the_release_that_an_operator_left_is_taken_again_when_its_tag_has_moved() {
    let left = |release: &[u8]| {
        with(steady(), |w| {
            w.record.left = Some(Digest::of(b"new"));
            w.candidate = Candidate::Known(spec(release));
        })
    };
    let changed = with(left(b"old"), |w| {
        w.record.left = Some(Digest::of(b"old")); // going back did not come off
        let other = Spec { hash: Digest::of(b"other"), ..(*spec(b"old")).clone() };
        w.candidate = Candidate::Known(Arc::new(other));
    });
    check(&[
        ("the tag stands", left(b"new"), "idle Left"),
        ("it moved to another", left(b"newer"), "write Moved"),
        ("it moved to the current one", left(b"old"), "write Moved"),
        (
            "nothing is known of it",
            with(left(b"new"), |w| w.candidate = Candidate::Unknown),
            "idle NoCandidate",
        ),
        ("a changed definition of the current one", changed, "write Begin"),
    ]);
}

#[test]
fn p4_the_agent_holds_a_bad_untried_release_once() {
    let untried = || {
        let mut untried = (*spec(b"old")).clone();
        untried.definition.update.rollback = false;
        Arc::new(untried)
    };
    let bad = with(steady(), |w| {
        let previous = w.record.current.clone();
        w.record.previous = previous.map(|c| Committed { generation: Generation(0), ..c });
        w.record.current.as_mut().expect("current").spec = untried();
        w.record.proven = false;
        w.health = Health::Unhealthy;
    });
    let held = with(bad.clone(), |w| {
        w.record.hold = Some(Hold { by: AGENT.into(), reason: "".into(), until: None });
        w.record.held = Some(OLD);
    });
    check(&[
        ("unhealthy", bad.clone(), "write Hold"),
        ("held", held.clone(), "idle Steady"),
        ("cleared by an operator", with(held.clone(), |w| w.record.hold = None), "idle Steady"),
        ("a first install", with(bad, |w| w.record.previous = None), "idle Steady"),
        ("healthy after all", with(held.clone(), |w| w.health = Health::Settled), "write Proven"),
        ("proven: held no longer", with(held, |w| w.record.proven = true), "write Hold"),
    ]);
}
