//! One run of the agent: the rooms are opened, the tasks are started, signals are heard.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use titania_config::Settings;
use titania_core::event::EventType;
use titania_core::names::{AppName, BootId};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::agent::{Agent, Me, Shared};
use super::ends::Ends;
use super::exits::Exits;
use super::inside::Inside;
use super::leaks::Leaks;
use super::news::Told;
use super::outlet::{self, Outlet};
use super::polls::Polls;
use super::probes::Probes;
use super::setup::{Ended, Setup};
use super::{apps, confined, contact, kept, leftovers, polls, publish, requests, wiring};
use crate::board::files::{self, InForce};
use crate::board::service::{self, Asked, Signals, Watchdog};
use crate::board::userland::Userland;
use crate::board::{clock, identity, sensors};
use crate::control::{self, Control, Requests};
use crate::engine::Engine;
use crate::registry::{HostSettings, Registries, Timeouts};
use crate::report::Mqtt;
use crate::store::{StateFolder, Store, StoreError};
use crate::volumes::Volumes;
use crate::workers::Worker;

/// Group of those who may read the control socket (DESIGN §5).
const GROUP: &str = "titania-agent";
/// Between two tries to open a state folder that can't be.
const STATE_LOOK: Duration = Duration::from_secs(5);
/// Status line is written at most so often.
const STATUS_LINE: Duration = Duration::from_secs(5);

/// The agent's loop. Returns when it is asked to stop, or when settings or a state folder that were unusable can be
/// used.
///
/// # Errors
/// What makes running impossible: the control socket can't be made, the state folder is locked by another agent.
pub async fn run(setup: Setup<'_>) -> io::Result<Ended> {
    let Setup { in_force, watchdog, signals, started_at } = setup;
    let settings = in_force.settings.clone();
    let place = PathBuf::from(&settings.paths.state);
    let state = match StateFolder::open(&place, settings.paths.allow_volatile) {
        Ok(state) => Ok(state),
        Err(error @ StoreError::Locked { .. }) => return Err(io::Error::other(error)),
        // An agent that ends could not say what is wrong.
        Err(error) => Err(error.reason(clock::wall())),
    };
    let (board, source) = identity::board_id(settings.board.id.as_deref());
    log::info!("board {board} ({source:?})");
    let me = Me { board, boot: clock::boot_id(), started_at };
    let (outlet, queue) = Outlet::new(
        me.board.clone(),
        me.boot.clone(),
        Mqtt::disabled(),
        publish::blank(&me.board, &me.boot, started_at),
    );
    let outlet = Rc::new(outlet);
    let _disabled = outlet.set_mqtt(mqtt(&settings, &me.board, &outlet));
    let store = Store::new(place).map_err(io::Error::other)?;
    let (agent, probes_news) = open(&in_force, me, store.clone(), Rc::clone(&outlet))?;
    {
        let mut shared = agent.shared.borrow_mut();
        let of_folder = match &state {
            Ok(state) => state.durability().reason(clock::wall()),
            Err(reason) => Some(reason.clone()),
        };
        shared.state = in_force.unusable.clone().or(of_folder);
        shared.problems = problems(&agent);
    }
    let is_usable = in_force.unusable.is_none() && state.is_ok();
    let comes = comes(&settings, state.is_err())?;
    let listener =
        control::listen(Path::new(&settings.paths.socket), GROUP).map_err(io::Error::other)?;
    let (commands, heard) = mpsc::channel(control::COMMANDS_MAX);

    let mut tasks = JoinSet::new();
    tasks.spawn_local(outlet::pump(Rc::clone(&outlet), queue, store));
    tell_of_start(&agent);
    apps::put_into_force(&agent, in_force).await;
    tasks.spawn_local(control::serve(listener, control(&agent, commands)));
    tasks.spawn_local(requests::keep(Rc::clone(&agent), heard));
    tasks.spawn_local(publish::keep(Rc::clone(&agent)));
    tasks.spawn_local(probe_news(Rc::clone(&agent), probes_news));
    if is_usable {
        tasks.spawn_local(polls::keep(Rc::clone(&agent)));
        tasks.spawn_local(contact::keep(Rc::clone(&agent), Userland::look()));
        tasks.spawn_local(leftovers::keep(Rc::clone(&agent)));
    }
    service::ready("watching");
    let ended = tokio::select! {
        ended = listen(&agent, signals, watchdog) => ended,
        () = comes => Ended::Anew,
    };
    for task in agent.tasks.borrow().values() {
        task.abort();
    }
    tasks.abort_all();
    let broker = agent.outlet.set_mqtt(Mqtt::disabled());
    broker.clone().close().await;
    if let Err(error) = kept::forget(&agent.store, &broker).await {
        log::info!("some events are told again: {error}");
    }
    Ok(ended)
}

