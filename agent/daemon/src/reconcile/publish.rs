//! The status document: made when something changed, and at no other time.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use titania_core::digest::Digest;
use titania_core::fork::{Fork, Mark};
use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::{
    Agent as AgentStatus, AppState, AppStatus, EngineState, HealthState, Snapshot, SnapshotKind,
    Status, WaitingFor,
};
use titania_core::time::Timestamp;
use titania_core::world::World;
use tokio::sync::watch;

use super::agent::Agent;
use super::app::{App, CRASH_LOOP_EXITS, CRASH_LOOP_SPAN, Memory};
use super::document::{self, BoardView, View};
use super::{disks, limits, news, words};
use crate::board::clock;
use crate::engine::{Role, Seen};

/// Changes of several apps within this are one document.
const GATHER: Duration = Duration::from_millis(20);
/// Longest wait for the disks before the first document.
const DISKS_FIRST: Duration = Duration::from_secs(1);
/// Lines of history that are read to date the kept forks.
const HISTORY_MAX: usize = 200;

/// Makes an app's part of the document, and tells what changed in it.
pub fn app(agent: &Rc<Agent>, app: &Rc<App>) {
    let (before, after) = {
        let memory = app.memory.borrow();
        let Some(after) = part(agent, app, &memory) else {
            return;
        };
        (memory.status.clone(), after)
    };
    if before.as_ref() == Some(&after) {
        return;
    }
    if let Some(before) = &before {
        for told in news::of_status(before, &after) {
            agent.outlet.tell(Some(&app.name), told);
        }
    }
    let has_other_health = before.as_ref().is_none_or(|before| before.health != after.health);
    app.memory.borrow_mut().status = Some(after);
    if has_other_health {
        wake_dependents(agent, app);
    }
    agent.outlet.changed();
}

/// A download went on.
pub fn progress(agent: &Rc<Agent>, of: &Rc<App>) {
    let step = |memory: &Memory| {
        let shown = memory
            .status
            .as_ref()
            .and_then(|status| status.update.as_ref())
            .and_then(|u| u.progress);
        let percent = |p: titania_core::status::Progress| {
            p.done_bytes.saturating_mul(100) / p.total_bytes.max(1)
        };
        (shown.map(percent), memory.progress.map(percent))
    };
    let (shown, now) = step(&of.memory.borrow());
    if shown != now {
        app(agent, of);
    }
}

/// Those that come after this app look at their gates again.
fn wake_dependents(agent: &Rc<Agent>, app: &App) {
    for other in agent.all() {
        let is_after = other
            .memory
            .borrow()
            .definition
            .as_ref()
            .is_some_and(|force| force.definition.after.contains(&app.name));
        if is_after {
            other.wake.notify_one();
        }
    }
}

fn part(agent: &Agent, app: &App, memory: &Memory) -> Option<AppStatus> {
    let (world, decision) = (memory.world.as_ref()?, memory.decision.as_ref()?);
    let barred = without_engine(agent, world);
    let world = barred.as_ref().unwrap_or(world);
    let shown = world
        .wanted_generation()
        .or_else(|| world.record.current.as_ref().map(|current| current.generation));
    let seen = memory.seen.as_ref().and_then(|look| {
        look.containers.iter().find(|seen| generation(seen) == shown && shown.is_some())
    });
    let health = match seen {
        Some(seen) => agent.probes.borrow().health(&app.name, &seen.id).1,
        None => memory.status.as_ref().map_or(HealthState::Starting, |status| status.health),
    };
    let mut warnings: Vec<Reason> = memory.warnings.values().cloned().collect();
    let about = agent.shared.borrow();
    warnings.extend(limits::missing(about.about.as_ref(), &memory.record, shown));
    drop(about);
    let crash_loop = crash_loop(memory);
    let force = memory.definition.as_ref();
    Some(document::app(&View {
        app: &app.name,
        world,
        decision,
        is_engine_away: matches!(&world.barrier, Some((_, WaitingFor::Engine)))
            || !agent.is_engine_ready(),
        file: memory.file.as_deref(),
        hash: force.map_or_else(|| last_hash(memory), |force| force.hash),
        error: memory.file_error.as_ref(),
        restarts: seen.map_or(0, |seen| u32::try_from(seen.restarts).unwrap_or(u32::MAX)),
        user: seen.map(|seen| seen.user.as_str()).filter(|user| !user.is_empty()),
        health,
        crash_loop: crash_loop.as_ref(),
        progress: memory.progress,
        snapshots: &memory.snapshots,
        warnings: &warnings,
        next_poll: agent.polls.next(&app.name),
        gate_opens: memory.gate_opens,
        before: memory.status.as_ref(),
    }))
}

