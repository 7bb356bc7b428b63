//! Observation: all rooms are asked, and one app's world is made of the answers.
//!
//! Promise: a look is kept while nothing happened to the app; after any step or event everything is asked afresh.
//! What can't be seen is never taken for gone: the world then has a barrier.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use titania_core::definition::{self, UserRule};
use titania_core::fork::Fork;
use titania_core::names::{Generation, POOL};
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Record;
use titania_core::status::{ContainerState, WaitingFor};
use titania_core::time::{Millis, Moment};
use titania_core::world::{self, Container, Exit, Health, Wanted, World};

use super::agent::Agent;
use super::app::{App, Look, Memory};
use super::exits::Ended;
use super::probes::Subject;
use super::{candidate, ends, evidence, gates, orphans};
use crate::board::clock;
use crate::engine::{Role, Seen};
use crate::volumes::VolumesError;

/// Longest wait for the `die` of a container that inspect shows as ended: 26.1 tells of it some 250 ms late.
const DIE_WAIT: Duration = Duration::from_secs(3);

/// Until a look that a room could not answer is made again.
const LOOK_AGAIN: Millis = Millis::seconds(5);

/// The app's world now. Looks afresh where the last look no longer counts, and tells whether it did.
pub async fn world(agent: &Rc<Agent>, app: &App) -> (World, bool) {
    let mut barrier = agent.barrier();
    if let Some(reason) = app.memory.borrow().untouchable.clone() {
        barrier = barrier.or(Some((reason, WaitingFor::Operator)));
    }
    app.memory.borrow_mut().look_again = None;
    let mut is_fresh = false;
    let (is_needed, stale) = {
        let memory = app.memory.borrow();
        (barrier.is_none() && (memory.seen.is_none() || memory.is_overtaken), memory.stale)
    };
    if is_needed {
        match look(agent, app).await {
            Ok(look) => {
                let mut memory = app.memory.borrow_mut();
                memory.seen = Some(look);
                // What was asked first may have changed before the last answer: nothing is done on such a look.
                memory.is_overtaken = memory.stale != stale;
                is_fresh = !memory.is_overtaken;
            }
            Err((reason, waiting_for)) => {
                app.memory.borrow_mut().look_again = Some(clock::moment().after(LOOK_AGAIN));
                barrier = agent.barrier().or(Some((reason, waiting_for)));
            }
        }
    }
    let mut world = assemble(agent, app, barrier);
    if world.barrier.is_none() {
        world.evidence.disk_low = gates::disk_of_volumes_low(agent, &world).await;
        watch(agent, app, &world);
        world.health = health(agent, app, &world);
        note_settled(app, &mut world);
        world.dependency = gates::dependency(agent, app, &world);
        let gate = gates::first_shut(agent, app, &world).await;
        {
            let mut memory = app.memory.borrow_mut();
            memory.gate_opens = gate.as_ref().and_then(|gate| gate.opens);
            let again = gate.as_ref().and_then(|gate| gate.look_again);
            memory.look_again = memory.look_again.into_iter().chain(again).min();
        }
        world.gate = gate.map(|gate| (gate.reason, gate.waiting_for));
    } else if !agent.is_engine_ready() {
        agent.probes.borrow_mut().forget(&app.name);
    }
    (world, is_fresh)
}

