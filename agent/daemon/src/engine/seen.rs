//! What containers there are, and what the engine says of each.
//!
//! Promise: a word this agent does not know never makes a container disappear.
//! Distrusts: `running` (a dead process keeps it after a crash of containerd), exit codes, labels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Deserialize;
use titania_core::digest::Digest;
use titania_core::names::{AppName, Generation, InstanceId, StartedAt};
use titania_core::status::ContainerState;

use super::call::{Call, LIST_BYTES_MAX, encode};
use super::error::EngineError;
use super::inspect::Inspected;
use super::refusal::shorten;
use super::{Engine, parse, process, short};

/// One container with this board's instance label, as inspect shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Engine's id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// State; a word this agent does not know is `Unknown`.
    pub state: ContainerState,
    /// Is there a process of its pid? False only on proof: a container called running whose process is gone.
    pub alive: bool,
    /// Pid on the board; null when there is none.
    pub pid: Option<u32>,
    /// When it was last started, as the engine wrote it; null: never.
    pub started_at: Option<StartedAt>,
    /// When it last ended, as the engine wrote it; null: never.
    pub finished_at: Option<String>,
    /// Exit code of its last run, or what a refused start left (126, 127, 128); means nothing after an engine crash.
    pub exit_code: i64,
    /// What the engine says went wrong; empty when nothing.
    pub error: String,
    /// Did the kernel kill it for memory?
    pub oom_killed: bool,
    /// Has it the restart policy of a committed one, `unless-stopped`?
    pub armed: bool,
    /// Restarts by the engine since its own start.
    pub restarts: u64,
    /// `uid:gid` it runs as.
    pub user: String,
    /// Address in each network; empty unless it runs on a network of its own.
    pub addresses: Vec<(String, IpAddr)>,
    /// `NetworkMode`: `titania`, `host`, `none`, a name.
    pub network: String,
    /// Answer of the image's HEALTHCHECK; null unless it runs and has one.
    pub health: Option<HealthCheck>,
    /// Image id it was made from.
    pub image: String,
}

/// What a container of this board is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// One generation of an app.
    App {
        /// App.
        app: AppName,
        /// Generation.
        generation: Generation,
        /// Config digest of its release; null when the label is none.
        config: Option<Digest>,
        /// Hash of its definition; null when the label is none.
        definition: Option<Digest>,
    },
    /// A throw-away one, `<app>-probe`: instance label alone. One that is left over is to be removed.
    Throwaway,
    /// App or generation label can't be read: left alone.
    Unreadable,
}

/// Answer of the image's HEALTHCHECK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthCheck {
    /// Not known yet.
    Starting,
    /// Passed.
    Healthy,
    /// Failed so many times in a row.
    Unhealthy,
}

/// Label with the app's name.
pub(super) const LABEL_APP: &str = "org.titania.agent.app";
/// Label with the generation.
pub(super) const LABEL_GENERATION: &str = "org.titania.agent.generation";
/// Label with the config digest of the release.
pub(super) const LABEL_CONFIG: &str = "org.titania.agent.config";
/// Label with the definition's hash.
pub(super) const LABEL_DEFINITION: &str = "org.titania.agent.definition";
/// Label with the instance id.
pub(super) const LABEL_INSTANCE: &str = "org.titania.agent.instance";

