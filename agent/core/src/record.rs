//! The record: the one durable file of an app. Only what can't be observed.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{BootId, Generation};
use crate::outcome::{Outcome, Trigger};
use crate::reason::{Code, Reason};
use crate::spec::Spec;
use crate::status::StepName;
use crate::time::{Millis, Moment, Timestamp};

/// Format of the records this agent writes. A newer one is never touched.
pub const SCHEMA: u32 = 1;

/// One app's record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Format.
    pub schema: u32,
    /// The release committed.
    pub current: Option<Committed>,
    /// The one before.
    pub previous: Option<Committed>,
    /// Whether the current one has passed its probes for `settle`.
    pub proven: bool,
    /// Which update is under way.
    pub intent: Option<Intent>,
    /// Releases that failed by their own fault, or too often.
    pub quarantine: Vec<Quarantined>,
    /// Candidates refused by other fault than the release's, so that each is told once.
    pub refused: Vec<Refused>,
    /// The release an operator left: not taken again until the tag moves.
    pub left: Option<Digest>,
    /// An operator's stop.
    pub stopped: Option<Stopped>,
    /// An operator has the app deleted: written before the first volume goes, gone when all are.
    pub purge: Option<Stopped>,
    /// An operator's or the agent's "not now".
    pub hold: Option<Hold>,
    /// Tries of one candidate that did not end well.
    pub tries: Option<Tries>,
    /// The last outcome; the line of history is appended from it, once by its id.
    pub last: Option<Outcome>,
    /// Highest number ever given out: an update that ended before its fork was made left no other trace.
    pub numbers: Generation,
    /// Generation that the agent set its hold for: once, so that it can be cleared.
    pub held: Option<Generation>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            current: None,
            previous: None,
            proven: false,
            intent: None,
            quarantine: Vec::new(),
            refused: Vec::new(),
            left: None,
            stopped: None,
            purge: None,
            hold: None,
            tries: None,
            last: None,
            numbers: Generation(0),
            held: None,
        }
    }
}

impl Record {
    /// The record's own copy of a specification that equals `spec`, else `spec` itself: candidate, fork file and
    /// record of an app at rest say the same, which is kept once.
    pub fn share(&self, spec: Arc<Spec>) -> Arc<Spec> {
        let committed = [&self.current, &self.previous].into_iter().flatten();
        let own = committed.map(|one| &one.spec).chain(self.intent.as_ref().map(|one| &one.spec));
        own.into_iter().find(|own| **own == spec).map_or(spec, Arc::clone)
    }
}

/// A committed generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Committed {
    /// Its number.
    pub generation: Generation,
    /// Count of its commit mark; 0 where it was rebuilt without one.
    pub count: u64,
    /// What it runs.
    pub spec: Arc<Spec>,
    /// When it was committed.
    pub at: Timestamp,
}

/// Which update is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub generation: Generation,
    /// Fork it is copied from.
    pub parent: Option<Generation>,
    /// What it shall run.
    pub spec: Arc<Spec>,
    /// What set it off.
    pub trigger: Trigger,
    /// Who asked.
    pub by: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// First try, second …
    pub attempt: u32,
    /// Runs an old fork as it is (`rollback --old-state`): no copy, no `StartedAt` rule.
    #[serde(default)]
    pub old_state: bool,
    /// Written before each start.
    pub probation: Option<Probation>,
    /// The verdict, once spoken.
    pub verdict: Option<Verdict>,
}

/// What of a probation must outlive a restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probation {
    /// Boot of the last start.
    pub boot_id: BootId,
    /// Starts made, or about to be.
    pub boots: u32,
    /// Time spent in probation before the last start, all boots together.
    pub elapsed_ms: Millis,
    /// Boot clock at the last start: in the same boot the time goes on from here.
    pub since: Moment,
}

/// The verdict on a try.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// In which step.
    pub step: StepName,
}

/// One entry of the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quarantined {
    /// Release.
    pub config: Digest,
    /// Definition hash.
    pub definition: Digest,
    /// Tag it came by.
    pub tag: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub at: Timestamp,
}

/// A candidate refused once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refused {
    /// Config digest, else the index digest it was refused by.
    pub digest: Digest,
    /// Definition hash then.
    pub definition: Digest,
    /// Why.
    pub code: Code,
    /// Found out by looking into the image, so that it holds whatever the registry says; else the
    /// registry's answer is judged anew each time.
    #[serde(default)]
    pub inspected: bool,
}

/// An operator's word, and when it was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stopped {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Who holds, where the agent itself does.
pub const AGENT: &str = "agent";

/// "Not now".
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// `uid:<n>` or `agent`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when; null: until it is cleared.
    pub until: Option<Timestamp>,
}

/// Tries of one candidate that did not end well (§3.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tries {
    /// Release.
    pub config: Digest,
    /// Definition hash.
    pub definition: Digest,
    /// Ended by a named fault of the environment: condemns nobody, doubles the back-off.
    pub named: u32,
    /// Ended by what can't be told apart.
    pub ambiguous: u32,
    /// Ended with the old release unhealthy as well.
    pub victims: u32,
}

impl Tries {
    /// All of them.
    pub fn count(&self) -> u32 {
        self.named.saturating_add(self.ambiguous).saturating_add(self.victims)
    }
}

impl Intent {
    /// Starts made in probation, or about to be; 0 before the cutover.
    pub fn boots(&self) -> u32 {
        self.probation.as_ref().map_or(0, |p| p.boots)
    }
}
