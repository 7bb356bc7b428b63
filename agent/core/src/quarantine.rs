//! Blame: which tries condemn a release, and which are made again (§3.5).

use crate::fork::Word;
use crate::outcome::Ending;
use crate::reason::{Class, Code, Reason};
use crate::record::{Committed, Intent, Quarantined, Record, Tries, Verdict};
use crate::spec::Spec;
use crate::status::StepName;
use crate::world::{Container, World};

/// Starts in one probation, whatever ended them.
pub const BOOTS_MAX: u32 = 3;
/// Tries of one candidate that may end by what can't be told apart.
pub const AMBIGUOUS_MAX: u32 = 2;
/// Tries again after the old release was unhealthy as well.
pub const VICTIMS_MAX: u32 = 3;

/// Whether the quarantine holds a specification.
pub fn holds(record: &Record, spec: &Spec) -> bool {
    record.quarantine.iter().any(|q| is_for(q, spec))
}

/// Whether an entry of the quarantine is about a specification.
pub fn is_for(entry: &Quarantined, spec: &Spec) -> bool {
    Some(entry.config) == spec.release.config && entry.definition == spec.hash
}

/// Whether tries are those of a specification.
pub fn is_of(tries: &Tries, spec: &Spec) -> bool {
    Some(tries.config) == spec.release.config && tries.definition == spec.hash
}

/// Whether the old release must first be healthy for `settle` before this one is tried again.
///
/// Not one that is lost, nor one that never was healthy: to wait for those would be for ever.
pub fn must_settle_first(w: &World, spec: &Spec) -> bool {
    let tries = w.record.tries.as_ref().filter(|t| is_of(t, spec));
    let runs = |c: &Committed| w.container(c.generation).is_some_and(Container::is_up);
    tries.is_some_and(|t| t.ambiguous.saturating_add(t.victims) > 0)
        && w.record.current.as_ref().is_some_and(runs)
        && w.record.proven
        && !w.evidence.settled
}

/// Whether a reason can't be told apart from the release's own fault.
///
/// A full disk is, where it met a probation: the cutover had found room enough.
pub fn is_ambiguous(reason: &Reason, step: StepName) -> bool {
    let is_doubtful = match reason.code {
        Code::BoardRestarted | Code::ExitUnseen | Code::StoppedOutside => true,
        Code::DiskLow => step == StepName::Probation,
        _ => false,
    };
    reason.class == Class::Environment && is_doubtful
}

/// The reason of a probation that was interrupted too often.
pub fn ambiguous(w: &World, code: Code, starts: u32) -> Reason {
    let what = match code {
        Code::BoardRestarted => "the board was restarted",
        Code::StoppedOutside => "somebody stopped, killed or removed its container",
        _ => "it ended unseen, or the agent was restarted",
    };
    let message = alloc::format!("{what} in its probation; {starts} starts were made");
    let hint = "nothing: it is tried once more when the old release was healthy for a while";
    w.reason(code, Class::Environment, message, hint)
}

/// The final word on a try, spoken when the old release has shown itself.
///
/// `old_is_healthy` is true also where its health is no evidence.
pub fn word(w: &World, i: &Intent, verdict: &Verdict, old_is_healthy: bool) -> Word {
    let reason = &verdict.reason;
    let none = Tries {
        config: crate::digest::Digest::from_raw([0; 32]),
        definition: i.spec.hash,
        named: 0,
        ambiguous: 0,
        victims: 0,
    };
    let tries = w.record.tries.as_ref().filter(|t| is_of(t, &i.spec)).unwrap_or(&none);
    let (outcome, quarantined) = match reason.class {
        Class::Operator => (Ending::RolledBack, false),
        _ if !old_is_healthy => (Ending::Inconclusive, tries.victims >= VICTIMS_MAX),
        Class::Release | Class::Config => (Ending::RolledBack, true),
        Class::Environment if is_ambiguous(reason, verdict.step) => {
            (Ending::Inconclusive, tries.ambiguous + 1 >= AMBIGUOUS_MAX)
        }
        Class::Environment => (Ending::Inconclusive, false),
    };
    // A release that is current failed on another state: nothing is wrong with the release.
    let is_current = w.record.current.as_ref().is_some_and(|c| c.spec.is(&i.spec));
    Word { outcome, quarantined: quarantined && !is_current, old_is_healthy }
}
