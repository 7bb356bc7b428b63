//! Steps, changes of the record, and decisions: what `decide` can say.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::fork::{ForkFile, Mark};
use crate::names::{BootId, Generation};
use crate::reason::{Code, Reason};
use crate::record::{Committed, Hold, Intent, Quarantined, Verdict};
use crate::release::Release;
use crate::spec::Spec;
use crate::status::{StepName, WaitingFor};
use crate::time::{Moment, Timestamp};

/// One idempotent act on the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Writes the record, changed so.
    Write(Box<Change>),
    /// Writes the mark into a fork's file.
    Mark(Generation, Box<Mark>),
    /// Makes a generation's empty folder, marker first, and its file.
    Reserve(Box<ForkFile>),
    /// Pulls the image and gives it the agent's own tag.
    Fetch(Generation, Arc<Spec>),
    /// Looks into the image: can it run here, as whom, what does it ship?
    Inspect(Generation, Arc<Spec>),
    /// Makes the container; `armed`: with the restart policy of a committed one.
    Create(Generation, Arc<Spec>, bool),
    /// Compares the container with its specification.
    Compare(Generation, Arc<Spec>),
    /// Stops the container.
    Stop(Generation),
    /// Removes the container, its volumes untouched.
    Remove(Generation),
    /// Copies the parent's fork into this one's folder, or seeds it, and takes the marker away.
    Fork(Generation, Arc<Spec>),
    /// Puts a fork's unfinished marker back.
    Unfinish(Generation),
    /// Gives the app's volumes to its owner.
    Own(Generation, Arc<Spec>),
    /// Starts the container.
    Start(Generation),
    /// Gives the container the restart policy of a committed one.
    Arm(Generation),
    /// Asks the registry whether a release is still there.
    Seek(Generation, Arc<Spec>),
    /// Looks into the image of a release that ran once and does not start now.
    Look(Generation, Arc<Spec>),
    /// Removes a damaged image, whatever names it has, and the container that was made from it: both come back by
    /// fetch and create.
    Repair(Generation, Arc<Spec>),
    /// Removes forks and images beyond what is kept.
    Prune(Prunable),
    /// Deletes all of the app's forks, data and images, then says so in the record.
    Purge,
}

/// What may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prunable {
    /// Forks, by number, with what was set aside of them; the file of the highest stays.
    pub forks: Vec<Generation>,
    /// What was set aside of forks that stay.
    pub set_aside: bool,
    /// Images, by the generation in the agent's own tag.
    pub images: Vec<Generation>,
}

impl Step {
    /// Its name outside, and the generation it is about; none of a write that belongs to no step of an update.
    pub fn name(&self) -> Option<(StepName, Generation)> {
        Some(match self {
            Self::Write(_) | Self::Mark(..) | Self::Prune(_) | Self::Purge => return None,
            Self::Reserve(file) => (StepName::Reserve, file.generation),
            Self::Fetch(g, _) | Self::Seek(g, _) | Self::Repair(g, _) => (StepName::Fetch, *g),
            Self::Inspect(g, _) | Self::Look(g, _) => (StepName::Inspect, *g),
            Self::Create(g, ..) | Self::Compare(g, _) => (StepName::Create, *g),
            Self::Stop(g) | Self::Remove(g) => (StepName::Stop, *g),
            Self::Fork(g, _) | Self::Unfinish(g) => (StepName::Fork, *g),
            Self::Own(g, _) => (StepName::Own, *g),
            Self::Start(g) => (StepName::Start, *g),
            Self::Arm(g) => (StepName::Commit, *g),
        })
    }
}

/// One change of the record. What only the executor knows (times, boot id) it adds itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// An update begins.
    Begin(Intent),
    /// The image was inspected: the specification is whole.
    Resolve(Arc<Spec>),
    /// A start in probation is about to be made, the `boots`-th.
    Boots {
        /// Count.
        boots: u32,
        /// Boot it is made in.
        boot: BootId,
    },
    /// The verdict on the try.
    Verdict(Verdict),
    /// The intent ended as its fork's mark says.
    Conclude,
    /// The intent is no longer wanted.
    Abandon(Reason),
    /// A candidate is refused.
    Refuse(Box<Refusal>),
    /// The current release has passed its probes.
    Proven,
    /// The current release has passed its probes after its image was fetched again; that was begun then.
    Repaired(Timestamp),
    /// A lost or older record, brought forward from marks and containers.
    Rebuild(Box<Rebuilt>),
    /// An operator stops the app.
    Stop(String),
    /// An operator starts it again.
    Start,
    /// An operator wants a failed release tried again.
    Retry,
    /// An operator goes back, or has the state copied: the intent, and the release left.
    GoBack(Intent, Option<Digest>),
    /// An operator has the app deleted.
    Purge(String),
    /// Nothing of it is left.
    Purged,
    /// A hold is set or cleared.
    Hold(Option<Hold>),
    /// The tag has moved on from the release that an operator left: that may be taken again.
    Moved,
}

/// A candidate that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// What was refused.
    pub release: Release,
    /// Definition hash.
    pub definition: Digest,
    /// Why.
    pub reason: Reason,
}

/// What marks and containers tell of an app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rebuilt {
    /// Current.
    pub current: Option<Committed>,
    /// Previous.
    pub previous: Option<Committed>,
    /// The older record's intent, where no mark has ended it.
    pub intent: Option<Intent>,
    /// Quarantine.
    pub quarantine: Vec<Quarantined>,
}

/// Why there is no step now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// All is as wanted.
    Steady,
    /// Nothing is known of the tag yet.
    NoCandidate,
    /// The candidate failed before.
    Quarantined,
    /// The candidate was refused, as the record says.
    Refused(Code),
    /// An operator left the candidate.
    Left,
    /// An operator stopped the app.
    Stopped,
    /// Its definition is gone.
    Orphaned,
    /// A started generation must prove itself.
    Probation,
    /// The old release, started again, must show itself.
    Returning,
    /// Its current release must prove itself before the candidate is tried again.
    Settling,
    /// The candidate did not end well, and is tried again later.
    Backoff,
    /// The new one failed, but there is no old one to go back to.
    NoWayBack(Reason),
    /// Container and image of the current release are gone, here and everywhere.
    ImageMissing,
    /// The current release's image is damaged: no registry has it any more, or it was fetched `again` in vain.
    ImageDamaged {
        /// Was it fetched again already?
        again: bool,
    },
    /// A gate of the cutover is shut.
    Gate(Reason, WaitingFor),
    /// A step failed and is tried again later.
    Failed(Reason),
    /// The board as a whole can't.
    Board(Reason, WaitingFor),
}

/// What to do with one app now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// This step.
    Do(Step),
    /// Nothing until then, or until something changes; the app runs, or would.
    Wait(Why, Option<Moment>),
    /// Nothing to do.
    Idle(Why),
    /// It can't run.
    Blocked(Why, Option<Moment>),
}
