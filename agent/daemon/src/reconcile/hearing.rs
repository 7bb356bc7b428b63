//! What the engine's event stream says, for exits, for the app it is about, and for a hand from outside.

use std::rc::Rc;

use titania_core::event::{EventType, Level};
use titania_core::names::Generation;

use super::agent::Agent;
use super::app::App;
use super::news::Told;
use crate::board::clock;
use crate::engine::{EngineEvent, What};

/// Takes in one event.
pub fn hear(agent: &Rc<Agent>, event: &EngineEvent) {
    let app = event.app.as_ref().and_then(|name| agent.app(name));
    let mut is_foreign = false;
    let mut is_news = true;
    {
        let mut exits = agent.exits.borrow_mut();
        match &event.what {
            What::Start => {
                exits.started(&event.id);
                is_foreign = true; // the agent starts none but the wanted one
            }
            What::Die { exit } => exits.died(&event.id, exit.unwrap_or(-1)),
            What::Oom => {
                exits.out_of_memory(&event.id);
                is_news = false;
            }
            What::Kill { .. } => is_foreign = exits.killed(&event.id),
            What::Destroy => is_foreign = exits.destroyed(&event.id),
            What::Health(_) => is_news = false, // the probes ask by themselves
        }
    }
    agent.heard.notify_waiters();
    let Some(app) = app.filter(|_| is_news) else {
        return;
    };
    if let What::Die { .. } = event.what {
        note_exit(agent, &app, event);
    }
    if is_foreign && let Some(generation) = event.generation {
        tell_of_hand(agent, &app, generation, &event.what);
    }
    app.is_stale();
}

/// An exit that nobody asked for counts towards a crash loop.
fn note_exit(agent: &Agent, app: &App, event: &EngineEvent) {
    let is_wanted = {
        let memory = app.memory.borrow();
        let wanted = memory.world.as_ref().and_then(|world| world.wanted_generation());
        wanted.is_some() && wanted == event.generation
    };
    if !is_wanted || agent.exits.borrow().was_asked_for(&event.id) {
        return;
    }
    let keeps_policy = agent.shared.borrow().about.as_ref().is_none_or(|about| about.keeps_policy);
    let mut memory = app.memory.borrow_mut();
    let now = clock::moment();
    let current = memory.record.current.as_ref().map(|current| current.generation);
    if !keeps_policy && current == event.generation {
        memory.must_restart(now);
    }
    if let Some(generation) = event.generation {
        if current == Some(generation) {
            memory.suspect(generation, now);
        }
        memory.exited(generation, now);
    }
    if memory.record.intent.is_some() {
        memory.down.began(now);
    }
}

/// Somebody else stopped, signalled or removed a container: it is put right, and an event says so.
fn tell_of_hand(agent: &Agent, app: &App, generation: Generation, what: &What) {
    let is_wanted = {
        let memory = app.memory.borrow();
        let Some(world) = memory.world.as_ref() else {
            return;
        };
        world.wanted_generation() == Some(generation)
    };
    if is_wanted == matches!(what, What::Start) {
        return;
    }
    let name = app.name.container(generation);
    let did = match what {
        What::Start => "started",
        What::Destroy => "removed",
        _ => "stopped or signalled",
    };
    let text = format!(
        "{}: {name} was {did} from outside; it is put right (agentctl stop is the way to stop an app)",
        app.name
    );
    let mut told = Told::info(EventType::AppPutRight, text);
    told.level = Level::Warning;
    agent.outlet.tell(Some(&app.name), told);
}
