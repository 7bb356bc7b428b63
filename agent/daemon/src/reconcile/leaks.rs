//! Ports that the engine keeps for no container (`titania_core::leak`), and what is done about them.
//!
//! Promise: looked at when a start was refused for one, or an update waits for one alone, and at no other time. A restart
//! of the engine is asked for by a file, at most once a boot, and not while another app is being updated, but for a
//! minute at most where the app is down. For an update alone it is not asked for while a container runs that nobody
//! would start again. Whoever may restart it (packaging/systemd/titania-agent-engine.path) takes that file away; where
//! nobody does, the board's problems and the app's reason say what helps.
//! Trusts: the engine's list of containers. Distrusts: its list of ports.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use titania_core::definition::Port;
use titania_core::event::{EventType, Level};
use titania_core::leak::{Cost, Judgement, LOOKS_APART, Refused, Remedy, remedy};
use titania_core::names::AppName;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::AppState;
use titania_core::time::{Millis, Moment};
use titania_core::world::World;

use super::agent::Agent;
use super::app::App;
use super::backoff;
use super::fault::Fault;
use super::news::Told;
use super::perform::Act;
use crate::board::clock;
use crate::engine::{EngineError, Kind, Refusal};

/// The file that asks for a restart of the engine, in the folder that the service manager made for the agent.
const REQUEST: &str = "engine-restart";
/// Beside it, the boot in which that was done last.
const NOTE: &str = "engine-restart.boot";
/// Between two looks at a port that a container has, or nobody knows who.
const HELD_LOOK: Millis = Millis::seconds(10);
/// The same while another app is updated, and this one runs: to look makes a container.
const AFTER_UPDATE_LOOK: Millis = Millis::seconds(60);
/// What helps, where that is a person's to choose.
const HINT_CHOOSE: &str = "systemctl restart docker, when what it stops may be stopped";
/// What helps.
const HINT: &str = "systemctl restart docker; apps that ran are started again";

/// What is known of ports that starts are refused for.
#[derive(Debug, Default)]
pub struct Leaks {
    /// When the engine that runs now was first heard.
    engine_at: Moment,
    /// Ports that its list has, as refused starts told.
    refused: BTreeMap<u16, Refused>,
    /// Ports that it keeps for nobody, since when, and what is told of that.
    leaked: BTreeMap<u16, (Moment, Reason)>,
    /// Ports that it was asked for beside a running app, and that its list does not have.
    unlisted: BTreeSet<u16>,
    /// What was found of others beside a running app, and until when that is not looked at again.
    found: BTreeMap<u16, (Moment, Reason)>,
    /// When its restart was asked for in this boot.
    asked: Option<Moment>,
}

impl Leaks {
    /// What is wrong with the board because of it.
    pub fn problems(&self) -> Vec<Reason> {
        self.leaked.values().map(|(_, reason)| reason.clone()).collect()
    }
}

/// The engine is heard anew, mostly because it was started again: with a new list of ports.
pub fn engine_came(agent: &Agent) {
    {
        let mut leaks = agent.leaks.borrow_mut();
        leaks.engine_at = clock::moment();
        leaks.refused.clear();
        leaks.leaked.clear();
        leaks.unlisted.clear();
        leaks.found.clear();
    }
    for app in agent.all() {
        app.memory.borrow_mut().ports_are_listed_anew();
    }
}

/// An app runs with these ports.
pub fn free(agent: &Agent, ports: impl Iterator<Item = u16>) {
    let mut was_leaked = false;
    for port in ports {
        let mut leaks = agent.leaks.borrow_mut();
        leaks.refused.remove(&port);
        was_leaked |= leaks.leaked.remove(&port).is_some();
    }
    if was_leaked {
        agent.outlet.changed();
    }
}

/// A start was refused because the engine's list has `port`: what that means, and when the next try is due.
pub async fn refused(act: &Act<'_>, port: u16, error: &EngineError) -> Fault {
    let agent = act.agent;
    let kind = agent.shared.borrow().about.as_ref().map(|about| about.kind);
    if kind != Some(Kind::Docker) {
        return error.clone().into(); // Podman keeps no such list
    }
    let limit_of = |(reason, limit)| Fault::Failed { reason, limit, at_least: Millis(0) };
    match judge(agent, act.world, port).await {
        None => error.clone().into(),
        Some(Judgement::Held(name)) => {
            free(agent, std::iter::once(port));
            let Reason { code, class, message, hint, .. } = held(port, &name);
            Fault::new(code, class, message, hint)
        }
        Some(Judgement::Unsure) => soon(error.reason(clock::wall())),
        Some(Judgement::Leaked) => {
            let (reason, limit) = leaked(agent, &act.app.name, port, Cost::default());
            limit_of((Box::new(reason), limit))
        }
    }
}

