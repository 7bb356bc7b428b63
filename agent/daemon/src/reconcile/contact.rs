//! Contact: whether the engine answers, whose board this is, and what the engine tells while it happens.
//!
//! Promise: whenever the engine's socket comes back all apps are looked at at once, not only at boot; a volume root
//! that goes missing stops everything before anything is written below it.

use std::rc::Rc;
use std::time::Duration;

use titania_core::event::{EventType, Level};
use titania_core::names::InstanceId;
use titania_core::platform::board_platform;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::{EngineState, EngineStatus};
use titania_core::time::Millis;

use super::agent::Agent;
use super::fault::Fault;
use super::news::Told;
use super::{apps, hearing, leaks, orphans, publish};
use crate::board::clock;
use crate::board::userland::Userland;
use crate::engine::{About, EngineError, Kind, Role};
use crate::store::instance;
use crate::volumes::RootState;

/// Between the first two tries to reach an engine that is away; each further one waits twice as long.
const AWAY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait between two: a connect to a Unix socket costs next to nothing, and apps are down until one succeeds.
const AWAY_MAX: Duration = Duration::from_secs(2);
/// A stream that ends sooner is not opened again at once: something between here and the engine closes it each time.
const STREAM_MIN: Millis = Millis::seconds(1);
/// How long then.
const STREAM_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at a volume root that can't be used.
const ROOT_LOOK: Duration = Duration::from_secs(5);
/// Between two looks at all that nobody tells of: a container that another process made or lost, a root unmounted.
const SAFETY_LOOK: Duration = Duration::from_secs(5 * 60);

/// Keeps contact for ever.
pub async fn keep(agent: Rc<Agent>, userland: Userland) {
    let mut away = AWAY_FIRST;
    loop {
        let about = match agent.engine.hello().await {
            Ok(about) => about,
            Err(error) => {
                lost(&agent, &error);
                pause(&agent, away).await;
                away = (away * 2).min(AWAY_MAX);
                continue;
            }
        };
        met(&agent, &userland, about);
        if let Err(error) = settle(&agent).await {
            lost(&agent, &error);
            pause(&agent, away).await;
            away = (away * 2).min(AWAY_MAX);
            continue;
        }
        let instance = agent.shared.borrow().instance.clone();
        let Some(instance) = instance.filter(|_| agent.shared.borrow().root.is_none()) else {
            show_ready(&agent);
            pause(&agent, ROOT_LOOK).await;
            continue;
        };
        match agent.engine.events(&instance).await {
            Ok(events) => {
                away = AWAY_FIRST;
                agent.exits.borrow_mut().connected();
                leaks::engine_came(&agent);
                orphans::engine_came(&agent);
                tidy(&agent, &instance).await;
                apps::adopt_strays(&agent, &instance).await;
                show_ready(&agent);
                let began = clock::moment();
                let error = listen(&agent, events).await;
                agent.exits.borrow_mut().broke();
                // Now as well: what is asked next may be answered by the next one, before it is known to be another.
                orphans::engine_came(&agent);
                agent.heard.notify_waiters();
                log::info!("the engine's event stream ended: {error}");
                agent.all_stale();
                if clock::moment().since(began) < STREAM_MIN {
                    pause(&agent, STREAM_PAUSE).await;
                }
            }
            Err(error) => {
                lost(&agent, &error);
                pause(&agent, away).await;
                away = (away * 2).min(AWAY_MAX);
            }
        }
    }
}

async fn pause(agent: &Agent, span: Duration) {
    tokio::select! {
        () = tokio::time::sleep(span) => {}
        () = agent.recheck.notified() => {
            // Asked for by those who found it away: not faster than it can come back.
            tokio::time::sleep(span.min(Duration::from_millis(200))).await;
        }
    }
}

/// Hears the engine until the stream breaks, or until the root must be settled anew.
async fn listen(agent: &Rc<Agent>, mut events: crate::engine::Events) -> EngineError {
    let mut safety =
        tokio::time::interval_at(tokio::time::Instant::now() + SAFETY_LOOK, SAFETY_LOOK);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Ok(event) => hearing::hear(agent, &event),
                Err(error) => return error,
            },
            () = agent.recheck.notified() => {
                if let Err(error) = check(agent).await {
                    lost(agent, &error);
                    return error;
                }
            }
            // A root that is mounted again tells nobody.
            () = tokio::time::sleep(ROOT_LOOK), if agent.shared.borrow().root.is_some() => {
                if let Err(error) = check(agent).await {
                    return error;
                }
            }
            _ = safety.tick() => {
                if let Err(error) = check(agent).await {
                    lost(agent, &error);
                    return error;
                }
                agent.all_stale();
            }
        }
    }
}

/// Is the engine there, and the root?
async fn check(agent: &Rc<Agent>) -> Result<(), EngineError> {
    agent.engine.hello().await?;
    settle(agent).await
}

