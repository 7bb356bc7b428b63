//! Why something went wrong, whose fault it is, and what a person can do.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Whose fault a failure is (§3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The release's own.
    Release,
    /// The board's, the engine's, the network's.
    Environment,
    /// A person's.
    Operator,
    /// The definition's or the settings'.
    Config,
}

/// Stable word for scripts: never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The words are those of DESIGN §7; their meaning stands in docs/reasons.md.
pub enum Code {
    Exited,
    Unhealthy,
    Deadline,
    CrashLoop,
    NotRunnable,
    ImageDamaged,
    ImageMissing,
    NoPlatform,
    DigestMismatch,
    Signature,
    Downgrade,
    Quarantined,
    RegistryUnreachable,
    RegistryDenied,
    RateLimited,
    DiskLow,
    VolumesMissing,
    VolumesForeign,
    StateNotDurable,
    ForkTooLarge,
    UndeclaredVolume,
    NeedsRootStart,
    SpecMismatch,
    PortInUse,
    DeviceMissing,
    EngineAway,
    EngineError,
    BoardRestarted,
    StopStuck,
    ClockUnsynced,
    ConfigInvalid,
    AgentTooOld,
    Operator,
    StoppedOutside,
    ExitUnseen,
    ParentStarted,
    ForkFailed,
    Dependency,
    NotOwned,
    UserChanged,
    BrokerUnreachable,
    BrokerDenied,
    NotWritable,
    UnitStale,
    LimitsMissing,
    PortLeaked,
}

/// What went wrong, for a person and for a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// Stable word.
    pub code: Code,
    /// Whose fault.
    pub class: Class,
    /// What happened, with its values.
    pub message: String,
    /// What a person can do; empty when there is nothing to do.
    pub hint: String,
    /// When it was found.
    pub at: Timestamp,
}

impl Reason {
    /// A reason found at `at`.
    pub fn new(
        code: Code,
        class: Class,
        message: impl Into<String>,
        hint: impl Into<String>,
        at: Timestamp,
    ) -> Self {
        Self { code, class, message: message.into(), hint: hint.into(), at }
    }

    /// The same failure, whenever it was found: what is compared to tell news from repetition.
    pub fn same(&self, other: &Self) -> bool {
        self.code == other.code && self.class == other.class && self.message == other.message
    }
}

impl Code {
    /// The word as it stands in JSON.
    pub fn word(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(String::from))
            .unwrap_or_default()
    }
}
