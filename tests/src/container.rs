//! One container, as the engine's `inspect` shows it at one instant.

use crate::http::{Place, Response, ask_within};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Time for an answer of the program in the container.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Label of the agent's: which app it belongs to.
pub const LABEL_APP: &str = "org.titania.agent.app";
/// Label of the agent's: which generation it is.
pub const LABEL_GENERATION: &str = "org.titania.agent.generation";

/// A look at a container; it does not move with it.
#[derive(Debug, Clone)]
pub struct Container {
    /// The whole answer of `inspect`.
    pub inspect: Value,
}

impl Container {
    pub(crate) fn new(inspect: Value) -> Self {
        Self { inspect }
    }

    fn text(&self, pointer: &str) -> String {
        let value = self.inspect.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    }

    /// Full id.
    pub fn id(&self) -> String {
        self.text("/Id")
    }

    /// Name, without the slash.
    pub fn name(&self) -> String {
        self.text("/Name").trim_start_matches('/').to_owned()
    }

    /// The engine's word: `running`, `exited`, …
    pub fn state(&self) -> String {
        self.text("/State/Status")
    }

    /// Whether the engine says that it runs.
    pub fn is_running(&self) -> bool {
        self.state() == "running"
    }

    /// Process id on the board, 0 when it does not run.
    pub fn pid(&self) -> u64 {
        self.inspect["State"]["Pid"].as_u64().unwrap_or(0)
    }

    /// Uid and gid on the board of each of its processes, init's too, without repetition.
    pub fn owners(&self) -> Vec<(u32, u32)> {
        let space = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(&self.pid().to_string());
        let owner = |pid: &str| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            // Real, effective, saved, of the file system (proc(5)).
            let id = |key: &str| {
                let row = status.lines().find_map(|line| line.strip_prefix(key))?;
                row.split_whitespace().nth(1)?.parse().ok()
            };
            Some((id("Uid:")?, id("Gid:")?))
        };
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let inside = names.filter(|pid| own.is_some() && space(pid) == own);
        let mut owners: Vec<_> = inside.filter_map(|pid| owner(&pid)).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Exit code of its last run.
    pub fn exit_code(&self) -> i64 {
        self.inspect["State"]["ExitCode"].as_i64().unwrap_or(0)
    }

    /// When it was started last; compare for equality.
    pub fn started_at(&self) -> String {
        self.text("/State/StartedAt")
    }

    /// Restart policy: `no`, `unless-stopped`, …
    pub fn policy(&self) -> String {
        self.text("/HostConfig/RestartPolicy/Name")
    }

    /// User as given at creation.
    pub fn user(&self) -> String {
        self.text("/Config/User")
    }

    /// Id of its image.
    pub fn image(&self) -> String {
        self.text("/Image")
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<String> {
        let value = self.inspect["Config"]["Labels"][key].as_str();
        value.map(str::to_owned)
    }

    /// The app that it belongs to by its label.
    pub fn app(&self) -> Option<String> {
        self.label(LABEL_APP)
    }

    /// Its generation by its label.
    pub fn generation(&self) -> Option<u64> {
        self.label(LABEL_GENERATION)?.parse().ok()
    }

    /// Environment as given at creation.
    pub fn env(&self) -> BTreeMap<String, String> {
        let list = self.inspect["Config"]["Env"].as_array();
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts
            .filter_map(|text| text.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Container path → source on the board, of its bind mounts.
    pub fn binds(&self) -> BTreeMap<String, String> {
        let list = self.inspect["Mounts"].as_array();
        let list = list.into_iter().flatten();
        list.filter(|mount| mount["Type"] == "bind")
            .filter_map(|mount| {
                let (inside, source) = (mount["Destination"].as_str()?, mount["Source"].as_str()?);
                Some((inside.to_owned(), source.to_owned()))
            })
            .collect()
    }

    /// Its first address, on whichever network.
    pub fn address(&self) -> Option<IpAddr> {
        let networks = self.inspect["NetworkSettings"]["Networks"].as_object()?;
        let mut addresses = networks.values().filter_map(|one| one["IPAddress"].as_str());
        addresses.find_map(|text| text.parse().ok())
    }

    /// Asks the program in it on its own address.
    ///
    /// # Errors
    /// As the connection says; `NotFound` when it has no address.
    pub fn get(&self, port: u16, path: &str) -> io::Result<Response> {
        let address = self.address().ok_or(io::ErrorKind::NotFound)?;
        let place = Place::Tcp(SocketAddr::new(address, port));
        ask_within(ANSWER_TIME, place, "GET", path, &[], b"")
    }
}
