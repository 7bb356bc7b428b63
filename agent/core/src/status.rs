//! The status document: what an operator, MQTT and metrics see. Absent is null, lists are never null.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{AppName, BootId, Generation, InstanceId};
use crate::outcome::{Outcome, Trigger};
use crate::reason::Reason;
use crate::record::{Hold, Quarantined};
use crate::release::Release;
use crate::time::Timestamp;

mod words;

pub use words::*;

/// The whole document. `schema` is 1; readers ignore keys they don't know; enums are open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// 1.
    pub schema: u32,
    /// When it was made.
    pub at: Timestamp,
    /// Can the wall clock be trusted?
    pub clock_synced: bool,
    /// The agent itself.
    pub agent: Agent,
    /// The machine.
    pub board: BoardStatus,
    /// Apps, by name.
    pub apps: Vec<AppStatus>,
}

/// The agent itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its version.
    pub version: String,
    /// Instance id; null while volumes are missing.
    pub instance: Option<InstanceId>,
    /// Start of this run.
    pub started_at: Timestamp,
    /// What is wrong in the files.
    pub config_errors: Vec<ConfigError>,
}

/// One fault in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConfigError {
    /// Path.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoardStatus {
    /// Board id.
    pub id: String,
    /// Kernel's boot id.
    pub boot_id: BootId,
    /// `linux/arm/v7`.
    pub platform: String,
    /// How that was found.
    pub platform_reason: String,
    /// The engine.
    pub engine: EngineStatus,
    /// The broker.
    pub mqtt: MqttStatus,
    /// Disks that matter.
    pub disks: Vec<Disk>,
    /// What is wrong with the board.
    pub problems: Vec<Reason>,
}

/// The engine as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// State.
    pub state: EngineState,
    /// `docker` or `podman`; null before the first contact.
    pub kind: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// API version spoken.
    pub api: Option<String>,
    /// What is wrong.
    pub error: Option<Reason>,
}

/// The broker as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MqttStatus {
    /// State.
    pub state: MqttState,
    /// Events not yet acknowledged.
    pub queued: u64,
    /// Events given up.
    pub dropped: u64,
    /// What is wrong.
    pub error: Option<Reason>,
}

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// `volumes`, `engine`, `state`.
    pub role: String,
    /// A path on it.
    pub path: String,
    /// Bytes free for the agent.
    pub free_bytes: u64,
    /// Bytes that shall stay free.
    pub reserve_bytes: u64,
    /// Is free below reserve? Once it was, a tenth more must be free.
    pub low: bool,
}

/// The container of the wanted generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Engine's id.
    pub id: String,
    /// `<app>-g<generation>`.
    pub name: String,
    /// Generation.
    pub generation: Generation,
    /// State.
    pub state: ContainerState,
    /// Start of its process.
    pub started_at: Option<Timestamp>,
    /// Restarts by the engine since its start.
    pub restarts: u32,
    /// `uid:gid`.
    pub user: Option<String>,
}

/// An update under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdateStatus {
    /// `<app>-g<generation>`.
    pub id: String,
    /// Step.
    pub step: StepName,
    /// Since when.
    pub step_since: Timestamp,
    /// What set it off.
    pub trigger: Trigger,
    /// First try, second …
    pub attempt: u32,
    /// Release wanted.
    pub to: Release,
    /// Download; null when nothing is being fetched.
    pub progress: Option<Progress>,
}

/// Bytes of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// So far.
    pub done_bytes: u64,
    /// In all.
    pub total_bytes: u64,
}

/// Next act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Next {
    /// What.
    pub act: Act,
    /// When; null when that is not known.
    pub at: Option<Timestamp>,
    /// For what.
    pub waiting_for: Option<WaitingFor>,
}

/// A kept fork.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its number.
    pub fork: Generation,
    /// Its size.
    pub bytes: u64,
    /// When its generation began.
    pub at: Timestamp,
    /// Kind.
    pub kind: SnapshotKind,
    /// Release that wrote it, as a person calls it; null when its file can't be read.
    #[serde(default)]
    pub release: Option<String>,
    /// Config digest of that release.
    #[serde(default)]
    pub config: Option<Digest>,
}

/// The definition in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionStatus {
    /// Its hash.
    pub hash: Digest,
    /// Its file; null when orphaned.
    pub file: Option<String>,
    /// Why the file as it is now does not count.
    pub error: Option<Reason>,
}

/// One app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppStatus {
    /// Name.
    pub app: AppName,
    /// State.
    pub state: AppState,
    /// Health.
    pub health: HealthState,
    /// Since when both are so.
    pub since: Timestamp,
    /// Why it is not ok, or why a candidate was refused.
    pub reason: Option<Reason>,
    /// Container of the wanted generation.
    pub container: Option<ContainerStatus>,
    /// Release committed.
    pub current: Option<Release>,
    /// Has it passed its probes for `settle`?
    pub proven: bool,
    /// Release before.
    pub previous: Option<Release>,
    /// Release the track points at, where that is another.
    pub candidate: Option<Release>,
    /// Definition.
    pub definition: DefinitionStatus,
    /// Update under way.
    pub update: Option<UpdateStatus>,
    /// What comes next.
    pub next: Next,
    /// Hold.
    pub hold: Option<Hold>,
    /// Quarantine.
    pub quarantine: Vec<Quarantined>,
    /// Kept forks, newest first.
    pub snapshots: Vec<Snapshot>,
    /// What is odd but stops nothing.
    pub warnings: Vec<Reason>,
    /// Last outcome.
    pub last: Option<Outcome>,
}
