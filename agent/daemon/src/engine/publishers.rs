//! Which containers have a port of the board published, whoever made them, and which a restart of the engine would end.
//!
//! Promise: one that may have it is never left out; with more containers than are looked at, one of the rest has it.
//! Distrusts: what the list says of the ports of one that does not run (they are those of its last run).

use serde::Deserialize;
use titania_core::leak::Publisher;
use titania_core::names::InstanceId;
use titania_core::status::ContainerState;

use super::call::{Call, LIST_BYTES_MAX};
use super::error::EngineError;
use super::inspect::Inspected;
use super::seen::{LABEL_INSTANCE, state};
use super::{Engine, parse};

/// Most containers that are inspected: each costs a question, and a small board has a dozen.
const INSPECTED_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    ports: Option<Vec<ListedPort>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPort {
    #[serde(default)]
    public_port: u16,
}

impl Engine {
    /// Containers that have `port` of the board, on whatever address and by whatever protocol, or are defined to.
    ///
    /// # Errors
    /// Any: who has it is then not known.
    pub async fn publishers(&self, port: u16) -> Result<Vec<Publisher>, EngineError> {
        let act = "list containers";
        let call = Call {
            bytes_max: LIST_BYTES_MAX,
            ..Call::get(act, "/containers/json?all=1".to_owned())
        };
        let listed: Vec<Listed> = parse(act, &self.wire().well(call).await?)?;
        let mut found = Vec::new();
        if listed.len() > INSPECTED_MAX {
            let name = format!("one of {} containers", listed.len());
            found.push(Publisher { id: String::new(), name, is_up: true });
        }
        for container in listed.iter().take(INSPECTED_MAX) {
            match self.inspect(&container.id).await {
                Ok(inspected) => found.extend(publisher(container, &inspected, port)),
                Err(EngineError::NoSuch { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(found)
    }
}

impl Engine {
    /// A container that runs and that nobody would start again after a restart of the engine: not this agent's, and
    /// without a policy by which the engine does.
    ///
    /// # Errors
    /// Any: it is then not known.
    pub async fn lost_by_a_restart(
        &self,
        instance: &InstanceId,
    ) -> Result<Option<String>, EngineError> {
        let act = "list containers";
        let call =
            Call { bytes_max: LIST_BYTES_MAX, ..Call::get(act, "/containers/json".to_owned()) };
        let listed: Vec<Listed> = parse(act, &self.wire().well(call).await?)?;
        if listed.len() > INSPECTED_MAX {
            return Ok(Some(format!("one of {} containers", listed.len())));
        }
        for container in &listed {
            match self.inspect(&container.id).await {
                Ok(one) if comes_back(&one, instance) => {}
                Ok(one) => return Ok(Some(one.name.trim_start_matches('/').to_owned())),
                Err(EngineError::NoSuch { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }
}

fn comes_back(one: &Inspected, instance: &InstanceId) -> bool {
    let is_ours = one.config.labels.get(LABEL_INSTANCE) == Some(&instance.0);
    is_ours || matches!(one.host_config.restart_policy.name.as_str(), "always" | "unless-stopped")
}

fn publisher(listed: &Listed, inspected: &Inspected, port: u16) -> Option<Publisher> {
    // What a word means that this agent does not know is not known: it may run.
    let is_up = |word: &str| {
        !matches!(
            state(word),
            ContainerState::Created | ContainerState::Exited | ContainerState::Dead
        )
    };
    let is_up = is_up(&listed.state) || is_up(&inspected.state.status);
    let mut ports = listed.ports.iter().flatten();
    let has_it = is_up && ports.any(|one| one.public_port == port);
    let bindings = inspected.host_config.port_bindings.values().flatten().flatten();
    let is_defined = || bindings.into_iter().any(|one| covers(&one.host_port, port));
    (has_it || is_defined()).then(|| Publisher {
        id: inspected.id.clone(),
        name: inspected.name.trim_start_matches('/').to_owned(),
        is_up,
    })
}

/// `8080`, or `8080-8090`: one of them; nothing where the engine chooses.
fn covers(text: &str, port: u16) -> bool {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok();
    number(from).zip(number(to)).is_some_and(|(from, to)| (from..=to).contains(&port))
}

#[cfg(test)]
#[path = "publishers_tests.rs"]
mod tests;