/// The world as it is to be told when the engine went away since it was seen; null when it did not.
fn without_engine(agent: &Agent, world: &World) -> Option<World> {
    let is_lost = world.barrier.is_none() && !agent.is_engine_ready();
    is_lost.then(|| World { barrier: agent.barrier(), ..world.clone() })
}

fn generation(seen: &Seen) -> Option<Generation> {
    match seen.role {
        Role::App { generation, .. } => Some(generation),
        Role::Throwaway | Role::Unreadable => None,
    }
}

fn last_hash(memory: &Memory) -> Digest {
    let current = memory.record.current.as_ref().map(|current| current.spec.hash);
    let intent = memory.record.intent.as_ref().map(|intent| intent.spec.hash);
    current.or(intent).unwrap_or_else(|| Digest::of(b""))
}

fn crash_loop(memory: &Memory) -> Option<Reason> {
    let current = memory.record.current.as_ref()?.generation;
    if !memory.is_crash_loop(current, clock::moment()) {
        return None;
    }
    let message =
        format!("it ended {CRASH_LOOP_EXITS} times within {} min", CRASH_LOOP_SPAN.0 / 60_000);
    let hint = match &memory.record.previous {
        Some(_) => {
            "agentctl rollback goes back to the previous release; docker logs shows what it said"
        }
        None => "docker logs shows what it said",
    };
    Some(Reason::new(Code::CrashLoop, Class::Release, message, hint, clock::wall()))
}

/// Measures and dates kept forks, where that was not done yet.
pub async fn measure(agent: &Rc<Agent>, of: &Rc<App>) {
    let (kept, is_known) = {
        let memory = of.memory.borrow();
        let kept = kept(&memory);
        let known: Vec<_> = memory.snapshots.iter().map(|s| (s.fork, s.kind)).collect();
        let is_known = kept.iter().map(|k| (k.fork, k.kind)).eq(known);
        (kept, is_known)
    };
    if is_known {
        return;
    }
    let history =
        agent.store.history(Some(of.name.clone()), HISTORY_MAX, None).await.unwrap_or_default();
    let mut snapshots = Vec::new();
    for Kept { fork, kind, at: fallback, release, config } in kept {
        let known = of.memory.borrow().sizes.get(&fork).copied();
        let bytes = match known {
            Some(bytes) => bytes,
            None => agent.volumes.size(&of.name, fork).await.map_or(0, |size| size.bytes),
        };
        let line = history.iter().find(|line| line.generation == Some(fork));
        let at = line.map_or(fallback, |line| line.started_at);
        of.memory.borrow_mut().sizes.insert(fork, bytes);
        snapshots.push(Snapshot { fork, bytes, at, kind, release, config });
    }
    of.memory.borrow_mut().snapshots = snapshots;
    app(agent, of);
}

/// A fork that is kept beside those that run.
struct Kept {
    fork: Generation,
    kind: SnapshotKind,
    /// A time, where history has none.
    at: Timestamp,
    release: Option<String>,
    config: Option<Digest>,
}

fn kept(memory: &Memory) -> Vec<Kept> {
    let record = &memory.record;
    let current = record.current.as_ref().map(|current| current.generation);
    let intent = record.intent.as_ref().map(|intent| intent.generation);
    let forks = memory.world.as_ref().map_or(&[][..], |world| &world.forks);
    let idle = forks.iter().filter(|fork| {
        fork.folder && Some(fork.generation) != current && Some(fork.generation) != intent
    });
    let one = |fork: &Fork| {
        let previous = record.previous.as_ref().filter(|p| p.generation == fork.generation);
        let at = previous.map_or(Timestamp(0), |previous| previous.at);
        let (kind, at) = match fork.file.as_ref().and_then(|file| file.mark.as_ref()) {
            Some(Mark::Failed { reason, .. }) => (SnapshotKind::Failed, reason.at),
            _ if fork.is_manual(forks) => (SnapshotKind::Manual, at),
            _ => (SnapshotKind::Previous, at),
        };
        let release = fork.file.as_ref().map(|file| &file.spec.release);
        Kept {
            fork: fork.generation,
            kind,
            at,
            release: release.map(words::release),
            config: release.and_then(|release| release.config),
        }
    };
    idle.map(one).collect()
}

