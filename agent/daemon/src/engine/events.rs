//! What the engine tells of containers while it happens: one stream for all apps.
//!
//! Promise: a word this agent does not know is left out, and the stream goes on. Every end is an error:
//! what happened meanwhile is then unseen, and all is to be looked at anew.
//! Distrusts: the order of `stop` and `die` (it differs), and `die` without a `kill` (that is for the caller).

use std::time::Duration;

use serde::Deserialize;
use titania_core::names::{AppName, Generation, InstanceId};

use super::Engine;
use super::call::{Call, encode, unknown};
use super::error::EngineError;
use super::lines::Lines;
use super::seen::{HealthCheck, LABEL_INSTANCE, health_check};

/// Longest wait for the stream's head: the engine sends it at once.
const BEGIN: Duration = Duration::from_secs(10);

const ACT: &str = "events";

/// Asked of the engine; `remove` is Podman's word for `destroy`. Not `exec_*`: a HEALTHCHECK makes three of them a time.
const WANTED: [&str; 7] = ["start", "die", "oom", "kill", "destroy", "remove", "health_status"];

/// Something that happened to a container of this board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// Engine's id of the container.
    pub id: String,
    /// Its app; null for a throw-away one.
    pub app: Option<AppName>,
    /// Its generation.
    pub generation: Option<Generation>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was started.
    Start,
    /// Its process ended.
    Die {
        /// Exit code, where it was told.
        exit: Option<i64>,
    },
    /// The kernel killed in it for memory.
    Oom,
    /// The engine sent it a signal: the agent's own stop, or a person.
    Kill {
        /// Number of the signal, where it was told.
        signal: Option<u32>,
    },
    /// It was removed.
    Destroy,
    /// Its HEALTHCHECK changed its answer.
    Health(HealthCheck),
}

/// A stream of events. Dropping it closes it.
pub struct Events {
    lines: Lines,
    instance: InstanceId,
}

impl Engine {
    /// Begins to listen: what happens from now on arrives, whatever happened before is to be looked up after this returned.
    pub async fn events(&self, instance: &InstanceId) -> Result<Events, EngineError> {
        let filters = serde_json::json!({
            "type": ["container"],
            "event": WANTED,
            "label": [format!("{LABEL_INSTANCE}={}", instance.0)],
        });
        let call = Call {
            deadline: BEGIN,
            ..Call::get(ACT, format!("/events?filters={}", encode(&filters.to_string())))
        };
        let body = self.wire().stream(call).await?;
        Ok(Events { lines: Lines::new(ACT, body, None), instance: instance.clone() })
    }
}

impl Events {
    /// The next event; may wait for ever. Safe to drop while it waits.
    ///
    /// # Errors
    /// The stream broke, or ended, which it never does by itself: it is over, begin anew and look at everything.
    pub async fn next(&mut self) -> Result<EngineEvent, EngineError> {
        loop {
            match self.lines.next().await? {
                None => return Err(unknown(ACT, "the engine closed the stream")),
                Some(line) => {
                    if let Some(event) = read(&line, &self.instance) {
                        return Ok(event);
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "Action", default)]
    action: String,
    /// What engines before `Action` wrote, and Podman still does.
    #[serde(default)]
    status: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
    #[serde(default)]
    id: String,
}

#[derive(Default, Deserialize)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Attributes,
}

/// Of all labels only our own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    #[serde(rename = "org.titania.agent.app")]
    app: Option<String>,
    #[serde(rename = "org.titania.agent.generation")]
    generation: Option<String>,
    #[serde(rename = "org.titania.agent.instance")]
    instance: Option<String>,
    #[serde(rename = "exitCode")]
    exit: Option<String>,
    #[serde(rename = "containerExitCode")]
    podman_exit: Option<String>,
    signal: Option<String>,
}

/// Reads one line; null for what is not ours, or not known.
fn read(line: &[u8], instance: &InstanceId) -> Option<EngineEvent> {
    let told: Told = serde_json::from_slice(line)
        .inspect_err(|error| log::debug!("engine: an event can't be read: {error}"))
        .ok()?;
    let labels = told.actor.attributes;
    if labels.instance.as_deref() != Some(instance.0.as_str()) {
        return None;
    }
    let action = if told.action.is_empty() { told.status } else { told.action };
    let (verb, rest) = action.split_once(':').unwrap_or((&action, ""));
    let what = match verb {
        "start" => What::Start,
        "die" => What::Die {
            exit: labels.podman_exit.or(labels.exit).and_then(|code| code.parse().ok()),
        },
        "oom" => What::Oom,
        "kill" => What::Kill { signal: labels.signal.and_then(|number| number.parse().ok()) },
        "destroy" | "remove" => What::Destroy,
        "health_status" => What::Health(health_check(rest.trim())?),
        _ => return None,
    };
    Some(EngineEvent {
        id: if told.actor.id.is_empty() { told.id } else { told.actor.id },
        app: labels.app.and_then(|name| name.parse().ok()),
        generation: labels.generation.and_then(|number| number.parse().ok()).map(Generation),
        what,
    })
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
