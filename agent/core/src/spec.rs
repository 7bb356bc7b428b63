//! Resolved specification: all that a container is made from, after defaults and users.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::digest::Digest;
use crate::names::Owner;
use crate::release::Release;

/// What one generation runs. A container that is gone is made again from this, not from today's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Definition as it was.
    pub definition: Definition,
    /// Its hash as it was: an agent with other fields must not compute another.
    pub hash: Digest,
    /// The release.
    pub release: Release,
    /// Uid and gid inside the container; null until the image was inspected.
    #[serde(default)]
    pub user: Option<Owner>,
    /// Groups of the board as numbers.
    #[serde(default)]
    pub groups: Vec<u32>,
}

impl Hash for Spec {
    // What tells two specifications of one app apart; the rest follows from these.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
        self.release.config.hash(state);
        self.user.hash(state);
    }
}

impl Spec {
    /// Whether it has the release and the definition of `other`.
    pub fn is(&self, other: &Self) -> bool {
        self.hash == other.hash && self.release.is(&other.release)
    }
}