/// What an engine writes for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// One entry of the list of containers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Engine {
    /// Every container with this board's instance label, in no order: one list, then one inspect each.
    /// One that goes away in between is left out.
    ///
    /// # Errors
    /// Any: what is there is then not known at all.
    pub async fn containers(&self, instance: &InstanceId) -> Result<Vec<Seen>, EngineError> {
        self.seen(&[&format!("{LABEL_INSTANCE}={}", instance.0)]).await
    }

    /// The same, of one app.
    ///
    /// # Errors
    /// Any: what is there is then not known at all.
    pub async fn containers_of(
        &self,
        instance: &InstanceId,
        app: &AppName,
    ) -> Result<Vec<Seen>, EngineError> {
        let labels = [format!("{LABEL_INSTANCE}={}", instance.0), format!("{LABEL_APP}={app}")];
        self.seen(&[&labels[0], &labels[1]]).await
    }

    async fn seen(&self, labels: &[&str]) -> Result<Vec<Seen>, EngineError> {
        let listed = self.list(labels).await?;
        let mut seen = Vec::with_capacity(listed.len());
        for container in listed {
            match self.inspect(&container.id).await {
                Ok(inspected) => seen.push(Seen::of(inspected, self.wire().peer())),
                Err(EngineError::NoSuch { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(seen)
    }

    /// Every instance id on any container, of other agents' too.
    pub async fn instances(&self) -> Result<BTreeSet<InstanceId>, EngineError> {
        let listed = self.list(&[LABEL_INSTANCE]).await?;
        let ids =
            listed.into_iter().filter_map(|container| container.labels?.remove(LABEL_INSTANCE));
        Ok(ids.map(InstanceId).collect())
    }

    /// What the image's HEALTHCHECK says of a running container; null when it has none, or does not run.
    ///
    /// # Errors
    /// [`EngineError::NoSuch`] when it is gone.
    pub async fn health(&self, id: &str) -> Result<Option<HealthCheck>, EngineError> {
        let found = self.inspect(id).await?;
        let is_running = state(&found.state.status) == ContainerState::Running;
        let health = found.state.health.filter(|_| is_running);
        Ok(health.and_then(|health| health_check(&health.status)))
    }

    /// Addresses of a container on its networks; none unless it runs on one of its own.
    ///
    /// # Errors
    /// [`EngineError::NoSuch`] when it is gone.
    pub async fn addresses(&self, id: &str) -> Result<Vec<IpAddr>, EngineError> {
        let seen = Seen::of(self.inspect(id).await?, self.wire().peer());
        Ok(seen.addresses.into_iter().map(|(_, address)| address).collect())
    }

    async fn list(&self, labels: &[&str]) -> Result<Vec<Listed>, EngineError> {
        let filters = serde_json::json!({ "label": labels }).to_string();
        let path = format!("/containers/json?all=1&filters={}", encode(&filters));
        let call = Call { bytes_max: LIST_BYTES_MAX, ..Call::get("list containers", path) };
        parse("list containers", &self.wire().well(call).await?)
    }

    /// Its state alone. Docker answers for one that is being started or stopped when that is done.
    ///
    /// # Errors
    /// [`EngineError::NoSuch`] when it is gone.
    pub async fn state(&self, id: &str) -> Result<ContainerState, EngineError> {
        Ok(state(&self.inspect(id).await?.state.status))
    }

    /// One container, whoever made it; `name` is an id or a name.
    pub(super) async fn inspect(&self, name: &str) -> Result<Inspected, EngineError> {
        let act = format!("inspect container {}", short(name));
        let call = Call::get(&act, format!("/containers/{}/json", encode(name)));
        parse(&act, &self.wire().well(call).await?)
    }
}

impl Seen {
    fn of(found: Inspected, engine: Option<u32>) -> Self {
        let state = state(&found.state.status);
        let pid = u32::try_from(found.state.pid).ok().filter(|pid| *pid > 0);
        let is_running = state == ContainerState::Running;
        let time = |text: String| Some(text).filter(|text| !text.is_empty() && text != NEVER);
        let health = found.state.health.filter(|_| is_running);
        let addresses = found.network_settings.networks.iter().filter_map(|(name, endpoint)| {
            let endpoint = endpoint.as_ref()?;
            let address = [&endpoint.ip_address, &endpoint.ip6_address]
                .into_iter()
                .find(|text| !text.is_empty())?;
            Some((name.clone(), address.parse().ok()?))
        });
        Self {
            role: role(&found.config.labels),
            name: found.name.trim_start_matches('/').to_string(),
            alive: is_running && pid.is_none_or(|pid| process::is_alive(engine, pid)),
            pid,
            started_at: time(found.state.started_at).map(StartedAt),
            finished_at: time(found.state.finished_at),
            exit_code: found.state.exit_code,
            error: shorten(&found.state.error),
            oom_killed: found.state.oom_killed,
            armed: found.host_config.restart_policy.name == "unless-stopped",
            restarts: found.restart_count,
            addresses: addresses.collect(),
            network: found.host_config.network_mode,
            health: health.and_then(|health| health_check(&health.status)),
            user: found.config.user,
            image: found.image,
            id: found.id,
            state,
        }
    }
}

/// The engine's word for a state; one that is new is `Unknown`, never an error.
pub(super) fn state(word: &str) -> ContainerState {
    match word {
        "created" | "configured" | "initialized" => ContainerState::Created,
        "running" | "stopping" => ContainerState::Running,
        "restarting" => ContainerState::Restarting,
        "paused" => ContainerState::Paused,
        "exited" | "stopped" => ContainerState::Exited,
        "dead" | "removing" => ContainerState::Dead,
        _ => ContainerState::Unknown,
    }
}

/// The engine's word for the answer of a HEALTHCHECK; null where there is none, or the word is new.
pub(super) fn health_check(word: &str) -> Option<HealthCheck> {
    match word {
        "starting" => Some(HealthCheck::Starting),
        "healthy" => Some(HealthCheck::Healthy),
        "unhealthy" => Some(HealthCheck::Unhealthy),
        _ => None,
    }
}

/// What a container is for, by its labels.
fn role(labels: &BTreeMap<String, String>) -> Role {
    let (app, generation) = match (labels.get(LABEL_APP), labels.get(LABEL_GENERATION)) {
        (None, None) => return Role::Throwaway,
        (Some(app), Some(generation)) => (app.parse(), generation.parse()),
        _ => return Role::Unreadable,
    };
    let digest = |label: &str| labels.get(label).and_then(|text| text.parse().ok());
    match (app, generation) {
        (Ok(app), Ok(generation)) => Role::App {
            app,
            generation: Generation(generation),
            config: digest(LABEL_CONFIG),
            definition: digest(LABEL_DEFINITION),
        },
        _ => Role::Unreadable,
    }
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