/// Makes the document whenever something changed. Looks at the disks once a minute; one that hangs holds up no
/// document.
pub async fn keep(agent: Rc<Agent>) {
    let (seen, mut looks) = watch::channel(Vec::new());
    let mut looking = pin!(disks::watch(&agent, seen));
    let first = async {
        tokio::select! {
            () = &mut looking => {}
            _seen = looks.changed() => {}
        }
    };
    // The first document has the disks, unless they let it wait.
    let _late = tokio::time::timeout(DISKS_FIRST, first).await;
    let mut now = looks.borrow().clone();
    disks::tell(&agent, &now);
    let mut mqtt = agent.outlet.mqtt_changes();
    show(&agent, &now);
    loop {
        tokio::select! {
            () = &mut looking => {}
            () = agent.outlet.changed.notified() => tokio::time::sleep(GATHER).await,
            changed = mqtt.changed() => if changed.is_err() {
                mqtt = agent.outlet.mqtt_changes();
            },
            _seen = looks.changed() => {
                now = looks.borrow_and_update().clone();
                disks::tell(&agent, &now);
            }
        }
        show(&agent, &now);
    }
}

fn show(agent: &Agent, disks: &[disks::Seen]) {
    let before = agent.outlet.status().borrow().clone();
    let status = whole(agent, disks, &before);
    let is_same = Status { at: before.at, ..status.clone() } == *before;
    if !is_same {
        agent.outlet.show(Rc::new(status));
    }
}

fn whole(agent: &Agent, disks: &[disks::Seen], before: &Status) -> Status {
    let shared = agent.shared.borrow();
    let at = clock::wall();
    let is_clock_synced = clock::is_synced();
    let mut problems: Vec<Reason> = shared.problems.clone();
    problems.extend(shared.confined.clone());
    problems.extend(shared.unguarded.clone());
    problems.extend(shared.state.clone());
    problems.extend(shared.root.clone());
    problems.extend(agent.leaks.borrow().problems());
    let platform =
        shared.platform.as_ref().map(|(platform, reason)| (platform.to_string(), reason.clone()));
    let platform = platform.unwrap_or_default();
    let board = document::board(BoardView {
        id: &agent.me.board,
        boot_id: &agent.me.boot,
        platform: (&platform.0, &platform.1),
        engine: shared.engine.clone(),
        mqtt: agent.outlet.mqtt_status(),
        disks: disks.iter().map(|seen| seen.disk.clone()).collect(),
        problems: &problems,
        is_clock_synced,
        at,
        before: Some(&before.board),
    });
    let apps = agent.all();
    Status {
        schema: 1,
        at,
        clock_synced: is_clock_synced,
        agent: AgentStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: shared.instance.clone().filter(|_| shared.root.is_none()),
            started_at: agent.me.started_at,
            config_errors: shared.config_errors.clone(),
        },
        board,
        apps: apps.iter().filter_map(|app| app.memory.borrow().status.clone()).collect(),
    }
}

/// The document in one line, for `systemctl status`.
pub fn line(status: &Status) -> String {
    let unwell: Vec<&AppStatus> = status
        .apps
        .iter()
        .filter(|app| {
            matches!(app.state, AppState::Blocked | AppState::Degraded | AppState::Unknown)
        })
        .collect();
    let engine = match status.board.engine.state {
        EngineState::Ready => "",
        _ => "the engine is away; ",
    };
    match unwell.first() {
        None => format!("{engine}{} apps, all well", status.apps.len()),
        Some(first) => {
            format!("{engine}{} apps, {} not well: {}…", status.apps.len(), unwell.len(), first.app)
        }
    }
}

/// The document before anything is known.
pub fn blank(board: &str, boot_id: &titania_core::names::BootId, started_at: Timestamp) -> Status {
    Status {
        schema: 1,
        at: started_at,
        clock_synced: clock::is_synced(),
        agent: AgentStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: None,
            started_at,
            config_errors: Vec::new(),
        },
        board: document::board(BoardView {
            id: board,
            boot_id,
            platform: ("", ""),
            engine: titania_core::status::EngineStatus {
                state: EngineState::Away,
                ..Default::default()
            },
            mqtt: Default::default(),
            disks: Vec::new(),
            problems: &[],
            is_clock_synced: clock::is_synced(),
            at: started_at,
            before: None,
        }),
        apps: Vec::new(),
    }
}
