//! A board to measure on: TLS to registry and broker, and a counter at the registry's door.

use crate::counter::Counter;
use harness::{App, Board, Definition, Image, Listener, Settings};
use serde_json::json;

/// The counter's port: the registry's own address, as far as agent and engine know.
const DOOR: u16 = 5001;
/// The tag that every app follows.
const TAG: &str = "stable";

/// A started board; its agent is started by the measurement.
pub struct Stage {
    /// The board.
    pub board: Board,
    /// At the registry's door.
    pub door: Counter,
}

impl Stage {
    /// Starts engine, registry and broker.
    pub fn set() -> Self {
        let board = Board::with(Settings { tls: true, ..Settings::default() });
        // As the package makes it: without it a look-up goes through every module of the name service.
        let groups = std::fs::read_to_string("/etc/group").expect("the machine has groups");
        board.put_over("/etc/group".as_ref(), &format!("{groups}titania-agent:x:899:\n"));
        let server = board.registry().secured_host();
        let port = server.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let door = Counter::open(DOOR, port.expect("a port"));
        let certificates = board.certificates().expect("made with the board");
        let authority = certificates.authority().to_string_lossy().into_owned();
        board.agent().settings(|toml| {
            let host = format!("127.0.0.1:{DOOR}");
            toml.push("registry", json!({"host": host, "ca": authority}));
            toml.set_in("mqtt", "url", board.broker().secured_url());
            toml.set_in("mqtt", "ca", authority);
        });
        Self { board, door }
    }

    /// Pushes a release of an app under its tag.
    pub fn push(&self, app: &str, version: &str) {
        let image = Image::version(version).passwd("app", 10_000, 10_000).user("app");
        self.board.registry().push(app, TAG, &image.file("/name.txt", app.as_bytes()));
    }

    /// What an app follows.
    pub fn reference(&self, app: &str) -> String {
        format!("127.0.0.1:{DOOR}/{app}:{TAG}")
    }

    /// An app's definition in the making: a state and a data folder, an http probe.
    pub fn definition(&self, app: &str) -> Definition<'_> {
        self.board.app(app).image(&self.reference(app)).state("/state").data("/data")
    }

    /// Waits until nothing is left to do for an app but to ask the registry.
    pub fn wait_rest(&self, app: &App, version: &str) {
        app.wait_version(version);
        app.wait("to be at rest", |app| app["next"]["act"] == "poll");
    }

    /// HEADs at the registry so far.
    pub fn heads(&self) -> usize {
        self.board.registry().count("HEAD", "/v2/")
    }

    /// A client that hears all of the board's messages.
    pub fn listen(&self) -> Listener {
        self.board.listen()
    }
}
