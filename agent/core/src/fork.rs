//! Forks: what lies beside each numbered copy of an app's state.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{Generation, Owner, StartedAt};
use crate::outcome::Ending;
use crate::reason::Reason;
use crate::spec::Spec;
use crate::status::StepName;

/// `<fork>.json`: the second durable witness, from which a lost record is made again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ForkFile {
    /// Format: 1.
    pub schema: u32,
    /// Fork it was copied from; null on a first install.
    pub parent: Option<Generation>,
    /// Its number, that of its generation.
    pub generation: Generation,
    /// Config digest of the release.
    pub config: Option<Digest>,
    /// Definition hash.
    pub definition: Digest,
    /// Uid its files belong to; null until the image was inspected.
    pub uid: Option<u32>,
    /// Gid its files belong to.
    #[serde(default)]
    pub gid: Option<u32>,
    /// All that the container is made from.
    pub spec: Arc<Spec>,
    /// `StartedAt` of the parent's container when the copy was made; null when that was gone.
    pub parent_started_at: Option<StartedAt>,
    /// What became of it.
    #[serde(default)]
    pub mark: Option<Mark>,
}

impl ForkFile {
    /// Uid and gid its files belong to.
    pub fn owner(&self) -> Option<Owner> {
        Some(Owner { uid: self.uid?, gid: self.gid? })
    }
}

/// What became of a fork's generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Mark {
    /// Committed; the highest count is current.
    Committed {
        /// Only rises.
        count: u64,
    },
    /// Failed: a verdict.
    Failed {
        /// Why.
        reason: Reason,
        /// In which step.
        step: StepName,
        /// Did it ever run on this fork?
        ran: bool,
        /// The final word, once the old one has shown itself.
        word: Option<Word>,
    },
}

/// The final word on a failed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Word {
    /// `rolled_back` or `inconclusive`.
    pub outcome: Ending,
    /// Never to be tried again by itself?
    pub quarantined: bool,
    /// Was the old one healthy, so that the fault was the new one's?
    pub old_is_healthy: bool,
}

/// A fork as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fork {
    /// Its number.
    pub generation: Generation,
    /// Its file; null when missing or unreadable.
    pub file: Option<ForkFile>,
    /// Is the folder there?
    pub folder: bool,
    /// Is the unfinished marker beside it?
    pub unfinished: bool,
    /// Do fork and data belong to the owner in the file, with no unfinished walk?
    pub owned: bool,
    /// Does something lie beside it that was set aside (`<fork>.old-<n>`)?
    pub set_aside: bool,
}

impl Fork {
    /// Whether the copy counts: folder there, no marker.
    pub fn is_complete(&self) -> bool {
        self.folder && !self.unfinished
    }

    /// The count of its commit mark.
    pub fn committed(&self) -> Option<u64> {
        match self.file.as_ref()?.mark {
            Some(Mark::Committed { count }) => Some(count),
            _ => None,
        }
    }

    /// Whether a person had it kept (`agentctl snapshot`): the very next commit was of a copy of it, with the
    /// same release and definition.
    pub fn is_manual(&self, all: &[Self]) -> bool {
        let (Some(file), Some(count)) = (&self.file, self.committed()) else {
            return false;
        };
        let is_its = |other: &ForkFile| {
            other.parent == Some(self.generation)
                && (other.config, other.definition) == (file.config, file.definition)
        };
        let mut next = all.iter().filter(|f| f.committed() == Some(count.saturating_add(1)));
        next.any(|f| f.file.as_ref().is_some_and(is_its))
    }

    /// Whether it failed, and if so whether it ever ran.
    pub fn failed(&self) -> Option<bool> {
        match self.file.as_ref()?.mark {
            Some(Mark::Failed { ran, .. }) => Some(ran),
            _ => None,
        }
    }
}
