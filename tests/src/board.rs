//! A board: everything that a case needs, in one folder and one network of its own.

use crate::agent::Agent;
use crate::app::App;
use crate::between::Between;
use crate::broker::{Broker, Listener};
use crate::certificates::Certificates;
use crate::definition::Definition;
use crate::disks::SmallDisk;
use crate::engine::Engine;
use crate::namespace::{self, Namespace};
use crate::registry::Registry;
use crate::toml_text::Document;
use crate::{binaries, sweep};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where boards lie unless `TITANIA_TEST_DIR` says otherwise: on a disk, unlike /tmp on some systems.
const FOLDER_USUAL: &str = "/var/tmp";
/// Names of their folders begin so.
const FOLDER_PREFIX: &str = "titania-board-";
/// Lines of each log that a failed case prints.
const LOG_LINES: usize = 40;
/// Sizes of the small disks: some generations of an app and the reserve fit in.
const VOLUMES_BYTES: u64 = 96 * 1024 * 1024;
/// The same of the records, of which none is large.
const RECORDS_BYTES: u64 = 24 * 1024 * 1024;
/// The same of the engine, with half a dozen images.
const ENGINE_BYTES: u64 = 256 * 1024 * 1024;
/// The board's id in the agent's settings.
const BOARD_ID: &str = "board-1";

/// What differs between boards.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Further arguments of dockerd, `--live-restore` for instance.
    pub engine_arguments: Vec<String>,
    /// The broker keeps retained messages over a restart.
    pub broker_persists: bool,
    /// The agent has no broker in its settings, and none is started.
    pub no_broker: bool,
    /// Registry and broker listen with TLS besides, at [`Registry::secured_host`] and
    /// [`Broker::secured_url`].
    pub tls: bool,
    /// The registry answers nobody but [`crate::LOGIN`].
    pub registry_login: bool,
    /// Proxies stand between agent and engine, and before the registry: [`Board::between`].
    pub proxies: bool,
    /// The engine maps users: uid 0 of a container is [`crate::MAPPED_UID`] of the board.
    pub maps_users: bool,
    /// Volumes, state folder and the engine's data lie each on a small disk: [`Board::disks`].
    pub small_disks: bool,
}

/// The small disks of a board.
pub struct Disks {
    /// That of the volume root.
    pub volumes: SmallDisk,
    /// That of the agent's state folder.
    pub records: SmallDisk,
    /// That of the engine's data.
    pub engine: SmallDisk,
}

/// A started board. It is bound to the thread that made it.
pub struct Board {
    agent: Agent,
    broker: Broker,
    registry: Registry,
    engine: Engine,
    between: Option<Between>,
    disks: Option<Disks>,
    certificates: Option<Certificates>,
    folder: PathBuf,
    namespace: Namespace,
}

impl Board {
    /// A board with engine, registry and broker running; the agent is started by the case.
    pub fn start() -> Self {
        Self::with(Settings::default())
    }

    /// As [`Board::start`], with settings.
    pub fn with(settings: Settings) -> Self {
        binaries::prepare();
        sweep_dead_boards();
        let folder = new_folder();
        let namespace = Namespace::enter();
        let disks = settings.small_disks.then(|| Disks::mount(&folder));
        let registry = Registry::new(&folder, settings.registry_login, settings.proxies);
        let engine = Engine::new(&folder, settings.engine_arguments, settings.maps_users);
        let between =
            settings.proxies.then(|| Between::start(&folder, engine.socket(), registry.ports()));
        let board = Self {
            agent: Agent::new(&folder, Document::default()),
            broker: Broker::new(&folder, settings.broker_persists),
            registry,
            engine,
            between,
            disks,
            certificates: settings.tls.then(|| Certificates::make(&folder)),
            folder,
            namespace,
        };
        board.agent.settings(|document| {
            board.usual_settings(document);
            if !settings.no_broker {
                document.set_in("mqtt", "url", board.broker.url());
            }
        });
        board.registry.start();
        if let Some(certificates) = &board.certificates {
            board.registry.start_secured(certificates);
            board.broker.secure(certificates);
        }
        if !settings.no_broker {
            board.broker.start();
        }
        board.engine.start();
        board
    }

    fn usual_settings(&self, document: &mut Document) {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        // The shortest that the agent takes; cases ask at once by `agentctl update`.
        document.set("poll", "60s");
        document.set_in("board", "id", BOARD_ID);
        for (key, place) in [
            ("apps", self.agent.definitions()),
            ("keys", self.folder.join("etc/keys")),
            ("state", self.agent.state()),
            ("volumes", self.agent.volumes()),
            ("socket", self.agent.socket()),
        ] {
            document.set_in("paths", key, path(place));
        }
        if is_volatile(&self.folder) {
            document.set_in("paths", "allow_volatile", true);
        }
        let direct = self.engine.socket();
        let socket = self.between.as_ref().map_or(direct, |between| between.socket().to_owned());
        document.set_in("engine", "socket", path(socket));
        document.set_in("disk", "reserve", "16MiB");
        let host = self.registry.host();
        document.push("registry", json!({"host": host, "plain_http": true}));
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The broker.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The certificates; None on a board without TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// The proxies; None on a board without.
    pub fn between(&self) -> Option<&Between> {
        self.between.as_ref()
    }

    /// The small disks; None on a board without.
    pub fn disks(&self) -> Option<&Disks> {
        self.disks.as_ref()
    }

    /// A topic below the board's own prefix.
    pub fn topic(&self, rest: &str) -> String {
        format!("titania/{BOARD_ID}/{rest}")
    }

    /// A client that hears all of the board's messages.
    pub fn listen(&self) -> Listener {
        self.broker.listen(&[&self.topic("#")])
    }

    /// Begins an app's definition.
    pub fn app(&self, name: &str) -> Definition<'_> {
        Definition::new(self, name)
    }