/// An update alone waits for `port`, which somebody has, and its app runs: what is known of that, and when to look again.
/// No start is tried then, so a container that runs nothing is started with that port, for the engine's words: at most
/// once a life of the engine, but where its list has the port. Null: no more is known than what is `said`.
pub async fn held_back(
    agent: &Agent,
    app: &App,
    world: &World,
    port: &Port,
    said: &Reason,
) -> Option<(Reason, Moment)> {
    let now = clock::moment();
    let known = agent.leaks.borrow().found.get(&port.host).cloned();
    if let Some((until, reason)) = known.filter(|(until, _)| *until > now) {
        return Some((reason, until));
    }
    let (reason, wait) = look(agent, app, world, port, said).await?;
    let until = clock::moment().after(wait);
    agent.leaks.borrow_mut().found.insert(port.host, (until, reason.clone()));
    Some((reason, until))
}

async fn look(
    agent: &Agent,
    app: &App,
    world: &World,
    port: &Port,
    said: &Reason,
) -> Option<(Reason, Millis)> {
    let kind = agent.shared.borrow().about.as_ref().map(|about| about.kind);
    if kind != Some(Kind::Docker) || agent.leaks.borrow().unlisted.contains(&port.host) {
        return None;
    }
    let publishers = agent.engine.publishers(port.host).await.ok()?;
    if let Some(holder) = publishers.iter().find(|one| one.is_up) {
        return Some((held(port.host, &holder.name), HELD_LOOK));
    }
    let instance = agent.shared.borrow().instance.clone()?;
    let intent = world.record.intent.as_ref()?;
    let image = agent.engine.image(&app.name, intent.generation).await.ok()??;
    let network = &intent.spec.definition.shape.network;
    let tried = agent.engine.try_port(&app.name, &instance, &image.id, network, port).await;
    match tried {
        Err(error) if error.allocated_port() == Some(port.host) => {
            match judge(agent, world, port.host).await? {
                Judgement::Held(name) => Some((held(port.host, &name), HELD_LOOK)),
                Judgement::Unsure => Some((error.reason(clock::wall()), LOOKS_APART)),
                Judgement::Leaked => {
                    let lost = agent.engine.lost_by_a_restart(&instance).await;
                    let lost =
                        lost.unwrap_or_else(|error| Some(format!("one not known ({error})")));
                    let lost = lost.map(|one| format!("the container {one} would not come back"));
                    let cost = Cost { lost, app_runs: true, ..Cost::default() };
                    Some(leaked(agent, &app.name, port.host, cost))
                }
            }
        }
        Err(error) if error.refusal() != Some(Refusal::PortInUse) => {
            log::info!("{}: whose port {} is can't be told: {error}", app.name, port.host);
            (!error.is_unknown() && !error.is_away()).then(|| (said.clone(), AFTER_UPDATE_LOOK))
        }
        other => {
            if let Err(error) = other {
                log::info!("{}: port {} is not the engine's: {error}", app.name, port.host);
            }
            agent.leaks.borrow_mut().unlisted.insert(port.host);
            None
        }
    }
}

/// What it means that the engine's list was just said to have `port`; null where that can't be known.
async fn judge(agent: &Agent, world: &World, port: u16) -> Option<Judgement> {
    let publishers = match agent.engine.publishers(port).await {
        Ok(publishers) => publishers,
        Err(unknown) => {
            log::warn!("who has port {port} is not known: {unknown}");
            return None;
        }
    };
    let now = clock::moment();
    let mut leaks = agent.leaks.borrow_mut();
    let engine_at = leaks.engine_at;
    let refused = Refused::again(leaks.refused.get(&port).copied(), now, engine_at);
    leaks.refused.insert(port, refused);
    let own = |id: &str| world.containers.iter().any(|container| container.id == id);
    Some(refused.judge(now, &publishers, |one| own(&one.id)))
}

fn held(port: u16, by: &str) -> Reason {
    let message = format!("port {port} of the board is published by the container {by}");
    let hint = "stop that container, or publish another port in the definition";
    Reason::new(Code::PortInUse, Class::Environment, message, hint, clock::wall())
}

/// A start was refused because a process, none of a container's, listens at its port. Right after a crash of the engine
/// that may be a proxy of the dead one that ends just now, and the app is down for it: tried again soon, and the more
/// seldom the longer this engine runs.
pub fn taken(act: &Act<'_>, error: &EngineError) -> Fault {
    let engine_at = act.agent.leaks.borrow().engine_at;
    let limit = taken_wait(clock::moment().since(engine_at));
    Fault::Failed { reason: Box::new(error.reason(clock::wall())), limit, at_least: Millis(0) }
}

