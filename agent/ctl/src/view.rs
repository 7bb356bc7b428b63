//! The status document as it is read here: enums are open, unknown keys are ignored, what is missing is absent, so that
//! an agent that knows more can be looked at.

use serde::Deserialize;
use titania_core::time::Timestamp;

/// The document's format that this program knows.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) schema: u32,
    pub(crate) at: Timestamp,
    pub(crate) clock_synced: bool,
    pub(crate) agent: Agent,
    pub(crate) board: Board,
    pub(crate) apps: Vec<App>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    pub(crate) version: String,
    pub(crate) config_errors: Vec<ConfigError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigError {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
    pub(crate) hint: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Board {
    pub(crate) id: String,
    pub(crate) platform: String,
    pub(crate) engine: Engine,
    pub(crate) mqtt: Mqtt,
    pub(crate) disks: Vec<Disk>,
    pub(crate) problems: Vec<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Engine {
    pub(crate) state: String,
    pub(crate) error: Option<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Mqtt {
    pub(crate) queued: u64,
    pub(crate) dropped: u64,
    pub(crate) error: Option<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Disk {
    pub(crate) role: String,
    pub(crate) path: String,
    pub(crate) free_bytes: u64,
    pub(crate) reserve_bytes: u64,
    pub(crate) low: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: String,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct App {
    pub(crate) app: String,
    pub(crate) state: String,
    pub(crate) health: String,
    pub(crate) since: Timestamp,
    pub(crate) reason: Option<Reason>,
    pub(crate) container: Option<Container>,
    pub(crate) current: Option<Release>,
    pub(crate) proven: bool,
    pub(crate) previous: Option<Release>,
    pub(crate) candidate: Option<Release>,
    pub(crate) definition: Definition,
    pub(crate) update: Option<Update>,
    pub(crate) next: Next,
    pub(crate) hold: Option<Hold>,
    pub(crate) quarantine: Vec<Quarantined>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) warnings: Vec<Reason>,
    pub(crate) last: Option<Outcome>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) generation: u64,
    pub(crate) state: String,
    pub(crate) restarts: u64,
    pub(crate) user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Release {
    pub(crate) repository: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) config: Option<String>,
    pub(crate) platform: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Definition {
    pub(crate) file: Option<String>,
    pub(crate) error: Option<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Update {
    pub(crate) step: String,
    pub(crate) attempt: u32,
    pub(crate) to: Release,
    pub(crate) progress: Option<Progress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) done_bytes: u64,
    pub(crate) total_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Next {
    pub(crate) act: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) waiting_for: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hold {
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Quarantined {
    pub(crate) config: String,
    pub(crate) tag: Option<String>,
    pub(crate) reason: Reason,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Snapshot {
    pub(crate) fork: u64,
    pub(crate) bytes: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) release: Option<String>,
}

/// A line of history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) app: String,
    pub(crate) trigger: String,
    pub(crate) by: Option<String>,
    pub(crate) from: Option<Release>,
    pub(crate) to: Option<Release>,
    pub(crate) ended_at: Timestamp,
    pub(crate) outcome: String,
    pub(crate) reason: Option<Reason>,
    pub(crate) step: String,
    pub(crate) down_ms: Option<u64>,
}

/// `GET /v1/history`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(crate) outcomes: Vec<Outcome>,
}

/// `GET /v1/requests/{id}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Request {
    pub(crate) state: String,
    pub(crate) error: Option<titania_core::api::Problem>,
}

impl Release {
    /// What a person calls it: version, else tag, else the beginning of its digest.
    pub(crate) fn name(&self) -> String {
        let named = self.version.as_deref().or(self.tag.as_deref()).map(String::from);
        let named = named.filter(|name| !name.is_empty());
        named.or_else(|| self.digest()).unwrap_or_else(|| "?".into())
    }

    /// The beginning of its digest, where that is known.
    pub(crate) fn digest(&self) -> Option<String> {
        self.config.as_deref().map(short_digest)
    }
}

/// 12 hex digits of a digest.
pub(crate) fn short_digest(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(12).collect()
}
