//! Outcomes: the lines of history.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::names::{AppName, BootId, Generation};
use crate::reason::Reason;
use crate::release::Release;
use crate::status::StepName;
use crate::time::{Millis, Timestamp};

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new release is current.
    Committed,
    /// The old one runs again; the new one failed.
    RolledBack,
    /// The old one runs; who was to blame is not known.
    Inconclusive,
    /// Found out before anything was touched.
    Refused,
    /// No longer wanted before it was started.
    Abandoned,
}

/// What set an update off.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// First install.
    Install,
    /// The tag points elsewhere.
    #[default]
    Tag,
    /// The definition changed.
    Definition,
    /// A person asked.
    Operator,
    /// An archive was brought.
    Archive,
    /// The image was damaged or lost.
    Repair,
}

/// One step's duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepTime {
    /// Which step.
    pub step: StepName,
    /// How long.
    pub ms: Millis,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// Format: 1.
    pub schema: u32,
    /// `<app>-g<generation>`, of a refused candidate `<app>-<12 hex>`.
    pub id: String,
    /// App.
    pub app: AppName,
    /// Generation; null when none was given out.
    pub generation: Option<Generation>,
    /// What set it off.
    pub trigger: Trigger,
    /// Who asked; null when nobody did.
    pub by: Option<String>,
    /// Release before.
    pub from: Option<Release>,
    /// Release wanted.
    pub to: Option<Release>,
    /// Boot in which it ended.
    pub boot_id: BootId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: Ending,
    /// Why; null when committed.
    pub reason: Option<Reason>,
    /// The step it ended in.
    pub step: StepName,
    /// How long the app was down; null when that is not known.
    pub down_ms: Option<Millis>,
    /// Fork that holds the state left behind; null when there is none.
    pub snapshot: Option<Generation>,
    /// Durations.
    pub steps: Vec<StepTime>,
}