/// Asks engine and volumes.
async fn look(agent: &Agent, app: &App) -> Result<Look, (Reason, WaitingFor)> {
    let Some(instance) = agent.shared.borrow().instance.clone() else {
        return Err((unsettled(), WaitingFor::Volumes));
    };
    let of_engine = |error: crate::engine::EngineError| {
        agent.recheck.notify_one();
        (error.reason(clock::wall()), WaitingFor::Engine)
    };
    let is_own =
        |seen: &Seen| matches!(&seen.role, Role::App { app: name, .. } if *name == app.name);
    // Side by side: an app that is down in an update waits for this.
    let (containers, tags, forks) = tokio::join!(
        agent.engine.containers_of(&instance, &app.name),
        agent.engine.tags(),
        agent.volumes.forks(&app.name),
    );
    let mut containers = containers.map_err(of_engine)?;
    containers.retain(is_own);
    orphans::end(agent, app, &containers).await.map_err(|reason| (reason, WaitingFor::Engine))?;
    wait_for_dies(agent, &containers).await;
    let tags = tags.map_err(of_engine)?;
    let images = tags.into_iter().filter(|tag| tag.app == app.name).map(|tag| tag.generation);
    let mut forks = match forks {
        Ok(forks) => forks,
        Err(error) => {
            let reason = error.reason(clock::wall());
            if matches!(error, VolumesError::Newer { .. }) {
                app.memory.borrow_mut().untouchable = Some(reason.clone());
                return Err((reason, WaitingFor::Operator));
            }
            return Err((reason, WaitingFor::Volumes));
        }
    };
    if has_lost_fork(&app.memory.borrow().record, &forks) {
        agent.recheck.notify_one(); // the disk of the volume root may be gone
    }
    for file in forks.iter_mut().filter_map(|fork| fork.file.as_mut()) {
        file.spec = app.memory.borrow().record.share(Arc::clone(&file.spec));
    }
    Ok(Look { containers, forks, images: images.collect() })
}

/// Whether the folder of the current release's state is not where it was.
fn has_lost_fork(record: &Record, forks: &[Fork]) -> bool {
    record.current.as_ref().is_some_and(|current| {
        !forks.iter().any(|fork| fork.generation == current.generation && fork.folder)
    })
}

fn unsettled() -> Reason {
    let message = "it is not known yet whose volumes these are";
    Reason::new(Code::VolumesMissing, Class::Environment, message, "", clock::wall())
}

/// A container that has just ended: its `die` may still be on the way, and it alone tells whose doing it was.
async fn wait_for_dies(agent: &Agent, containers: &[Seen]) {
    let is_late = || {
        let exits = agent.exits.borrow();
        containers
            .iter()
            .filter(|seen| matches!(seen.state, ContainerState::Exited | ContainerState::Dead))
            .any(|seen| seen.started_at.is_some() && exits.awaits_die(&seen.id))
    };
    let all_came = async {
        while is_late() {
            agent.heard.notified().await;
        }
    };
    if tokio::time::timeout(DIE_WAIT, all_came).await.is_err() {
        log::debug!("the engine tells of no end for a container that it shows as ended");
    }
}

/// Makes the world of what is known. No IO.
fn assemble(agent: &Agent, app: &App, barrier: Option<(Reason, WaitingFor)>) -> World {
    let now = clock::moment();
    let about = agent.shared.borrow().about.clone();
    let keeps_policy = about.as_ref().is_none_or(|about| about.keeps_policy);
    let memory = &mut *app.memory.borrow_mut();
    let (containers, forks, images) = match &memory.seen {
        Some(look) => {
            let containers = look
                .containers
                .iter()
                .filter_map(|seen| container(agent, memory, seen, keeps_policy))
                .collect();
            (containers, look.forks.clone(), look.images.clone())
        }
        None => memory.world.as_ref().map_or_else(Default::default, |old| {
            (old.containers.clone(), old.forks.clone(), old.images.clone())
        }),
    };
    if barrier.is_none() {
        // At the first look of a run the engine may have tried it again for a while, and wait longer each time.
        let restarts =
            containers.iter().find(|c: &&Container| c.state == ContainerState::Restarting);
        if let Some(restarts) = restarts.map(|c| c.generation)
            && memory.record.current.as_ref().is_some_and(|current| current.generation == restarts)
        {
            memory.suspect(restarts, now);
        }
        evidence::keep_up(&mut memory.evidence, &memory.record, &containers, &images);
        memory.in_use.retain(|generation, until| *until > now && images.contains(generation));
        memory.evidence.in_use = memory.in_use.keys().copied().collect();
        memory.mounted.retain(|_, until| *until > now);
        memory.evidence.mounted = memory.mounted.keys().copied().collect();
        // Seen down or gone: a later stop of it begins anew.
        let hangs = |id: &str| containers.iter().any(|c: &Container| c.id == id && c.needs_stop());
        memory.stopping = memory.stopping.take().filter(|(id, _)| hangs(id));
        memory.stuck = memory.stuck.take().filter(|id| hangs(id));
    }
    // Behind a barrier too: a time that has passed would keep the loop awake.
    if memory.sought_until.is_some_and(|until| until <= now) {
        memory.evidence.sought = None;
        memory.sought_until = None;
    }
    World {
        now,
        at: clock::wall(),
        clock_synced: clock::is_synced(),
        boot: agent.me.boot.clone(),
        barrier,
        keeps_policy,
        wanted: wanted(memory),
        candidate: memory.candidate.clone(),
        record: memory.record.clone(),
        record_from: memory.record_from,
        containers,
        forks,
        images,
        evidence: memory.evidence.clone(),
        health: Health::Starting,
        gate: None,
        dependency: None,
        keep: usize::try_from(agent.settings().disk.keep).unwrap_or(usize::MAX),
    }
}

