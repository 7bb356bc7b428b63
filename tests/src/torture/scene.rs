//! A board in use: one app, proven, with full volumes, and all that must stay true of it known.

use super::acts::Acts;
use super::fault::Kind;
use super::instant::{Steps, Timeline};
use crate::app::App;
use crate::board::{Board, Settings};
use crate::http::Response;
use crate::image::{Image, digest};
use crate::vm::{Chance, Known, Look};
use crate::{SOON, wait_between, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::time::{Duration, Instant};

/// The app.
pub const APP: &str = "wallet";
/// Its user and group, by its image.
const OWNER: (u32, u32) = (10_000, 10_001);
/// The file in which the app notes each of its starts.
const STAMPS: &str = "stamp.log";
/// Size of the one large file in each volume.
const BLOB_BYTES: usize = 512 * 1024;
/// How many small ones lie beside it.
const SMALL_FILES: u32 = 8;
/// Between two looks at a log: a step may take less than a millisecond.
pub const LOG_PAUSE: Duration = Duration::from_micros(300);

/// A release that was pushed.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Its version.
    pub version: String,
    /// Its config digest.
    pub release: String,
    /// What it is like.
    pub kind: Kind,
}

/// See the head of the module.
pub struct Scene<'b> {
    /// The board.
    pub board: &'b Board,
    /// The app.
    pub app: App<'b>,
    /// What must stay true.
    pub known: Known,
    /// What the engine did.
    pub acts: Acts,
    /// The generation that is committed.
    pub generation: u64,
    /// Whether an image that is to be kept was lost and did not come back by a commit since.
    pub has_lost_images: bool,
    /// How updates go that nothing disturbs.
    timelines: BTreeMap<Kind, Timeline>,
    count: u32,
}

/// The settings of a board that can be tortured.
pub fn settings() -> Settings {
    Settings { proxies: true, small_disks: true, ..Settings::default() }
}

impl<'b> Scene<'b> {
    /// Installs the app, fills its volumes, and measures an update to a good and to a bad release.
    ///
    /// # Panics
    /// When any of it is not as promised.
    pub fn install(board: &'b Board) -> Self {
        board.agent().log_steps();
        board.agent().settings(|toml| toml.set_in("disk", "keep", 0));
        let image = format!("{}/{APP}:stable", board.registry().host());
        let definition = board.app(APP).image(&image).state("/state").data("/data");
        let definition = definition.set("stop", json!({"grace": "1s"}));
        let app = definition.health("settle", "1s").health("retries", 2).define();
        let mut scene = Self {
            board,
            app,
            known: Known::default(),
            acts: Acts::listen(&board.engine().socket(), APP),
            generation: 1,
            has_lost_images: false,
            timelines: BTreeMap::new(),
            count: 0,
        };
        let first = scene.push(Kind::Good);
        board.agent().start();
        scene.app.wait_version(&first.version);
        scene.known.committed.push(first.version);
        for folder in [scene.app.fork(1, "state"), scene.app.data("data")] {
            fill(&folder);
        }
        let look = scene.look();
        scene.known.instance = look.text("instance").trim().to_owned();
        scene.known.state_sum = look.text("sum 1").to_owned();
        scene.known.data_sum = look.text("data sum").to_owned();
        let is_full = scene.known.state_sum.lines().count() == 1 + SMALL_FILES as usize;
        assert!(is_full && !scene.known.instance.is_empty(), "{look:#?}");
        scene.acts.settle(1);
        scene
    }

    /// How an update goes that nothing disturbs; None before it was measured.
    pub fn timeline(&self, kind: Kind) -> Option<&Timeline> {
        self.timelines.get(&kind)
    }

    /// Takes a measured update for the pattern of all.
    pub fn remember(&mut self, kind: Kind, timeline: Timeline) {
        self.timelines.insert(kind, timeline);
    }

    /// The version that was committed last.
    pub fn version(&self) -> &str {
        self.known.committed.last().map_or("", String::as_str)
    }

    /// Pushes the next release.
    pub fn push(&mut self, kind: Kind) -> Pushed {
        self.count += 1;
        let version = format!("{}.0.0", self.count);
        let image = Image::version(&version).passwd("app", OWNER.0, OWNER.1).user("app");
        let image = match kind {
            Kind::Good => image,
            Kind::Unhealthy => image.behaviour("unhealthy"),
            Kind::Crashing => image.behaviour("crash 3 200"),
        };
        let release = self.board.registry().push(APP, "stable", &image).release;
        self.known.tried.insert(version.clone());
        Pushed { version, release, kind }
    }

