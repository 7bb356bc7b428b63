//! Gates of a cutover (DESIGN §4, "wait"): window, hold, lock, dependencies, and all that the start will need.
//!
//! Promise: looked at only when a cutover is due, in one order, and the first that is shut is told with its
//! figures. Gates hold back the stop of a running app, never a recovery.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use titania_core::definition::Definition;
use titania_core::names::AppName;
use titania_core::outcome::Trigger;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::{Hold, Intent};
use titania_core::spec::Spec;
use titania_core::status::{HealthState, WaitingFor};
use titania_core::time::{Millis, Moment, SET_CLOCK, Timestamp};
use titania_core::window::Window;
use titania_core::world::World;

mod ports;

use super::agent::Agent;
use super::app::App;
use super::leaks;
use super::room::{self, Need, bytes};
use crate::board::clock;
use crate::board::confinement::Confinement;
use crate::volumes::VolumesError;

/// Until a gate is looked at again that tells nobody when it opens.
const LOOK_AGAIN: Millis = Millis::seconds(10);
/// Longest wait until a window or hold is looked at again: wall clocks jump.
const CLOCK_LOOK: Millis = Millis::seconds(15 * 60);

/// A gate that is shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Why.
    pub reason: Reason,
    /// What is waited for.
    pub waiting_for: WaitingFor,
    /// When to look again; null: when something happens.
    pub look_again: Option<Moment>,
    /// When it opens by itself, where that is known.
    pub opens: Option<Moment>,
}

fn shut(
    code: Code,
    class: Class,
    message: impl Into<String>,
    hint: impl Into<String>,
    waiting_for: WaitingFor,
) -> Gate {
    Gate {
        reason: Reason::new(code, class, message, hint, clock::wall()),
        waiting_for,
        look_again: Some(clock::moment().after(LOOK_AGAIN)),
        opens: None,
    }
}

/// The first shut gate, where a cutover is due: its container stands, inspected and compared, and `boots` is not written.
pub async fn first_shut(agent: &Agent, app: &App, world: &World) -> Option<Gate> {
    let intent = world.record.intent.as_ref()?;
    let container = world.container(intent.generation)?;
    let is_ready = world.evidence.compared.as_ref() == Some(&container.id)
        && world.evidence.inspected.as_ref().is_some_and(|(g, _)| *g == intent.generation);
    if intent.boots() > 0 || intent.verdict.is_some() || !is_ready {
        return None;
    }
    let current = world.record.current.as_ref().map(|c| c.generation);
    let runs = current.and_then(|g| world.container(g)).is_some_and(|c| c.is_up());
    if current.is_some() && !runs {
        return None; // a recovery, or this run has stopped it: no gate holds that back
    }
    if runs && let Some(gate) = not_now(agent, app, world, intent).await {
        return Some(gate);
    }
    let after = today(app, intent, |definition| definition.after.clone());
    if let Some(gate) = dependencies(agent, &after) {
        return Some(gate);
    }
    if let Some(gate) = disk(agent, app, intent).await {
        return Some(gate);
    }
    if let Some(gate) = sources(agent, app, intent).await {
        return Some(gate);
    }
    if let Some(gate) = devices(&intent.spec) {
        return Some(gate);
    }
    let held = world.record.current.as_ref().filter(|_| runs);
    let held = held.map(|c| c.spec.definition.shape.ports.as_slice()).unwrap_or_default();
    let (port, mut gate) = ports::taken(&intent.spec.definition.shape.ports, held)?;
    if runs
        && let Some((reason, until)) = leaks::held_back(agent, app, world, port, &gate.reason).await
    {
        (gate.reason, gate.look_again) = (reason, Some(until));
    }
    Some(gate)
}

/// What today's definition says of the way there, which makes no other container: else that of the intent.
fn today<T>(app: &App, intent: &Intent, of: impl Fn(&Definition) -> T) -> T {
    match &app.memory.borrow().definition {
        Some(force) => of(&force.definition),
        None => of(&intent.spec.definition),
    }
}

