//! A virtual board and what is around it: a registry and a broker on the host's side, the package,
//! one app.
//!
//! Promise: all of it lives in a network of its own, in which the board finds the host's loopback at
//! [`HOST`]; nothing is left behind but what [`Rig::keep`] asks for.

use super::arch::Arch;
use super::chance::Chance;
use super::folder::Folder;
use super::guest::Guest;
use super::machine::{APP_PORT, Hardware};
use crate::broker::{Broker, Listener};
use crate::http::{Place, Response, ask_within};
use crate::image::{Dialect, Image};
use crate::namespace::Namespace;
use crate::registry::{Entry, Registry};
use crate::toml_text::Document;
use crate::{binaries, digest};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// The host's loopback as the board sees it: the emulator's user network.
pub const HOST: &str = "10.0.2.2";
/// The app.
pub const APP: &str = "wallet";
/// The tag that it follows.
const TAG: &str = "stable";
/// The board's id in its settings.
const BOARD_ID: &str = "virtual-1";
/// The agent's settings for this test, beside the package's own.
const DROP_IN: &str = "/etc/titania-agent/agent.d/50-board.toml";
/// The app's definition.
const DEFINITION: &str = "/etc/titania-agent/apps.d/wallet.toml";
/// Bytes that each release has of its own, so that a download takes a moment.
const PADDING_BYTES: u64 = 2 * 1024 * 1024;
/// Time for one answer of the app: an emulated processor is slow, a hung one is asked again.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// See the head of the module.
pub struct Rig {
    guest: Guest,
    listener: Listener,
    broker: Broker,
    registry: Registry,
    folder: Folder,
    _namespace: Namespace,
}

impl Rig {
    /// Registry and broker run, the board is off.
    ///
    /// # Panics
    /// When something of it is not there, or can't be started: says what.
    pub fn new(arch: Arch) -> Self {
        let folder = Folder::new();
        let namespace = Namespace::enter();
        let registry = Registry::new(folder.path(), false, false);
        let broker = Broker::new(folder.path(), true);
        registry.start();
        broker.start();
        let listener = broker.listen(&[&format!("titania/{BOARD_ID}/#")]);
        let guest = Guest::new(arch, folder.path());
        Self { guest, listener, broker, registry, folder, _namespace: namespace }
    }

    /// The board.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The broker.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// All that the board said over MQTT.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Where all its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its files stay when it is dropped.
    pub fn keep(&self) {
        self.folder.keep();
    }

    /// A topic below the board's own prefix.
    pub fn topic(&self, rest: &str) -> String {
        format!("titania/{BOARD_ID}/{rest}")
    }

    /// Boots the fresh board, and writes settings for registry and broker on the host's side.
    #[track_caller]
    pub fn set_up(&self) {
        self.guest.boot(&Hardware::default());
        self.write_settings();
    }

    /// Writes the settings for registry and broker on the host's side, beside the package's own.
    #[track_caller]
    pub fn write_settings(&self) {
        self.guest.put(DROP_IN, settings().as_bytes());
    }

    /// Installs a package with apt, as its owner does.
    #[track_caller]
    pub fn install(&self, package: &Path) -> String {
        let bytes =
            std::fs::read(package).unwrap_or_else(|error| panic!("{}: {error}", package.display()));
        self.guest.put("/root/titania-agent.deb", &bytes);
        let options = "-y -q -o Dpkg::Use-Pty=0 --no-install-recommends";
        self.guest.shell(&format!(
            "export DEBIAN_FRONTEND=noninteractive; apt-get install {options} \
             --allow-downgrades /root/titania-agent.deb 2>&1"
        ))
    }

    /// Pushes a version of the app under the tag that it follows: an index with an entry for each of
    /// three platforms and what a builder adds. Only the board's own entry can run. `told` is what it
    /// does wrong. Returns the release.
    pub fn push(&self, version: &str, told: &str) -> String {
        let arch = self.guest.arch();
        let image = |one: Arch| {
            let mut image = Image::version(version).platform(one.platform());
            image = image.passwd(APP, 10_000, 10_001).user(APP).dialect(Dialect::Oci);
            match one == arch {
                true => with_program(image, arch),
                false => image.entrypoint(&["/etc/passwd"]),
            }
        };
        let mut own = image(arch).file("/padding", &padding(version));
        if !told.is_empty() {
            own = own.behaviour(told);
        }
        let all = [Arch::Amd64, Arch::Armhf, Arch::Arm64];
        let images = all.map(|one| if one == arch { own.clone() } else { image(one) });
        let mut entries: Vec<Entry> = images.iter().map(Entry::Image).collect();
        entries.push(Entry::Attestation(&own));
        self.registry.push_index(APP, TAG, Dialect::Oci, &entries);
        own.release()
    }