/// A quarter of the engine's age, so that what ends within seconds of its return is seen within seconds.
fn taken_wait(engine_age: Millis) -> Millis {
    Millis((engine_age.0 / 4).clamp(LOOKS_APART.0, backoff::SHORT_MAX.0))
}

/// Tried again as soon as a second look says more.
fn soon(reason: Reason) -> Fault {
    Fault::Failed { reason: Box::new(reason), limit: LOOKS_APART, at_least: Millis(0) }
}

/// What is done, and told, of `port`, which the engine keeps for nobody and `app` waits for; and until the next look.
fn leaked(agent: &Agent, app: &AppName, port: u16, cost: Cost) -> (Reason, Millis) {
    let now = clock::moment();
    let asked = asked(agent);
    let since = agent.leaks.borrow().leaked.get(&port).map_or(now, |(since, _)| *since);
    let others_update = agent.all().iter().any(|other| {
        let memory = other.memory.borrow();
        let state = memory.status.as_ref().map(|status| status.state);
        other.name != *app && state == Some(AppState::Updating)
    });
    let (app_runs, lost) = (cost.app_runs, cost.lost);
    let lost = lost.or_else(|| kept_up(agent, app).filter(|_| app_runs));
    let cost = Cost { others_update, lost, app_runs };
    let remedy = remedy(now, since, asked, &cost);
    let what = format!("the engine keeps port {port} of the board for no container");
    let answer = (remedy == Remedy::Ask).then(|| ask(agent, &what));
    let done = match remedy {
        Remedy::Ask => match &answer {
            Some(Err(error)) => format!("its restart could not be asked for: {error}"),
            _ => "its restart was asked for".to_owned(),
        },
        Remedy::Underway => "its restart was asked for".to_owned(),
        Remedy::AfterUpdate => "its restart waits for the update of another app".to_owned(),
        Remedy::Tell => "its restart was asked for once in this boot, and not again".to_owned(),
        Remedy::Refrain => {
            format!("its restart is not asked for: {}", cost.lost.unwrap_or_default())
        }
    };
    let message = format!("{what}; {done}");
    let hint = if remedy == Remedy::Refrain { HINT_CHOOSE } else { HINT };
    let reason = Reason::new(Code::PortLeaked, Class::Environment, message, hint, clock::wall());
    if matches!(answer, Some(Ok(()))) {
        let text = format!("{app}: {}", reason.message);
        let kind = EventType::EngineRestartAsked;
        agent.outlet.tell(None, Told::because(kind, Level::Warning, &reason, text));
    }
    agent.leaks.borrow_mut().leaked.insert(port, (since, reason.clone()));
    agent.outlet.changed();
    let is_over =
        matches!(remedy, Remedy::Tell | Remedy::Refrain) || matches!(answer, Some(Err(_)));
    let wait = match remedy {
        _ if is_over => backoff::SHORT_MAX,
        Remedy::AfterUpdate if app_runs => AFTER_UPDATE_LOOK,
        _ => LOOKS_APART,
    };
    (reason, wait)
}

/// Another app that runs and is not to be stopped now, as an operator or its definition says: for an update alone of this
/// one that holds, too.
fn kept_up(agent: &Agent, app: &AppName) -> Option<String> {
    agent.all().iter().filter(|other| other.name != *app).find_map(|other| {
        let memory = other.memory.borrow();
        let current = memory.record.current.as_ref()?;
        let has_window = current.spec.definition.update.window.is_some();
        (memory.record.hold.is_some() || has_window)
            .then(|| format!("{} would be stopped, which is held or has a window", other.name))
    })
}

/// When a restart was asked for in this boot, if it was; by an agent before this one: long ago.
fn asked(agent: &Agent) -> Option<Moment> {
    let asked = agent.leaks.borrow().asked;
    asked.or_else(|| {
        let note = std::fs::read_to_string(agent.runtime_folder()?.join(NOTE)).ok()?;
        (note.trim() == agent.me.boot.0).then_some(Moment(0))
    })
}

/// Puts the request where the one who may restart the engine looks for it. What stands in it is for a person.
fn ask(agent: &Agent, why: &str) -> io::Result<()> {
    let folder = agent.runtime_folder().ok_or(io::ErrorKind::NotFound)?;
    // Before the request: better none than one at each start of the agent.
    std::fs::write(folder.join(NOTE), format!("{}\n", agent.me.boot.0))?;
    std::fs::write(folder.join(REQUEST), format!("{why}\n"))?;
    agent.leaks.borrow_mut().asked = Some(clock::moment());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_a_process_has_is_tried_soon_after_the_engine_s_return_and_seldom_later() {
        for (age, wait) in [(0, 2), (8, 2), (20, 5), (60, 15), (3600, 900), (1_000_000, 900)] {
            assert_eq!(taken_wait(Millis::seconds(age)), Millis::seconds(wait), "{age}");
        }
    }
}