    /// Writes any text as an app's definition.
    pub fn define(&self, name: &str, text: &str) -> App<'_> {
        let app = App::new(self, name);
        std::fs::write(app.file(), text).expect("a definition can be written");
        app
    }

    /// Cuts the power: SIGKILL for the agent, the engine and every container; registry and broker
    /// are elsewhere and run on. What was in the page cache survives: this proves no fsync.
    pub fn cut_power(&self) {
        self.agent.kill();
        self.engine.kill();
        self.engine.kill_containerd();
        let place = self.folder.join("engine");
        while sweep::kill_processes(&place, 0) > 0 {
            std::thread::yield_now();
        }
        let disk = self.disks.as_ref().map(|disks| disks.engine.place());
        namespace::unmount_below_but(&place, disk);
        sweep::remove_cgroups(&self.engine.container_ids());
        self.engine.forget_boot();
    }

    /// Boots after [`Board::cut_power`]: another boot id, then engine and agent.
    pub fn boot(&self) {
        self.new_boot_id();
        self.engine.start();
        self.agent.start();
    }

    /// Gives the kernel's boot id another value, for this board's programs only.
    pub fn new_boot_id(&self) {
        let fresh = std::fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a random uuid");
        let file = self.folder.join("boot_id");
        let place = Path::new("/proc/sys/kernel/random/boot_id");
        if file.exists() {
            std::fs::write(&file, fresh).expect("the boot id can be written");
        } else {
            std::fs::write(&file, fresh).expect("the boot id can be written");
            namespace::bind(&file, place);
        }
    }

    /// Mounts an empty tmpfs, seen by this board's programs only (those started afterwards and
    /// those that run).
    pub fn mount_tmpfs(&self, target: &Path, bytes: u64) {
        namespace::tmpfs(target, bytes);
    }

    /// Bind-mounts a folder, seen by this board's programs only.
    pub fn mount_bind(&self, source: &Path, target: &Path) {
        namespace::bind(source, target);
    }

    /// Gives a file of the machine another content, seen by this board's programs only.
    ///
    /// # Panics
    /// When the machine has no such file.
    pub fn put_over(&self, path: &Path, text: &str) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let own = self.folder.join(format!("over-{name}"));
        std::fs::write(&own, text).expect("a file on the board can be written");
        namespace::bind(&own, path);
    }

    /// Takes off what is mounted there.
    pub fn unmount(&self, target: &Path) {
        namespace::unmount(target);
    }

    fn print_logs(&self) {
        for (name, log) in [("agentd", self.agent.log()), ("engine", self.engine.log())] {
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("--- end of the log of {name}\n{}", tail.join("\n"));
        }
    }
}

impl Disks {
    fn mount(folder: &Path) -> Self {
        let disk = |name: &str, place: &str, bytes| {
            SmallDisk::mount(&folder.join(format!("{name}.ext4")), &folder.join(place), bytes)
        };
        Self {
            volumes: disk("volumes", "volumes", VOLUMES_BYTES),
            records: disk("records", "state", RECORDS_BYTES),
            engine: disk("engine", "engine/data", ENGINE_BYTES),
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        self.agent.kill();
        self.engine.kill();
        self.engine.kill_containerd();
        while sweep::kill_processes(&self.folder, self.namespace.inode()) > 0 {
            std::thread::yield_now();
        }
        let containers = self.engine.container_ids();
        namespace::unmount_below(&self.folder);
        sweep::remove_cgroups(&containers);
        match std::env::var_os("TITANIA_KEEP") {
            Some(_) => eprintln!("kept: {}", self.folder.display()),
            None => {
                if let Err(error) = std::fs::remove_dir_all(&self.folder) {
                    eprintln!("left behind: {}: {error}", self.folder.display());
                }
            }
        }
    }
}

fn base() -> PathBuf {
    std::env::var_os("TITANIA_TEST_DIR").map_or_else(|| PathBuf::from(FOLDER_USUAL), PathBuf::from)
}

/// A fresh folder whose name holds this process's id.
fn new_folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = base().join(format!("{FOLDER_PREFIX}{}-{number}", std::process::id()));
    std::fs::create_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// Ends and removes boards whose test process was killed.
fn sweep_dead_boards() {
    let Ok(entries) = std::fs::read_dir(base()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(FOLDER_PREFIX);
        let Some((owner, _)) = owner.and_then(|rest| rest.split_once('-')) else {
            continue;
        };
        let is_alive = Path::new("/proc").join(owner).exists();
        if owner.parse::<u32>().is_ok() && !is_alive && std::env::var_os("TITANIA_KEEP").is_none() {
            sweep::kill_processes(&entry.path(), 0);
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether it lies where no state folder should (statfs(2)).
fn is_volatile(folder: &Path) -> bool {
    let kind = statfs(folder).map(|found| found.filesystem_type());
    kind.is_ok_and(|kind| [TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC].contains(&kind))
}
