//! The agent as a whole: the rooms' doors, and what is shared by all apps.
//!
//! Promise: one thread. Cells are borrowed for the length of an expression, never across an `await`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use titania_config::Settings;
use titania_core::names::{AppName, BootId, InstanceId, Owner};
use titania_core::platform::Platform;
use titania_core::reason::Reason;
use titania_core::status::{ConfigError, EngineState, EngineStatus, WaitingFor};
use titania_core::time::{Moment, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use super::app::App;
use super::ends::Ends;
use super::exits::Exits;
use super::inside::Inside;
use super::leaks::Leaks;
use super::outlet::Outlet;
use super::polls::Polls;
use super::probes::Probes;
use crate::board::clock;
use crate::board::files::InForce;
use crate::control::Requests;
use crate::engine::{About, Engine};
use crate::registry::Registries;
use crate::store::Store;
use crate::volumes::Volumes;

/// The agent.
pub struct Agent {
    /// The engine.
    pub engine: Engine,
    /// Registries, made anew when the settings change.
    pub registries: RefCell<Rc<Registries>>,
    /// Volumes.
    pub volumes: Volumes,
    /// Durable files.
    pub store: Store,
    /// Who this is.
    pub me: Me,
    /// Settings in force.
    pub settings: RefCell<Rc<Settings>>,
    /// What is shared by all apps.
    pub shared: RefCell<Shared>,
    /// Apps, by name; one that is gone with its record is gone from here.
    pub apps: RefCell<BTreeMap<AppName, Rc<App>>>,
    /// Ends of containers, as the event stream told them.
    pub exits: RefCell<Exits>,
    /// Ends that the engine may not tell of.
    pub ends: Ends,
    /// How often the engine came, or went.
    pub comings: Cell<u64>,
    /// Ports that the engine refuses, or keeps for nobody.
    pub leaks: RefCell<Leaks>,
    /// Probes.
    pub probes: RefCell<Probes<Inside>>,
    /// Candidates.
    pub polls: Polls,
    /// Requests and what became of them.
    pub requests: Requests,
    /// Where events and the status document go.
    pub outlet: Rc<Outlet>,
    /// One download at a time, but for images of current releases that are gone.
    pub download: Semaphore,
    /// The event stream told something: whoever waits for a `die` looks.
    pub heard: Notify,
    /// The engine or the volume root is to be looked at now.
    pub recheck: Notify,
    /// The disks are to be looked at now.
    pub disks: Notify,
    /// Images may have been left without a name.
    pub leftovers: Notify,
    /// Settings and definitions as last read.
    pub files: RefCell<InForce>,
    /// One task an app.
    pub tasks: RefCell<BTreeMap<AppName, JoinHandle<()>>>,
}

/// Who this is. Does not change in a run.
#[derive(Clone, Debug)]
pub struct Me {
    /// Board id.
    pub board: String,
    /// This boot.
    pub boot: BootId,
    /// Start of this run.
    pub started_at: Timestamp,
}

/// What is shared by all apps.
#[derive(Debug)]
pub struct Shared {
    /// The engine as last seen.
    pub engine: EngineStatus,
    /// What it said of itself.
    pub about: Option<About>,
    /// When it, or the board, last came back: dependencies are waited for from here.
    pub back_at: Moment,
    /// Whose board it is; null until that is settled.
    pub instance: Option<InstanceId>,
    /// Why the volume root can't be used.
    pub root: Option<Reason>,
    /// Why the state folder can't be used.
    pub state: Option<Reason>,
    /// What else is wrong with the board.
    pub problems: Vec<Reason>,
    /// What the service manager keeps the agent from.
    pub confined: Vec<Reason>,
    /// Why what is free on the engine's disk is not looked at.
    pub unguarded: Option<Reason>,
    /// What is wrong in the files.
    pub config_errors: Vec<ConfigError>,
    /// Platform of the board, and how that was found.
    pub platform: Option<(Platform, String)>,
    /// Disks that were told to be low, by their numbers.
    pub low: BTreeSet<u64>,
}

impl Agent {
    /// What stops every app of the board; null when nothing does.
    pub fn barrier(&self) -> Option<(Reason, WaitingFor)> {
        let shared = self.shared.borrow();
        let state = shared.state.clone().map(|r| (r, WaitingFor::Operator));
        let root = shared.root.clone().map(|r| (r, WaitingFor::Volumes));
        let engine = || match (&shared.engine.state, &shared.instance) {
            (EngineState::Ready, Some(_)) => None,
            _ => Some((shared.engine_reason(), WaitingFor::Engine)),
        };
        state.or(root).or_else(engine)
    }

    /// Whether the engine answers.
    pub fn is_engine_ready(&self) -> bool {
        self.shared.borrow().engine.state == EngineState::Ready
    }

    /// What uid 0 and gid 0 of a container are on the board, where the engine maps users.
    pub fn map_base(&self) -> Option<Owner> {
        let remap = self.shared.borrow().about.as_ref()?.remap?;
        Some(Owner { uid: remap.uid, gid: remap.gid })
    }

    /// The app of that name.
    pub fn app(&self, name: &AppName) -> Option<Rc<App>> {
        self.apps.borrow().get(name).cloned()
    }

    /// All apps.
    pub fn all(&self) -> Vec<Rc<App>> {
        self.apps.borrow().values().cloned().collect()
    }

    /// Every app is looked at afresh.
    pub fn all_stale(&self) {
        for app in self.all() {
            app.is_stale();
        }
    }

    /// Settings in force.
    pub fn settings(&self) -> Rc<Settings> {
        Rc::clone(&self.settings.borrow())
    }

    /// The folder that the service manager made for this run (systemd.exec(5), `RuntimeDirectory=`), else the socket's.
    pub fn runtime_folder(&self) -> Option<PathBuf> {
        let made = std::env::var_os("RUNTIME_DIRECTORY");
        let first = made.as_ref().and_then(|list| std::env::split_paths(list).next());
        let of_socket = || PathBuf::from(&self.settings().paths.socket).parent().map(PathBuf::from);
        first.filter(|path| path.is_absolute()).or_else(of_socket)
    }
}

impl Shared {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            engine: EngineStatus::default(),
            about: None,
            back_at: clock::moment(),
            instance: None,
            root: None,
            state: None,
            problems: Vec::new(),
            confined: Vec::new(),
            unguarded: None,
            config_errors: Vec::new(),
            platform: None,
            low: BTreeSet::new(),
        }
    }

    fn engine_reason(&self) -> Reason {
        use titania_core::reason::{Class, Code};
        self.engine.error.clone().unwrap_or_else(|| {
            Reason::new(
                Code::EngineAway,
                Class::Environment,
                "the engine has not answered yet",
                "",
                clock::wall(),
            )
        })
    }
}
