//! What goes over MQTT (DESIGN §6): the documents of the status, without anything that moves by itself.
//!
//! Promise: two documents that tell an operator the same are equal once [`BoardDocument::timeless`] or
//! [`AppDocument::timeless`], whenever they were made. Nothing in them is an age, a countdown or a percentage under
//! 10 % steps. The input is the agent's own status document; nothing of a stranger is read here.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::names::BootId;
use crate::reason::Reason;
use crate::status::{Act, Agent, AppStatus, EngineStatus, Progress, Status};
use crate::time::Timestamp;

/// Format of every document here.
pub const SCHEMA: u32 = 1;

/// A download is shown in so many steps: 10 % each.
const PROGRESS_STEPS: u64 = 10;

/// Topic `…/board`, retained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoardDocument {
    /// 1.
    pub schema: u32,
    /// When it last changed.
    pub at: Timestamp,
    /// Could the wall clock be trusted then?
    pub clock_synced: bool,
    /// Board id.
    pub board: String,
    /// Kernel's boot id.
    pub boot_id: BootId,
    /// `linux/arm/v7`.
    pub platform: String,
    /// How that was found.
    pub platform_reason: String,
    /// The agent.
    pub agent: Agent,
    /// The engine.
    pub engine: EngineStatus,
    /// Disks that matter; their free bytes are in the metrics.
    pub disks: Vec<DiskDocument>,
    /// What is wrong with the board.
    pub problems: Vec<Reason>,
}

/// One disk as the board's document tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskDocument {
    /// `volumes`, `engine`, `state`.
    pub role: String,
    /// A path on it.
    pub path: String,
    /// Bytes that shall stay free.
    pub reserve_bytes: u64,
    /// Is free below reserve? Once it was, a tenth more must be free.
    pub low: bool,
}

/// Topic `…/app/<app>`, retained: the app's part of the status document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppDocument {
    /// 1.
    pub schema: u32,
    /// The app's part.
    #[serde(flatten)]
    pub app: AppStatus,
}

impl BoardDocument {
    /// The board's document out of the whole one.
    pub fn of(status: &Status) -> Self {
        let board = &status.board;
        Self {
            schema: SCHEMA,
            at: status.at,
            clock_synced: status.clock_synced,
            board: board.id.clone(),
            boot_id: board.boot_id.clone(),
            platform: board.platform.clone(),
            platform_reason: board.platform_reason.clone(),
            agent: status.agent.clone(),
            engine: board.engine.clone(),
            disks: board
                .disks
                .iter()
                .map(|disk| DiskDocument {
                    role: disk.role.clone(),
                    path: disk.path.clone(),
                    reserve_bytes: disk.reserve_bytes,
                    low: disk.low,
                })
                .collect(),
            problems: board.problems.clone(),
        }
    }

    /// Without the times at which the same was found again: what is compared to tell news from repetition.
    #[must_use]
    pub fn timeless(mut self) -> Self {
        self.at = Timestamp::default();
        forget_time(self.engine.error.as_mut());
        forget_time(&mut self.problems);
        self
    }
}

impl AppDocument {
    /// One app's document.
    pub fn of(app: &AppStatus) -> Self {
        let mut app = app.clone();
        if app.next.act == Act::Poll {
            app.next.at = None; // it moves with every poll
        }
        if let Some(progress) = app.update.as_mut().and_then(|update| update.progress.as_mut()) {
            *progress = stepped(*progress);
        }
        Self { schema: SCHEMA, app }
    }

    /// Without the times at which the same was found again: what is compared to tell news from repetition.
    #[must_use]
    pub fn timeless(mut self) -> Self {
        forget_time(self.app.reason.as_mut());
        forget_time(self.app.definition.error.as_mut());
        forget_time(&mut self.app.warnings);
        self
    }
}

fn forget_time<'a>(reasons: impl IntoIterator<Item = &'a mut Reason>) {
    for reason in reasons {
        reason.at = Timestamp::default();
    }
}

/// The step of 10 % that was last reached.
fn stepped(progress: Progress) -> Progress {
    let total = progress.total_bytes;
    let done = progress.done_bytes.min(total);
    let steps = u128::from(done) * u128::from(PROGRESS_STEPS) / u128::from(total.max(1));
    let shown = u128::from(total) * steps / u128::from(PROGRESS_STEPS);
    Progress { done_bytes: u64::try_from(shown).unwrap_or(total), total_bytes: total }
}