    /// The app's definition, in the making.
    pub fn definition(&self) -> Document {
        let mut document = Document::default();
        document.set("image", format!("{HOST}:{}/{APP}:{TAG}", port_of(&self.registry.host())));
        document.set("ports", json!(["8080:8080"]));
        document.set("stop", json!({"grace": "10s"}));
        document.set_in("volumes", "state", "/state");
        document.set_in("volumes", "data", json!(["/data"]));
        document.set_in("health", "http", json!({"port": 8080, "path": "/health"}));
        for (key, value) in
            [("interval", "1s"), ("timeout", "10s"), ("settle", "3s"), ("deadline", "5m")]
        {
            document.set_in("health", key, value);
        }
        document
    }

    /// Writes the app's definition.
    #[track_caller]
    pub fn write_definition(&self, document: &Document) {
        self.guest.put(DEFINITION, document.text().as_bytes());
    }

    /// Writes the app's definition, and has the agent read it.
    #[track_caller]
    pub fn define(&self, document: &Document) {
        self.write_definition(document);
        self.guest.shell("systemctl reload titania-agent");
    }

    /// Has the registry asked at once.
    #[track_caller]
    pub fn update(&self) {
        self.guest.shell(&format!("agentctl update {APP}"));
    }

    /// Asks the app, over the port that it publishes.
    ///
    /// # Errors
    /// As the connection says.
    pub fn get(&self, path: &str) -> io::Result<Response> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, APP_PORT));
        ask_within(ANSWER_TIME, Place::Tcp(address), "GET", path, &[], b"")
    }

    /// The version that its program says it is.
    pub fn version(&self) -> Option<String> {
        let answer = self.get("/version").ok()?;
        (answer.status == 200).then(|| answer.text())
    }

    /// Waits until the agent calls it ok, with nothing under way, and its program says that it is
    /// `version`. Returns its part of the status document.
    #[track_caller]
    pub fn wait_version(&self, version: &str) -> Value {
        self.guest.wait_app(APP, &format!("to be ok with version {version}"), |app| {
            app["state"] == "ok"
                && app["health"] == "healthy"
                && app["update"].is_null()
                && self.version().as_deref() == Some(version)
        })
    }

    /// The step that an update is at, by what was heard last over MQTT; empty when none is under way.
    pub fn step_heard(&self) -> String {
        let heard = self.listener.on(&self.topic(&format!("app/{APP}")));
        let last = heard.last().map(|message| message.json()["update"]["step"].clone());
        last.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// The program for a board, and what it needs there.
fn with_program(image: Image, arch: Arch) -> Image {
    let mut image = image.program(&binaries::test_app_for(arch.target()));
    for (there, here) in binaries::c_library_for(arch.target()) {
        let bytes = std::fs::read(&here).unwrap_or_else(|error| panic!("{here:?}: {error}"));
        image = image.file_owned(&there, 0o755, (0, 0), &bytes);
    }
    image
}

fn port_of(host: &str) -> &str {
    host.rsplit(':').next().unwrap_or_default()
}

fn settings() -> String {
    let mut document = Document::default();
    // The shortest that the agent takes; cases ask at once by `agentctl update`.
    document.set("poll", "60s");
    document.set_in("board", "id", BOARD_ID);
    document.set_in("mqtt", "url", format!("mqtt://{HOST}:1883"));
    document.set_in("disk", "reserve", "64MiB");
    document.push("registry", json!({"host": format!("{HOST}:5000"), "plain_http": true}));
    document.text()
}

/// Bytes that no other version has.
fn padding(version: &str) -> Vec<u8> {
    let sum = digest(version.as_bytes());
    let seed = sum.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    let mut chance = Chance::of(seed);
    (0..PADDING_BYTES / 8).flat_map(|_| chance.number().to_le_bytes()).collect()
}
