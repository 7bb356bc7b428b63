//! What a registry's answer is for one app: a candidate that may be taken, or a reason why not.
//!
//! Pure: the answer, the definition and the current release in; a [`Candidate`] out.

use std::sync::Arc;

use titania_core::definition::{Definition, UserRule};
use titania_core::digest::Digest;
use titania_core::names::Owner;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Committed;
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::step::Refusal;
use titania_core::time::{Millis, SET_CLOCK, Timestamp};
use titania_core::world::Candidate;

/// What is looked at besides the release.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'a> {
    /// The definition in force.
    pub definition: &'a Definition,
    /// Its hash.
    pub hash: Digest,
    /// The current release.
    pub current: Option<&'a Committed>,
    /// Wall clock.
    pub at: Timestamp,
}

/// The candidate that `release` is, by the rules of the definition.
pub fn judge(release: &Release, by: Measure<'_>) -> Candidate {
    let update = &by.definition.update;
    let older = by
        .current
        .filter(|_| !update.allow_downgrade)
        .map(|current| &current.spec.release)
        .filter(|current| release.is_older_than(current));
    if let Some(current) = older {
        return refused(release, by, downgrade(release, current, by.at));
    }
    Candidate::Known(Arc::new(spec(by.definition, by.hash, release, by.current)))
}

/// A candidate that must not be taken.
pub fn refused(release: &Release, by: Measure<'_>, reason: Reason) -> Candidate {
    Candidate::Refused(Box::new(Refusal { release: release.clone(), definition: by.hash, reason }))
}

/// Whether a candidate is younger than its definition wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Young {
    /// It is old enough, or does not say when it was made.
    No,
    /// It is, for so long.
    For(Millis),
    /// Nobody knows what time it is.
    Unknown(Box<Reason>),
}

/// Judges a candidate's age at `at`, by a clock that is set or is not.
pub fn young(
    release: &Release,
    definition: &Definition,
    is_clock_set: bool,
    at: Timestamp,
) -> Young {
    let min_age = definition.update.min_age;
    let Some(created) = release.created.filter(|_| min_age.0 > 0) else {
        return Young::No;
    };
    if !is_clock_set {
        let (code, class) = (Code::ClockUnsynced, Class::Environment);
        let message = "the clock is not set yet, and update.min_age needs it";
        return Young::Unknown(Reason::new(code, class, message, SET_CLOCK, at).into());
    }
    let age = u64::try_from(at.0.saturating_sub(created.0)).unwrap_or(0);
    match min_age.0.saturating_sub(age) {
        0 => Young::No,
        wait => Young::For(Millis(wait)),
    }
}

/// The specification of a release under a definition, before its image was inspected: the user is carried over
/// from the current one under `auto` alone, which keeps it.
pub fn spec(
    definition: &Definition,
    hash: Digest,
    release: &Release,
    current: Option<&Committed>,
) -> Spec {
    Spec {
        definition: definition.clone(),
        hash,
        release: release.clone(),
        user: kept_user(definition, current),
        groups: Vec::new(),
    }
}

/// The user that an app keeps: that of its current release, where the rule is and was `auto`.
pub fn kept_user(definition: &Definition, current: Option<&Committed>) -> Option<Owner> {
    let before = &current?.spec;
    let auto = |rule: &UserRule| *rule == UserRule::Auto;
    let is_kept = auto(&definition.shape.user)
        && auto(&before.definition.shape.user)
        && definition.shape.allow_root == before.definition.shape.allow_root;
    before.user.filter(|_| is_kept)
}

fn downgrade(new: &Release, current: &Release, at: Timestamp) -> Reason {
    let name = |release: &Release| {
        let version = release.version.clone().or_else(|| release.tag.clone());
        let created = release.created.map(|time| format!("made {time}"));
        match (version, created) {
            (Some(version), Some(created)) => format!("{version} ({created})"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => release.config.map(|c| c.short()).unwrap_or_default(),
        }
    };
    Reason::new(
        Code::Downgrade,
        Class::Config,
        format!("{} is older than {}, which runs", name(new), name(current)),
        "agentctl rollback goes back to the previous release; or set update.allow_downgrade = true",
        at,
    )
}

#[cfg(test)]
mod tests;
