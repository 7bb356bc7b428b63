//! A Docker Engine of the board's own: Debian's containerd and dockerd as two programs, as their
//! units run them.
//!
//! Promise: it can be stopped, killed and started again by itself; what the tests see of containers
//! they ask it over its own API, with a client of their own.

use crate::SOON;
use crate::container::Container;
use crate::http::{Place, Response, ask};
use crate::process::{Process, find, run};
use crate::wait::wait_until;
use crate::{mapping, namespace};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time to start: with survivors of a crash the engine first stops them all.
const START_TIME: Duration = Duration::from_secs(60);
/// Time to stop: it stops its containers first, deaf ones after their grace.
const STOP_TIME: Duration = Duration::from_secs(60);

/// The engine; see [`Engine::containers`].
pub struct Engine {
    folder: PathBuf,
    arguments: Vec<String>,
    containerd: RefCell<Option<Process>>,
    dockerd: RefCell<Option<Process>>,
}

impl Engine {
    /// `arguments` are further ones of dockerd.
    pub(crate) fn new(folder: &Path, mut arguments: Vec<String>, maps_users: bool) -> Self {
        let folder = folder.join("engine");
        std::fs::create_dir_all(&folder).expect("a folder for the engine");
        if maps_users {
            arguments.push(mapping::prepare(&folder));
        }
        Self { folder, arguments, containerd: RefCell::new(None), dockerd: RefCell::new(None) }
    }

    /// Its API socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// What dockerd and containerd printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// Starts what does not run and waits until the API answers.
    pub fn start(&self) {
        if self.containerd.borrow().is_none() {
            self.start_containerd();
        }
        if self.dockerd.borrow().is_none() {
            self.start_dockerd();
        }
    }