/// Window, hold and the app's own lock: what holds back the stop of a running app.
async fn not_now(agent: &Agent, app: &App, world: &World, intent: &Intent) -> Option<Gate> {
    let is_asked_for = intent.trigger == Trigger::Operator;
    let window = today(app, intent, |definition| definition.update.window);
    if let Some(window) = window.filter(|_| !is_asked_for)
        && let Some(gate) = outside(window, world.clock_synced, clock::of_day(), world.now)
    {
        return Some(gate);
    }
    if let Some(hold) = world.record.hold.as_ref().filter(|_| !is_asked_for)
        && let Some(wait) = held_for(hold, world.at)
    {
        let message = format!("{} holds it: {}", hold.by, hold.reason);
        let mut gate = shut(Code::Operator, Class::Operator, message, "", WaitingFor::Hold);
        gate.look_again = wait.map(|wait| world.now.after(Millis(wait.0.min(CLOCK_LOOK.0))));
        gate.opens = wait.map(|wait| world.now.after(wait));
        return Some(gate);
    }
    let current = world.record.current.as_ref()?;
    match agent.volumes.is_locked(&app.name, current.spec.clone(), current.generation).await {
        Ok(false) => None,
        Ok(true) => {
            let message = "the app holds its update.lock";
            Some(shut(Code::Operator, Class::Operator, message, "", WaitingFor::Lock))
        }
        Err(error) => Some(of_volumes(&error)),
    }
}

/// Outside of its window, or while nobody knows what time it is. `of_day`: since local midnight.
fn outside(window: Window, is_clock_set: bool, of_day: Millis, now: Moment) -> Option<Gate> {
    if !is_clock_set {
        let message = "the clock is not set yet, and update.window needs it";
        let class = Class::Environment;
        return Some(shut(Code::ClockUnsynced, class, message, SET_CLOCK, WaitingFor::Clock));
    }
    let wait = window.opens_in(of_day);
    if wait.0 == 0 {
        return None;
    }
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let message = format!("the window opens at {}, until {}", time(window.from), time(window.to));
    let mut gate = shut(Code::Operator, Class::Operator, message, "", WaitingFor::Window);
    gate.look_again = Some(now.after(Millis(wait.0.min(CLOCK_LOOK.0))));
    gate.opens = Some(now.after(wait));
    Some(gate)
}

/// Whether a hold is in force, and for how long; null inside: until it is cleared.
pub fn held_for(hold: &Hold, at: Timestamp) -> Option<Option<Millis>> {
    match hold.until {
        None => Some(None),
        Some(until) if until > at => {
            let wait = u64::try_from(until.0.saturating_sub(at.0)).unwrap_or(0);
            Some(Some(Millis(wait)))
        }
        Some(_) => None,
    }
}

/// Apps that must be healthy before.
fn dependencies(agent: &Agent, after: &[AppName]) -> Option<Gate> {
    let name = after.iter().find(|name| !is_healthy(agent, name))?;
    let message = format!("{name}, which it comes after, is not healthy");
    let hint = format!("agentctl status {name}");
    let mut gate =
        shut(Code::Dependency, Class::Environment, message, hint, WaitingFor::Dependency);
    gate.look_again = None; // a change of its health wakes those that come after it
    Some(gate)
}

fn is_healthy(agent: &Agent, name: &AppName) -> bool {
    agent.app(name).is_some_and(|app| {
        let memory = app.memory.borrow();
        memory.status.as_ref().is_some_and(|status| status.health == HealthState::Healthy)
    })
}

/// What holds back a start after the board's or the engine's return: those that it comes after, each at most its `deadline`.
pub fn dependency(agent: &Agent, app: &App, world: &World) -> Option<Reason> {
    let current = world.record.current.as_ref()?;
    if world.wanted_generation() != Some(current.generation)
        || world.container(current.generation).is_some_and(|c| c.is_up())
    {
        return None;
    }
    let back_at = agent.shared.borrow().back_at;
    let after = match &app.memory.borrow().definition {
        Some(force) => force.definition.after.clone(),
        None => current.spec.definition.after.clone(),
    };
    let mut late = None;
    for name in after.iter().filter(|name| !is_healthy(agent, name)) {
        let deadline = deadline(agent, name);
        let until = back_at.after(deadline);
        let message = format!("{name}, which it comes after, is not healthy");
        let hint = format!("agentctl status {name}");
        let reason =
            Reason::new(Code::Dependency, Class::Environment, message, hint, clock::wall());
        if world.now < until {
            let mut memory = app.memory.borrow_mut();
            memory.look_again = Some(memory.look_again.map_or(until, |at| at.min(until)));
            return Some(reason);
        }
        late = Some(reason);
    }
    let mut memory = app.memory.borrow_mut();
    match late {
        Some(reason) => memory.warnings.insert(Code::Dependency, reason),
        None => memory.warnings.remove(&Code::Dependency),
    };
    None
}

