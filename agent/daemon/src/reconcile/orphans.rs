//! Programs that run without the engine's knowledge: one that was killed right after it had started a container knows
//! nothing of it afterwards ([`Containerd`]). Beside it another container of the app would be a second one on its data;
//! itself it can never be started again.
//!
//! Promise: once each time that the engine comes, before anything is decided for an app, those of its containers that
//! are down by the engine's word are asked for, and what lives of them is ended. Only where the engine says so again
//! after that: one that is being started meanwhile is left alone. Where containerd can't be asked nothing is known.

use std::time::Duration;

use titania_core::event::{EventType, Level};
use titania_core::status::ContainerState;

use super::agent::Agent;
use super::app::App;
use super::news::Told;
use crate::engine::{Containerd, EngineError, Seen};

/// Until SIGKILL: the engine's own for a stop that says nothing else.
const GRACE: Duration = Duration::from_secs(10);

/// The engine came: all are to be looked for.
pub fn engine_came(agent: &Agent) {
    for app in agent.all() {
        app.memory.borrow_mut().has_no_orphans = false;
    }
}

/// Ends them, of one app. What fails is told in the log: the app is decided on as the engine tells it.
///
/// # Errors
/// The engine's: who lives is not known then.
pub async fn end(agent: &Agent, app: &App, seen: &[Seen]) -> Result<(), EngineError> {
    if app.memory.borrow().has_no_orphans {
        return Ok(());
    }
    if let Some(containerd) = Containerd::beside(agent.engine.socket()) {
        for one in seen.iter().filter(|one| is_down(one.state)) {
            end_one(agent, app, &containerd, one).await?;
        }
    }
    app.memory.borrow_mut().has_no_orphans = true;
    Ok(())
}

async fn end_one(
    agent: &Agent,
    app: &App,
    containerd: &Containerd,
    seen: &Seen,
) -> Result<(), EngineError> {
    match containerd.is_alive(&seen.id).await {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        Err(error) => {
            log::debug!("{}: containerd does not tell of {}: {error}", app.name, seen.name);
            return Ok(());
        }
    }
    match agent.engine.state(&seen.id).await {
        Ok(state) if is_down(state) => {}
        Ok(_) | Err(EngineError::NoSuch { .. }) => return Ok(()), // it was being started, or removed
        Err(error) => return Err(error),
    }
    if let Err(error) = containerd.end(&seen.id, GRACE).await {
        log::warn!("{}: {} runs without the engine's knowledge: {error}", app.name, seen.name);
        return Ok(());
    }
    let text = format!(
        "{}: {} ran without the engine's knowledge, which had crashed as it was started; it was ended",
        app.name, seen.name
    );
    let mut told = Told::info(EventType::AppPutRight, text);
    told.level = Level::Warning;
    agent.outlet.tell(Some(&app.name), told);
    Ok(())
}

fn is_down(state: ContainerState) -> bool {
    matches!(state, ContainerState::Created | ContainerState::Exited | ContainerState::Dead)
}
