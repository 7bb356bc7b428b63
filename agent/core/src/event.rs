//! Events: what happened, one line each.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::names::{AppName, BootId};
use crate::reason::Reason;
use crate::release::Release;
use crate::time::Timestamp;

/// How grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// Do something.
    Error,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The words are those of DESIGN §7.
pub enum EventType {
    AgentStarted,
    BoardBooted,
    UpdateAvailable,
    UpdateStarted,
    UpdateCommitted,
    UpdateRolledBack,
    UpdateInconclusive,
    UpdateRefused,
    UpdateAbandoned,
    ReleaseQuarantined,
    QuarantineCleared,
    AppInstalled,
    AppStarted,
    AppRestarted,
    AppUnhealthy,
    AppRecovered,
    AppStopped,
    AppPutRight,
    AppBlocked,
    AppUnblocked,
    AppOrphaned,
    AppPurged,
    HoldSet,
    HoldCleared,
    DiskLow,
    DiskOk,
    EngineAway,
    EngineBack,
    ConfigError,
    ConfigOk,
    StateRestored,
    BoardIdConflict,
    EventsDropped,
    StopStuck,
    EngineRestartAsked,
}

/// Events given up in a row, and not told of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// Number of the first of them.
    pub first: u64,
    /// Number of the last of them.
    pub last: u64,
    /// When the last of them happened.
    pub at: Timestamp,
    /// Could the clock be trusted then?
    pub clock_synced: bool,
}

/// How far events have got on their way to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The one that was sent and is not acknowledged.
    pub in_flight: Option<u64>,
    /// No event below this number is kept, but the one in flight.
    pub kept_from: u64,
    /// What was given up below it.
    pub dropped: Option<Dropped>,
    /// It is that event's turn, which waits until `dropped` is on disk.
    pub is_to_be_kept: bool,
}

/// One event. `(board, seq)` is unique: an even number is an event's of the board, the odd one after it is only ever that
/// of an [`EventType::EventsDropped`] which tells of events up to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 1.
    pub schema: u32,
    /// Board id.
    pub board: String,
    /// Rises, with gaps; never reused.
    pub seq: u64,
    /// Boot in which it happened.
    pub boot_id: BootId,
    /// When.
    pub at: Timestamp,
    /// Could the clock be trusted?
    pub clock_synced: bool,
    /// App; null for the board's.
    pub app: Option<AppName>,
    /// What.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// How grave.
    pub level: Level,
    /// Why.
    pub reason: Option<Reason>,
    /// Release it is about.
    pub release: Option<Release>,
    /// Update it belongs to, `<app>-g<generation>`.
    pub update: Option<String>,
    /// The same for a person, one line.
    pub text: String,
}

impl EventType {
    /// The word as it stands in JSON.
    pub fn word(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(String::from))
            .unwrap_or_default()
    }
}