fn wanted(memory: &Memory) -> Option<Wanted> {
    let force = memory.definition.as_ref()?;
    let current = memory.record.current.as_ref();
    let with_current = current.map(|current| {
        let release = &current.spec.release;
        let spec = candidate::spec(&force.definition, force.hash, release, Some(current));
        memory.record.share(spec.into())
    });
    Some(Wanted { hash: force.hash, with_current, rollback: force.definition.update.rollback })
}

fn container(agent: &Agent, memory: &Memory, seen: &Seen, keeps_policy: bool) -> Option<Container> {
    let Role::App { generation, .. } = &seen.role else {
        return None;
    };
    let has_ended = matches!(seen.state, ContainerState::Exited | ContainerState::Dead);
    let exit = (has_ended && seen.started_at.is_some())
        .then(|| exit(agent, &memory.record, *generation, seen, keeps_policy));
    Some(Container {
        id: seen.id.clone(),
        generation: *generation,
        state: seen.state,
        alive: seen.alive,
        started_at: seen.started_at.clone(),
        armed: seen.armed,
        exit,
    })
}

fn exit(
    agent: &Agent,
    record: &Record,
    generation: Generation,
    seen: &Seen,
    signals: bool,
) -> Exit {
    let intent = record.intent.as_ref().filter(|i| i.generation == generation);
    let probation = intent.and_then(|i| i.probation.as_ref());
    let began_in = probation.map(|probation| &probation.boot_id);
    match agent.exits.borrow().how(&seen.id, signals, &agent.me.boot, began_in) {
        Ended::Ambiguous(code) => Exit::Ambiguous(code),
        Ended::Own { code, out_of_memory } => {
            let spec = intent
                .map(|i| &i.spec)
                .or_else(|| record.current.as_ref().map(|current| &current.spec));
            let rule =
                spec.map(|spec| (&spec.definition.shape.user, spec.user.map(|owner| owner.uid)));
            Exit::Own(exited(code, out_of_memory, rule))
        }
    }
}

/// The reason of an exit that was the release's own. `rule`: under which rule for users, and as which uid it ran.
pub fn exited(code: i64, out_of_memory: bool, rule: Option<(&UserRule, Option<u32>)>) -> Reason {
    let message = if out_of_memory {
        format!("it was ended for want of memory (exit code {code})")
    } else {
        format!("it exited with code {code}")
    };
    let pool = match rule {
        Some((UserRule::Auto | UserRule::Pool, Some(uid))) if is_pool(uid) => Some(uid),
        _ => None,
    };
    let hint = match (out_of_memory, pool) {
        (true, _) => "raise limits.memory in its definition, or look for a leak".to_owned(),
        (false, Some(uid)) => format!(
            "it ran under uid {uid} of the pool, for its image names no other user; if it needs its own, write \
             user = \"<uid>\", or user = \"image\" and allow_root = true, into its definition; docker logs shows \
             what it said"
        ),
        (false, None) => "look at what it said: docker logs".to_owned(),
    };
    Reason::new(Code::Exited, Class::Release, message, hint, clock::wall())
}