    /// Asks for an update. An agent that is away, or has not looked yet, takes no request.
    pub fn ask(&self) -> bool {
        let target = format!("/v1/apps/{APP}/update");
        let answer = self.board.agent().ask("POST", &target, &json!({}));
        answer.is_ok_and(|answer| answer.status == 202)
    }

    /// The agent's steps from now on.
    pub fn steps(&self) -> Steps {
        Steps::from_now(&self.board.agent().log_file(), APP, self.generation)
    }

    /// The app's own word whether it is well; None when it does not answer.
    pub fn health(&self) -> Option<Response> {
        self.app.get("/health").ok()
    }

    /// Waits for a span of time: for when nothing tells that it is over.
    pub fn pass(&self, span: Duration) {
        let begun = Instant::now();
        wait_between(span + SOON, LOG_PAUSE * 10, "time to pass", || begun.elapsed() >= span);
    }

    /// All that the app has on the board, at one instant.
    pub fn look(&self) -> Look {
        let agent = self.board.agent();
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let mut parts = BTreeMap::new();
        let mut put = |name: &str, text: String| parts.insert(name.to_owned(), text);
        put("record", text(&self.app.record()));
        put("instance", text(&agent.state().join("instance")));
        put("instance of volumes", text(&agent.volumes().join(".titania-volumes")));
        let containers = self.app.containers().into_iter().map(|one| one.inspect);
        put("containers", Value::from_iter(containers).to_string());
        let forks = self.app.fork_names();
        put("forks", forks.join("\n"));
        for fork in forks.iter().filter_map(|name| name.parse::<u64>().ok()) {
            let folder = self.app.fork(fork, "state");
            put(&format!("stamps {fork}"), text(&folder.join(STAMPS)));
            put(&format!("sum {fork}"), sums(&folder));
        }
        let data = self.app.data("data");
        put("data stamps", text(&data.join(STAMPS)));
        put("data sum", sums(&data));
        Look::of(parts)
    }

    /// Record and marks as they lie there: taken while no agent runs.
    pub fn found(&self) -> BTreeMap<String, String> {
        let record = self.app.record();
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let files = self.app.fork_names().into_iter().filter(|name| name.ends_with(".json"));
        let folder = self.app.folder().join("state");
        let forks = files.map(|name| text(&folder.join(name)).replace('\n', ""));
        BTreeMap::from([
            ("found record".to_owned(), text(&record)),
            ("found record.1".to_owned(), text(&record.with_extension("json.1"))),
            ("found forks".to_owned(), forks.collect::<Vec<_>>().join("\n")),
        ])
    }

    /// Waits until the engine answers and the agent says so too.
    #[track_caller]
    pub fn wait_ready(&self) {
        wait_until(SOON, "the agent to see the engine", || {
            let status = self.board.agent().status();
            match status["board"]["engine"]["state"] == "ready" {
                true => Ok(()),
                false => Err(format!("{:#}", status["board"])),
            }
        });
    }
}

/// Fills a volume with files of the app's owner.
fn fill(folder: &Path) {
    let mut chance = Chance::of(BLOB_BYTES as u64);
    let blob: Vec<u8> = std::iter::repeat_with(|| chance.number().to_le_bytes())
        .flatten()
        .take(BLOB_BYTES)
        .collect();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("a volume can be written");
        chown(&path, Some(OWNER.0), Some(OWNER.1)).expect("root gives files away");
    };
    put("blob", &blob);
    for number in 0..SMALL_FILES {
        put(&format!("small-{number}"), number.to_string().as_bytes());
    }
}

/// Digest and name of every file but the stamps, one a line.
fn sums(folder: &Path) -> String {
    let list = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = list.map(|entry| entry.file_name()).collect();
    names.retain(|name| name != STAMPS);
    names.sort();
    let line = |name: &std::ffi::OsString| {
        let sum = fs::read(folder.join(name)).map(|bytes| digest(&bytes)).unwrap_or_default();
        format!("{sum} {}\n", name.to_string_lossy())
    };
    names.iter().map(line).collect()
}