/// Waits until a state folder that could not be opened can be; for ever where it could.
fn comes(settings: &Settings, is_away: bool) -> io::Result<impl Future<Output = ()> + use<>> {
    let worker = is_away.then(|| Worker::start("state")).transpose()?;
    let (place, is_any) = (PathBuf::from(&settings.paths.state), settings.paths.allow_volatile);
    Ok(async move {
        let Some(worker) = worker else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(STATE_LOOK).await;
            let place = place.clone();
            // Locked again by the run that follows.
            let opened = worker.run(move |_| StateFolder::open(&place, is_any).map(drop)).await;
            if matches!(opened, Ok(Ok(()))) {
                return;
            }
        }
    })
}

fn open(
    in_force: &InForce,
    me: Me,
    store: Store,
    outlet: Rc<Outlet>,
) -> io::Result<(Rc<Agent>, mpsc::UnboundedReceiver<AppName>)> {
    let settings = &in_force.settings;
    let engine = Engine::new(wiring::engine_socket(settings));
    let (probes, news) = Probes::new(Inside::new(engine.clone()));
    let registries = registries(settings);
    let agent = Agent {
        engine,
        registries: RefCell::new(Rc::new(registries)),
        volumes: Volumes::new(PathBuf::from(&settings.paths.volumes))?,
        store,
        me,
        settings: RefCell::new(Rc::new(settings.clone())),
        shared: RefCell::new(Shared::new()),
        apps: RefCell::new(BTreeMap::new()),
        exits: RefCell::new(Exits::default()),
        ends: Ends::default(),
        comings: Cell::new(1),
        leaks: RefCell::new(Leaks::default()),
        probes: RefCell::new(probes),
        polls: Polls::default(),
        requests: Requests::new(),
        outlet,
        download: Semaphore::new(1),
        heard: Notify::new(),
        recheck: Notify::new(),
        disks: Notify::new(),
        leftovers: Notify::new(),
        files: RefCell::new(in_force.clone()),
        tasks: RefCell::new(BTreeMap::new()),
    };
    Ok((Rc::new(agent), news))
}

fn tell_of_start(agent: &Agent) {
    let socket = PathBuf::from(&agent.settings().paths.socket);
    if is_first_of_boot(&socket, &agent.me.boot) {
        agent.outlet.tell(None, Told::info(EventType::BoardBooted, "the board has booted"));
    }
    let text = format!("agentd {} started", env!("CARGO_PKG_VERSION"));
    agent.outlet.tell(None, Told::info(EventType::AgentStarted, text));
}

/// Whether no agent ran in this boot yet, by a note beside the socket. Where that can't be kept the answer is no:
/// better an event too few than one at each start.
fn is_first_of_boot(socket: &Path, boot: &BootId) -> bool {
    let note = socket.with_extension("boot");
    if std::fs::read_to_string(&note).is_ok_and(|last| last.trim() == boot.0) {
        return false;
    }
    match std::fs::write(&note, format!("{}\n", boot.0)) {
        Ok(()) => true,
        Err(error) => {
            log::warn!("{}: {error}", note.display());
            false
        }
    }
}

fn registries(settings: &Settings) -> Registries {
    Registries::new(&wiring::registries(settings), Timeouts::default(), clock::is_synced)
}

/// What is wrong with the settings, beside the files themselves.
fn problems(agent: &Agent) -> Vec<titania_core::reason::Reason> {
    let registries = agent.registries.borrow().clone();
    registries.problems().iter().map(|problem| problem.reason(clock::wall())).collect()
}

fn mqtt(settings: &Settings, board: &str, outlet: &Outlet) -> Mqtt {
    match wiring::mqtt(settings, board) {
        Some(mqtt) => {
            // Of the disks what was seen last: one that hangs would hang the loop with it.
            let status = outlet.status();
            Mqtt::start(mqtt, move || sensors::read(status.borrow().board.disks.clone()))
        }
        None => Mqtt::disabled(),
    }
}