fn is_pool(uid: u32) -> bool {
    POOL.contains(&uid)
}

/// Lets the probes, and the kernel, watch the wanted container while it runs.
fn watch(agent: &Rc<Agent>, app: &App, world: &World) {
    let subject = {
        let memory = app.memory.borrow();
        let seen = running(&memory, world);
        ends::watch(agent, &app.name, seen);
        seen.and_then(|seen| subject(&memory, world, seen))
    };
    let mut probes = agent.probes.borrow_mut();
    match subject {
        Some(subject) => probes.watch(&app.name, subject),
        None => probes.forget(&app.name),
    }
}

/// The wanted container, while it runs.
fn running<'a>(memory: &'a Memory, world: &World) -> Option<&'a Seen> {
    let generation = world.wanted_generation()?;
    world.container(generation).filter(|c| c.is_up())?;
    let is_its =
        |seen: &&Seen| matches!(&seen.role, Role::App { generation: g, .. } if *g == generation);
    memory.seen.as_ref()?.containers.iter().find(is_its)
}

fn subject(memory: &Memory, world: &World, seen: &Seen) -> Option<Subject> {
    let generation = world.wanted_generation()?;
    let spec = world.spec(generation)?;
    let probation = memory.record.intent.as_ref().filter(|i| i.generation == generation);
    let spent = probation.and_then(|i| i.probation.as_ref()).map_or(Millis(0), |p| p.elapsed_ms);
    // Probes belong to the specification; of the current release today's count, unless today's definition wants another
    // container: that one may answer elsewhere.
    let rule: definition::Health = match (&memory.definition, probation) {
        (Some(force), None) if force.hash == spec.hash => force.definition.health.clone(),
        _ => spec.definition.health.clone(),
    };
    let network = spec.definition.shape.network.clone();
    Some(Subject {
        container: seen.id.clone(),
        started_at: seen.started_at.clone(),
        address: address(seen, &network),
        network,
        has_healthcheck: seen.health.is_some(),
        rule,
        spent,
    })
}

fn address(seen: &Seen, network: &str) -> Option<IpAddr> {
    let own = seen.addresses.iter().find(|(name, _)| name == network);
    own.or_else(|| seen.addresses.first()).map(|(_, address)| *address)
}

fn health(agent: &Agent, app: &App, world: &World) -> Health {
    let running = world
        .wanted_generation()
        .and_then(|generation| world.container(generation))
        .filter(|container| container.is_up());
    running.map_or(Health::Starting, |container| {
        agent.probes.borrow().health(&app.name, &container.id).0
    })
}

/// The current release was healthy for `settle` within this boot, no update being under way.
fn note_settled(app: &App, world: &mut World) {
    if world.record.intent.is_none() && world.health == Health::Settled {
        app.memory.borrow_mut().evidence.settled = true;
        world.evidence.settled = true;
    }
    // The back-off is that of one candidate: another one is tried at once.
    let is_of_candidate = match (&world.candidate, &world.record.tries) {
        (world::Candidate::Known(spec), Some(tries)) => {
            Some(tries.config) == spec.release.config && tries.definition == spec.hash
        }
        _ => true,
    };
    if !is_of_candidate {
        world.evidence.retry_at = None;
    }
}

/// When the app must be looked at again though nothing happens.
pub fn next_look(memory: &Memory, until: Option<Moment>) -> Option<Moment> {
    [until, memory.look_again, memory.sought_until].into_iter().flatten().min()
}