fn lost(agent: &Rc<Agent>, error: &EngineError) {
    let state = match error {
        EngineError::Denied { .. } => EngineState::Refused,
        EngineError::Unsupported { .. } => EngineState::Unsupported,
        _ => EngineState::Away,
    };
    let mut reason = error.reason(clock::wall());
    if state == EngineState::Away && reason.code != Code::EngineAway {
        // Whatever it was that broke: it does not answer.
        reason.code = Code::EngineAway;
        reason.hint =
            "see whether the engine's service runs, and what holds it up: systemctl status docker"
                .to_owned();
    }
    let was_ready = {
        let mut shared = agent.shared.borrow_mut();
        let before = shared.engine.state;
        let is_same =
            before == state && shared.engine.error.as_ref().is_some_and(|old| old.same(&reason));
        if is_same {
            return;
        }
        shared.engine.state = state;
        shared.engine.error = Some(reason.clone());
        before == EngineState::Ready
    };
    agent.exits.borrow_mut().broke();
    agent.heard.notify_waiters();
    if was_ready {
        let text = format!("the engine is away: {}", reason.message);
        agent.outlet.tell(None, Told::because(EventType::EngineAway, Level::Error, &reason, text));
    } else {
        log::warn!("{}", reason.message);
    }
    // At once: a task of an app may hang in its question to the engine.
    for app in agent.all() {
        publish::app(agent, &app);
    }
    agent.all_stale();
    agent.outlet.changed();
}

fn met(agent: &Rc<Agent>, userland: &Userland, about: About) {
    let platform = match board_platform(&userland.facts(&about.os, &about.arch)) {
        Ok((platform, reason)) => Some((platform, reason)),
        Err(error) => {
            log::error!("{error}");
            None
        }
    };
    let mut shared = agent.shared.borrow_mut();
    shared.platform = platform;
    shared.about = Some(about);
    drop(shared);
    agent.polls.wake();
}

/// The engine is ready, root or no root.
fn show_ready(agent: &Rc<Agent>) {
    let is_back = {
        let mut shared = agent.shared.borrow_mut();
        let before = shared.engine.state;
        let Some(about) = shared.about.clone() else {
            return;
        };
        let kind = match about.kind {
            Kind::Docker => "docker",
            Kind::Podman => "podman",
        };
        shared.engine = EngineStatus {
            state: EngineState::Ready,
            kind: Some(kind.to_owned()),
            version: Some(about.version.clone()),
            api: Some(about.api.clone()),
            error: None,
        };
        if before != EngineState::Ready {
            shared.back_at = clock::moment();
        }
        before != EngineState::Ready
    };
    if is_back {
        agent.leftovers.notify_one();
        agent.outlet.tell(None, Told::info(EventType::EngineBack, "the engine answers"));
    }
    agent.all_stale();
    agent.outlet.changed();
}

/// Settles whose board it is (DESIGN §3.4). Sets the barrier of the root, or takes it away.
///
/// # Errors
/// The engine does not say which containers there are.
async fn settle(agent: &Rc<Agent>) -> Result<(), EngineError> {
    if agent.shared.borrow().state.is_some() {
        return Ok(()); // nothing that is written would last
    }
    let labelled = !agent.engine.instances().await?.is_empty();
    let known = match agent.store.instance().await {
        Ok(known) => known,
        Err(error) => {
            bar(agent, Some(error.reason(clock::wall())), None);
            return Ok(());
        }
    };
    let fresh = match instance::fresh() {
        Ok(fresh) => fresh,
        Err(error) => {
            bar(agent, Some(error.reason(clock::wall())), None);
            return Ok(());
        }
    };
    let settled = agent.volumes.settle_root(known, labelled, fresh).await;
    let (reason, id) = match settled {
        Err(error) => (Some(error.reason(clock::wall())), None),
        Ok(state) => match (state.reason(clock::wall()), state) {
            (None, RootState::Ready(id)) => (None, Some(id)),
            (None, RootState::New(id) | RootState::TakenOver(id)) => {
                log::info!("this board is {}", id.0);
                match agent.store.write_instance(id.clone()).await {
                    Ok(()) => (None, Some(id)),
                    Err(error) => (Some(error.reason(clock::wall())), None),
                }
            }
            (reason, _) => (reason.or_else(|| Some(unknown_root())), None),
        },
    };
    bar(agent, reason, id);
    Ok(())
}

fn unknown_root() -> Reason {
    let message = "the volume root can't be used";
    Reason::new(Code::VolumesMissing, Class::Environment, message, "agentctl adopt", clock::wall())
}

fn bar(agent: &Rc<Agent>, reason: Option<Reason>, id: Option<InstanceId>) {
    let mut shared = agent.shared.borrow_mut();
    let is_same = match (&shared.root, &reason) {
        (None, None) => shared.instance == id,
        (Some(old), Some(new)) => old.same(new),
        _ => false,
    };
    if is_same {
        return;
    }
    if let Some(reason) = &reason {
        log::error!("{}", reason.message);
    }
    shared.root = reason;
    if id.is_some() {
        shared.instance = id;
    }
    drop(shared);
    agent.all_stale();
    agent.outlet.changed();
}

/// `agentctl adopt`.
///
/// # Errors
/// The engine does not answer, ids differ, or a disk refuses.
pub async fn adopt(agent: &Rc<Agent>) -> Result<InstanceId, Fault> {
    let containers: Vec<InstanceId> = agent.engine.instances().await?.into_iter().collect();
    let known = agent.store.instance().await?;
    let id = agent.volumes.adopt(known, containers, instance::fresh()?).await?;
    agent.store.write_instance(id.clone()).await?;
    bar(agent, None, Some(id.clone()));
    agent.recheck.notify_one();
    Ok(id)
}

/// Throw-away containers that a crash left over go.
async fn tidy(agent: &Agent, instance: &InstanceId) {
    let Ok(all) = agent.engine.containers(instance).await else {
        return;
    };
    for seen in all.iter().filter(|seen| seen.role == Role::Throwaway) {
        if let Err(error) = agent.engine.remove_throwaway(&seen.id).await {
            log::warn!("{}: {error}", seen.name);
        }
    }
    agent.exits.borrow_mut().keep(|id| all.iter().any(|seen| seen.id == id));
}