    fn start_containerd(&self) {
        let config = self.folder.join("containerd.toml");
        let text = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            self.path("containerd"),
            self.path("containerd-state"),
            self.path("containerd.sock"),
        );
        std::fs::write(&config, text).expect("containerd's config can be written");
        let arguments = ["--log-level", "warn", "--config"].map(str::to_owned);
        let arguments = [&arguments[..], &[self.path("containerd.toml")]].concat();
        let log = self.folder.join("log");
        // One left by a kill would pass for the new one's.
        let _ = std::fs::remove_file(self.folder.join("containerd.sock"));
        let process = Process::start(&find("containerd"), &arguments, &log, &log);
        *self.containerd.borrow_mut() = Some(process);
        wait_until(START_TIME, "containerd's socket", || {
            self.folder.join("containerd.sock").exists()
        });
    }

    fn start_dockerd(&self) {
        // After a kill its pid file names a process that may be anybody's by now.
        let _ = std::fs::remove_file(self.folder.join("docker.pid"));
        let config = self.folder.join("daemon.json");
        if !config.exists() {
            std::fs::write(&config, "{}\n").expect("dockerd's config can be written");
        }
        let mut arguments: Vec<String> = Vec::new();
        for (flag, value) in [
            ("--config-file", self.path("daemon.json")),
            ("--data-root", self.path("data")),
            ("--exec-root", self.path("exec")),
            ("--pidfile", self.path("docker.pid")),
            ("--containerd", self.path("containerd.sock")),
            ("--host", format!("unix://{}", self.path("docker.sock"))),
            // No systemd is asked for control groups: there may be none, and /run is the board's.
            ("--exec-opt", "native.cgroupdriver=cgroupfs".to_owned()),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        arguments.extend(self.arguments.iter().cloned());
        let log = self.folder.join("log");
        self.keep_out_of_etc();
        let process = Process::start(&find("dockerd"), &arguments, &log, &log);
        *self.dockerd.borrow_mut() = Some(process);
        wait_until(START_TIME, "the engine to answer", || {
            let mut dockerd = self.dockerd.borrow_mut();
            if let Some(status) = dockerd.as_mut().and_then(Process::ended) {
                panic!("dockerd ended with {status}; its log:\n{}", self.log());
            }
            ask(Place::Unix(&self.socket()), "GET", "/_ping", &[], b"")
        });
    }

    /// Engines of this age write a key below /etc/docker, whatever their folders are.
    fn keep_out_of_etc(&self) {
        let (own, shared) = (self.folder.join("etc-docker"), Path::new("/etc/docker"));
        if shared.is_dir() && !own.exists() {
            std::fs::create_dir(&own).expect("a folder for the engine's key");
            namespace::bind(&own, shared);
        }
    }

    /// Stops dockerd (and with it the containers, unless it keeps them alive); containerd stays.
    pub fn stop(&self) {
        if let Some(mut process) = self.dockerd.borrow_mut().take() {
            process.stop(STOP_TIME);
        }
    }

    /// SIGKILL for dockerd alone: a crash. Containers and containerd live on.
    pub fn kill(&self) {
        if let Some(mut process) = self.dockerd.borrow_mut().take() {
            process.kill();
        }
    }

    /// SIGKILL for containerd alone.
    pub fn kill_containerd(&self) {
        if let Some(mut process) = self.containerd.borrow_mut().take() {
            process.kill();
        }
    }

    /// Starts containerd alone.
    pub fn restart_containerd(&self) {
        self.kill_containerd();
        self.start_containerd();
    }

    /// What lies in /run on a board, and no boot finds there.
    pub(crate) fn forget_boot(&self) {
        for folder in ["containerd-state", "exec"] {
            let _ = std::fs::remove_dir_all(self.folder.join(folder));
        }
    }

    /// Stops dockerd's clock: it accepts connections and answers nothing, until [`Engine::thaw`].
    pub fn freeze(&self) {
        if let Some(process) = self.dockerd.borrow_mut().as_mut() {
            process.signal(Signal::SIGSTOP);
            // The signal reaches one thread after another: frozen is what the kernel calls so, each of them.
            wait_until(SOON, "dockerd to be frozen", || process.is_frozen());
        }
    }

    /// Lets a frozen dockerd go on.
    pub fn thaw(&self) {
        if let Some(process) = self.dockerd.borrow_mut().as_mut() {
            process.signal(Signal::SIGCONT);
        }
    }

    /// Takes back the last write of each start, as a cut between two of them does: the network's endpoint is written
    /// with its ports, that the container's sandbox has it is not (moby/libnetwork#1790). For a dead engine; tells how
    /// many there were.
    ///
    /// # Panics
    /// When its list of networks can't be read or written.
    pub fn forget_joins(&self) -> usize {
        let list = self.folder.join("data/network/files/local-kv.db");
        let mut bytes = std::fs::read(&list).expect("the engine's list of networks");
        let (begin, end) = (b"\"Eps\":[{", b"]");
        let mut count = 0;
        let mut from = 0;
        while let Some(at) = position(&bytes[from..], begin).map(|at| from + at + begin.len() - 1) {
            let size = position(&bytes[at..], end).expect("a list has an end");
            // JSON of the same length, so that nothing else of the file moves.
            bytes[at..at + size].fill(b' ');
            count += 1;
            from = at + size;
        }
        std::fs::write(&list, bytes).expect("the engine's list of networks can be written");
        count
    }

    /// Ids of all containers, read from its folder: also when it is dead.
    pub(crate) fn container_ids(&self) -> Vec<String> {
        let data = self.folder.join("data");
        let folders = [data.join("containers"), mapping::data_of(&data).join("containers")];
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok());
        let names = entries.flatten().flatten().map(|entry| entry.file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// Asks the API anything.
    pub fn api(&self, method: &str, target: &str, body: &Value) -> Response {
        let bytes = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let kind = [("Content-Type", "application/json")];
        ask(Place::Unix(&self.socket()), method, target, &kind, &bytes)
            .unwrap_or_else(|error| panic!("engine: {method} {target}: {error}"))
    }

    /// All containers, running or not, in the order of their names, inspected.
    pub fn containers(&self) -> Vec<Container> {
        let list = self.api("GET", "/containers/json?all=1", &Value::Null);
        let list = list.well("list of containers").json();
        let ids = list.as_array().into_iter().flatten();
        let mut found: Vec<Container> = ids
            .filter_map(|item| item["Id"].as_str())
            .filter_map(|id| self.container(id))
            .collect();
        found.sort_by_key(Container::name);
        found
    }

    /// Ids of the containers that containerd runs, whatever dockerd knows of them.
    pub fn tasks(&self) -> Vec<String> {
        let socket = self.path("containerd.sock");
        let told = run("ctr", &["--address", &socket, "--namespace", "moby", "tasks", "ls"]);
        let lines = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let lives = |words: &Vec<&str>| matches!(words[..], [_, _, state] if state != "STOPPED");
        lines.skip(1).filter(lives).map(|words| words[0].to_owned()).collect()
    }

    /// One container by name or id.
    pub fn container(&self, name: &str) -> Option<Container> {
        let answer = self.api("GET", &format!("/containers/{name}/json"), &Value::Null);
        (answer.status == 200).then(|| Container::new(answer.json()))
    }

    /// What the engine did with containers and images since `since` (seconds since 1970), oldest
    /// first: `start wallet-g2`, `pull …`.
    pub fn acts(&self, since: u64) -> Vec<String> {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let (seconds, nanoseconds) = (now.as_secs(), now.subsec_nanos());
        let target = format!("/events?since={since}&until={seconds}.{nanoseconds:09}");
        let answer = self.api("GET", &target, &Value::Null).well("events").text();
        let lines = answer.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_interest = lines.filter(|event| event["Type"] != "network");
        let text = |event: &Value| {
            let attributes = &event["Actor"]["Attributes"];
            let action = event["Action"].as_str()?;
            Some(format!("{action} {}", attributes["name"].as_str().unwrap_or_default()))
        };
        of_interest.filter_map(|event| text(&event)).collect()
    }

    /// Images, as the API lists them.
    pub fn images(&self) -> Vec<Value> {
        let answer = self.api("GET", "/images/json?all=1", &Value::Null);
        answer.json().as_array().cloned().unwrap_or_default()
    }

    /// Folders of an image's layers on the disk, the highest first (overlay2).
    pub fn layers(&self, image: &str) -> Vec<PathBuf> {
        let answer = self.api("GET", &format!("/images/{image}/json"), &Value::Null);
        let answer = answer.well("inspect an image").json();
        let places = &answer["GraphDriver"]["Data"];
        let all = ["UpperDir", "LowerDir"].map(|key| places[key].as_str().unwrap_or_default());
        all.iter()
            .flat_map(|dirs| dirs.split(':'))
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from)
            .collect()
    }

    /// Networks, as the API lists them.
    pub fn networks(&self) -> Vec<Value> {
        let answer = self.api("GET", "/networks", &Value::Null);
        answer.json().as_array().cloned().unwrap_or_default()
    }

    /// A person's `docker pull`.
    pub fn pull(&self, reference: &str) {
        let (name, tag) = reference.rsplit_once(':').expect("repository:tag");
        let target = format!("/images/create?fromImage={name}&tag={tag}");
        let answer = self.api("POST", &target, &Value::Null).well("pull");
        let text = answer.text();
        assert!(!text.contains("\"error\""), "pull {reference}: {text}");
    }

    /// A person's `docker create`.
    pub fn create(&self, name: &str, body: &Value) {
        let target = format!("/containers/create?name={name}");
        self.api("POST", &target, body).well("create a container");
    }

    /// A person's `docker start`.
    pub fn start_container(&self, name: &str) {
        let target = format!("/containers/{name}/start");
        self.api("POST", &target, &Value::Null).well("start");
    }

    /// A person's `docker stop`, with ten seconds of grace.
    pub fn stop_container(&self, name: &str) {
        let target = format!("/containers/{name}/stop");
        self.api("POST", &target, &Value::Null).well("stop");
    }

    /// A person's `docker kill -s SIGNAL`.
    pub fn signal_container(&self, name: &str, signal: &str) {
        let target = format!("/containers/{name}/kill?signal={signal}");
        self.api("POST", &target, &Value::Null).well("kill");
    }

    /// A person's `docker rm -f`.
    pub fn remove_container(&self, name: &str) {
        let target = format!("/containers/{name}?force=1");
        self.api("DELETE", &target, &Value::Null).well("remove");
    }

    /// A person's `docker rmi -f`.
    pub fn remove_image(&self, name: &str) {
        let target = format!("/images/{name}?force=1");
        self.api("DELETE", &target, &Value::Null).well("remove an image");
    }

    /// A person's `docker image prune`, with `-a` or without.
    pub fn prune_images(&self, all: bool) {
        let filters = json!({"dangling": [(!all).to_string()]}).to_string();
        let filters = filters.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let target = format!("/images/prune?filters={filters}");
        self.api("POST", &target, &Value::Null).well("prune images");
    }

    /// What a container printed, both streams, without the frames of the engine's log protocol.
    pub fn printed(&self, name: &str) -> String {
        let target = format!("/containers/{name}/logs?stdout=1&stderr=1");
        let body = self.api("GET", &target, &Value::Null).body;
        let mut text = Vec::new();
        let mut rest = &body[..];
        while let Some(head) = rest.get(..8) {
            let size = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            text.extend_from_slice(rest.get(8..8 + size).unwrap_or_default());
            rest = rest.get(8 + size..).unwrap_or_default();
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