fn control(agent: &Rc<Agent>, commands: mpsc::Sender<control::Command>) -> Control {
    let store = agent.store.clone();
    let history: control::ReadHistory = Rc::new(move |query: control::HistoryQuery| {
        let store = store.clone();
        Box::pin(async move {
            let read = store.history(query.app, query.limit, query.before).await;
            read.map_err(|error| requests::of_reason(&error.reason(clock::wall()), 500))
        })
    });
    Control {
        status: agent.outlet.status(),
        history,
        events: agent.outlet.ring.clone(),
        requests: agent.requests.clone(),
        commands,
        operators: agent.settings().control.operators.clone(),
    }
}

/// Health changed: the app decides anew, and shows it.
async fn probe_news(agent: Rc<Agent>, mut news: mpsc::UnboundedReceiver<AppName>) {
    while let Some(name) = news.recv().await {
        if let Some(app) = agent.app(&name) {
            publish::app(&agent, &app);
            app.is_stale(); // it may be dead though the engine told nothing (containerd crashed), or have moved
        }
    }
}

/// Hears signals and feeds the watchdog until the end. Fed from here alone: a loop that hangs is ended.
async fn listen(agent: &Rc<Agent>, signals: &mut Signals, mut watchdog: Watchdog) -> Ended {
    let mut status = agent.outlet.status();
    let mut line = String::new();
    let mut is_due = false;
    loop {
        watchdog.feed();
        let due = watchdog.due().map(|at| Duration::from_millis(at.since(clock::moment()).0));
        let fed = async {
            match due {
                Some(span) => tokio::time::sleep(span).await,
                None => std::future::pending().await,
            }
        };
        // Feeding the watchdog meanwhile must not lose a change.
        let changed = async {
            if !is_due {
                let _ended = status.changed().await;
                is_due = true;
            }
            tokio::time::sleep(STATUS_LINE).await;
        };
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => return Ended::Stopped,
                Asked::Reload => {
                    service::reloading();
                    if reload(agent).await {
                        return Ended::Anew;
                    }
                    service::ready("watching");
                }
            },
            () = fed => {}
            () = changed => {
                is_due = false;
                let now = publish::line(&agent.outlet.status().borrow());
                if now != line {
                    service::status(&now);
                    line = now;
                }
            }
        }
    }
}

fn names_a_file(host: &HostSettings) -> bool {
    host.auth.is_some() || host.password_file.is_some() || host.ca.is_some()
}

/// Reads all files again. True: settings that were unusable can be used now.
async fn reload(agent: &Rc<Agent>) -> bool {
    let before = agent.files.borrow().clone();
    let now = files::reload(&before, clock::wall());
    if before.unusable.is_some() && now.unusable.is_none() {
        return true;
    }
    let (old, new) = (&before.settings, &now.settings);
    // What the files they name hold by now is not known before they are read.
    let has_other_registries =
        old.registries != new.registries || wiring::registries(new).iter().any(names_a_file);
    if old.mqtt != new.mqtt {
        let broker = agent.outlet.set_mqtt(mqtt(new, &agent.me.board, &agent.outlet));
        broker.close().await;
        let status = agent.outlet.status().borrow().clone();
        agent.outlet.mqtt().status(status);
    }
    if has_other_registries {
        agent.registries.replace(Rc::new(registries(new)));
        agent.polls.ask_all();
    }
    agent.settings.replace(Rc::new(new.clone()));
    agent.shared.borrow_mut().problems = problems(agent);
    apps::put_into_force(agent, now).await;
    let agent = Rc::clone(agent);
    // Not waited for: a disk may hang.
    tokio::task::spawn_local(async move { confined::look(&agent).await });
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_told_once_whatever_restarts_in_it() {
        let scratch = crate::scratch::Scratch::new();
        let socket = scratch.path().join("agent.sock");
        let (first, second) = (BootId("a".into()), BootId("b".into()));
        assert!(is_first_of_boot(&socket, &first));
        assert!(!is_first_of_boot(&socket, &first));
        assert!(is_first_of_boot(&socket, &second));
        assert!(!is_first_of_boot(&socket, &second));
        let nowhere = scratch.path().join("none/agent.sock");
        assert!(!is_first_of_boot(&nowhere, &first));
    }
}
