//! Programs that run without the engine's knowledge: one that was killed right after it had started a container knows
//! nothing of it afterwards ([`Containerd`]). Beside it another container of the app would be a second one on its data;
//! itself it can never be started again.
//!
//! Promise: each time that the engine comes, and after a start that it refused for no cause that is known, before anything is decided for an app, those of its containers that are down
//! by the engine's word are asked for, and what lives of them is ended, with the signal and the grace of its definition.
//! Only where the engine says so again after that: one that is being started meanwhile is left alone. While one would not
//! end nothing is done for its app; where containerd does not tell, it is asked [`LOOKS_MAX`] times, then nothing is known.

use std::time::Duration;

use titania_core::definition::Stop;
use titania_core::event::{EventType, Level};
use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::{ContainerState, StepName};

use super::agent::Agent;
use super::app::{App, Memory};
use super::news::Told;
use crate::board::clock;
use crate::engine::{Containerd, EngineError, Role, Seen, Task};

/// How often it is asked, where it does not answer: a board that has just crashed may be slow.
const LOOKS_MAX: u32 = 5;

/// How far the look at one app has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// At which coming of the engine it came to its end.
    ended: Option<u64>,
    /// containerd told of each container then.
    is_told: bool,
    /// Looks since that had no answer.
    unanswered: u32,
}

/// The engine came, or went: all are to be looked for.
pub fn engine_came(agent: &Agent) {
    agent.comings.set(agent.comings.get().wrapping_add(1));
}

/// A start was refused, and not for a cause that is known: it may have come to something all the same, as where containerd
/// crashed in its midst.
pub fn suspect(app: &App) {
    app.memory.borrow_mut().orphans = Looked::default();
}

/// Whether containerd told, since that was asked for last, that nothing of the app runs that the engine does not know of.
/// False where nobody could be asked.
pub fn are_none(agent: &Agent, app: &App) -> bool {
    let looked = app.memory.borrow().orphans;
    looked.is_told && looked.ended == Some(agent.comings.get())
}

/// Ends them, of one app.
///
/// # Errors
/// One would not end, or who lives is not known yet: nothing may be started.
pub async fn end(agent: &Agent, app: &App, seen: &[Seen]) -> Result<(), Reason> {
    let coming = agent.comings.get();
    let looked = app.memory.borrow().orphans;
    if looked.ended == Some(coming) {
        return Ok(());
    }
    let containerd = Containerd::beside(agent.engine.socket());
    let mut is_told = containerd.is_some();
    if let Some(containerd) = containerd {
        for one in seen.iter().filter(|one| is_down(one.state)) {
            let unanswered = match end_one(agent, app, &containerd, one).await {
                Ok(()) => continue,
                Err(Fault::Unanswered(why)) if looked.unanswered >= LOOKS_MAX => {
                    log::warn!("{}: whether {} runs is not known: {why}", app.name, one.name);
                    is_told = false;
                    continue;
                }
                Err(Fault::Unanswered(why)) => why,
                Err(Fault::Lives(why)) => {
                    return Err(reason(&why, "dmesg, then restart the board"));
                }
                Err(Fault::Engine(error)) => return Err(error.reason(clock::wall())),
            };
            app.memory.borrow_mut().orphans.unanswered = looked.unanswered + 1;
            let message =
                format!("containerd does not tell whether {} runs: {unanswered}", one.name);
            return Err(reason(&message, "systemctl status containerd"));
        }
    }
    app.memory.borrow_mut().orphans = Looked { ended: Some(coming), is_told, unanswered: 0 };
    Ok(())
}

fn reason(message: &str, hint: &str) -> Reason {
    Reason::new(Code::EngineError, Class::Environment, message, hint, clock::wall())
}

/// What kept an orphan from being found, or from ending.
enum Fault {
    /// containerd did not answer.
    Unanswered(String),
    /// It lives on.
    Lives(String),
    Engine(EngineError),
}

async fn end_one(
    agent: &Agent,
    app: &App,
    containerd: &Containerd,
    seen: &Seen,
) -> Result<(), Fault> {
    let unanswered = |error: std::io::Error| Fault::Unanswered(error.to_string());
    let task = containerd.task(&seen.id).await.map_err(unanswered)?;
    if task == Task::None {
        // A shim whose container never came to be is in the way of a start as well, and can't be asked.
        if let Err(error) = containerd.forget(&seen.id).await {
            log::debug!("{}: containerd on {}: {error}", app.name, seen.name);
        }
        return Ok(());
    }
    match agent.engine.state(&seen.id).await {
        Ok(state) if is_down(state) => {}
        Ok(_) | Err(EngineError::NoSuch { .. }) => return Ok(()), // it was being started, or removed
        Err(error) => return Err(Fault::Engine(error)),
    }
    if task == Task::Ended {
        return containerd.forget(&seen.id).await.map_err(unanswered);
    }
    let Role::App { generation, .. } = &seen.role else {
        return Ok(());
    };
    let stop = stop_of(&app.memory.borrow(), *generation);
    let grace = Duration::from_millis(stop.grace.0);
    containerd.end(&seen.id, &stop.signal, grace).await.map_err(|error| {
        Fault::Lives(format!(
            "{} runs without the engine's knowledge, and does not end: {error}",
            seen.name
        ))
    })?;
    app.memory.borrow_mut().forgive(*generation, StepName::Start); // it was in the way of that
    let text = format!(
        "{}: {} ran without the engine's knowledge, which was interrupted as it was started; it was ended",
        app.name, seen.name
    );
    let mut told = Told::info(EventType::AppPutRight, text);
    told.level = Level::Warning;
    agent.outlet.tell(Some(&app.name), told);
    Ok(())
}

/// How a generation is stopped, as its record says; as usual where there is none.
fn stop_of(memory: &Memory, generation: Generation) -> Stop {
    let record = &memory.record;
    let committed = [&record.current, &record.previous].into_iter().flatten();
    let mut known = committed
        .map(|c| (c.generation, &c.spec))
        .chain(record.intent.iter().map(|intent| (intent.generation, &intent.spec)));
    let spec = known.find_map(|(of, spec)| (of == generation).then_some(spec));
    spec.map(|spec| spec.definition.shape.stop.clone()).unwrap_or_default()
}

fn is_down(state: ContainerState) -> bool {
    matches!(state, ContainerState::Created | ContainerState::Exited | ContainerState::Dead)
}