fn deadline(agent: &Agent, name: &AppName) -> Millis {
    agent.app(name).map_or(Millis(0), |app| {
        let memory = app.memory.borrow();
        let force = memory.definition.as_ref();
        force.map_or(Millis(0), |force| force.definition.health.deadline)
    })
}

/// Room for the copy of the state, and beside it the reserve.
async fn disk(agent: &Agent, app: &App, intent: &Intent) -> Option<Gate> {
    let settings = agent.settings();
    let size = match intent.parent.filter(|_| !intent.old_state) {
        Some(parent) => match agent.volumes.size(&app.name, parent).await {
            Ok(size) => size.bytes,
            Err(error) => return Some(of_volumes(&error)),
        },
        None => 0,
    };
    if size > settings.disk.fork_limit {
        return Some(too_large(size, settings.disk.fork_limit));
    }
    let root = agent.volumes.root().to_owned();
    let free = match agent.volumes.free_bytes(root.clone()).await {
        Ok(free) => free,
        Err(error) => return Some(of_volumes(&error)),
    };
    let need = Need { copy: size, ..Need::reserve(settings.disk.reserve) };
    room::shortage(&root, &need, free).map(|reason| Gate {
        reason,
        waiting_for: WaitingFor::Disk,
        look_again: Some(clock::moment().after(LOOK_AGAIN)),
        opens: None,
    })
}

/// The first disk of the app's volumes that is below the reserve while a release is on probation: what that does
/// then is not its own fault.
pub async fn disk_of_volumes_low(agent: &Agent, world: &World) -> Option<Reason> {
    let intent = world.record.intent.as_ref()?;
    if intent.boots() == 0 || intent.verdict.is_some() {
        return None;
    }
    let need = Need::reserve(agent.settings().disk.reserve);
    let sources = intent.spec.definition.shape.volumes.data.iter().filter(|data| !data.read_only);
    let sources = sources.filter_map(|data| data.source.as_ref()).map(PathBuf::from);
    let root = agent.volumes.root().to_owned();
    for path in std::iter::once(root).chain(sources) {
        if let Ok(free) = agent.volumes.free_bytes(path.clone()).await
            && let Some(low) = room::shortage(&path, &need, free)
        {
            return Some(low);
        }
    }
    None
}

/// The state is larger than a fork may be.
pub fn too_large(size: u64, limit: u64) -> Gate {
    let message = format!("its state has {}, a fork may have {}", bytes(size), bytes(limit));
    let hint = "move what need not go back into data, or raise disk.fork_limit in agent.toml";
    shut(Code::ForkTooLarge, Class::Environment, message, hint, WaitingFor::Disk)
}

async fn sources(agent: &Agent, app: &App, intent: &Intent) -> Option<Gate> {
    let checked = agent.volumes.check(&app.name, Arc::clone(&intent.spec), intent.generation).await;
    checked.err().map(|error| of_volumes(&error))
}

fn of_volumes(error: &VolumesError) -> Gate {
    Gate {
        reason: error.reason(clock::wall()),
        waiting_for: if error.is_disk_full() { WaitingFor::Disk } else { WaitingFor::Volumes },
        look_again: Some(clock::moment().after(LOOK_AGAIN)),
        opens: None,
    }
}

/// Where /dev is not the board's own nothing is known; a start that misses a device is refused, and told, by the engine.
fn devices(spec: &Spec) -> Option<Gate> {
    if spec.definition.shape.devices.is_empty() || !Confinement::look().shows_devices() {
        return None;
    }
    let device = spec.definition.shape.devices.iter().find(|path| !Path::new(path).exists())?;
    let message = format!("{device} is not there");
    let hint = "plug the device in, load its driver, or take it out of the definition";
    Some(shut(Code::DeviceMissing, Class::Environment, message, hint, WaitingFor::Device))
}

#[cfg(test)]
mod tests;
