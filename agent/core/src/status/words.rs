//! The words of the status document. Enums are open: a reader meets words it does not know.

use serde::{Deserialize, Serialize};

/// State of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// It answers.
    Ready,
    /// It does not.
    #[default]
    Away,
    /// The socket refuses this user.
    Refused,
    /// Its API is too old or too new.
    Unsupported,
}

/// State of the connection to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MqttState {
    /// No `[mqtt]`.
    #[default]
    Disabled,
    /// Trying.
    Connecting,
    /// Connected.
    Connected,
    /// Waiting to try again.
    Backoff,
}

/// The app's own state, not its update's.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// Runs, healthy, proven.
    Ok,
    /// An intent moves.
    Updating,
    /// Runs (or would start) and its next act waits.
    Waiting,
    /// Waits for a hold alone.
    Held,
    /// Runs, but not healthy or not proven.
    Degraded,
    /// Can't run.
    Blocked,
    /// Stopped by an operator.
    Stopped,
    /// Its definition is gone.
    Orphaned,
    /// Not seen yet.
    #[default]
    Unknown,
}

/// Health of the app's container.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Probes pass.
    Healthy,
    /// Not yet known.
    Starting,
    /// Probes fail.
    Unhealthy,
    /// Not running.
    None,
    /// Engine away.
    #[default]
    Unknown,
}

/// State of a container as the engine tells it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The engine's own words.
pub enum ContainerState {
    Created,
    Running,
    Restarting,
    Paused,
    Exited,
    Dead,
    Missing,
    #[default]
    Unknown,
}

/// Steps of an update, as they are named outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The words are those of DESIGN §4.
pub enum StepName {
    Resolve,
    Reserve,
    Fetch,
    Inspect,
    Create,
    Wait,
    Stop,
    Fork,
    Own,
    Start,
    Probation,
    Commit,
    RollBack,
}

/// What the agent does next by itself.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Asks the registry.
    Poll,
    /// Goes on with an update.
    Update,
    /// Tries again what failed.
    Retry,
    /// Nothing.
    #[default]
    None,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The words are those of DESIGN §7.
pub enum WaitingFor {
    Window,
    Hold,
    Lock,
    Dependency,
    Engine,
    Registry,
    Disk,
    Volumes,
    Device,
    Port,
    Clock,
    Backoff,
    Operator,
}

/// Kind of a kept fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotKind {
    /// State of a release before.
    Previous,
    /// What a failed release wrote.
    Failed,
    /// Made by a person.
    Manual,
}
