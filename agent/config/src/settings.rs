//! Settings of the agent: `agent.toml` and its drop-ins.

mod mqtt;
mod read;
mod registry;

use titania_core::time::Millis;

pub use read::{keys, settings};

/// Engine sockets that are tried in this order where none is set: Docker's, then Podman's.
pub const DEFAULT_ENGINE_SOCKETS: [&str; 2] = ["/run/docker.sock", "/run/podman/podman.sock"];

/// All settings, with their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[board]`.
    pub board: Board,
    /// Between two polls of a repository, before jitter. At least 60 s.
    pub poll: Millis,
    /// `[paths]`.
    pub paths: Paths,
    /// `[engine]`.
    pub engine: Engine,
    /// `[[registry]]`, one a host.
    pub registries: Vec<RegistrySettings>,
    /// `[mqtt]`; none: no broker at all.
    pub mqtt: Option<Mqtt>,
    /// `[disk]`.
    pub disk: Disk,
    /// `[control]`.
    pub control: Control,
}

/// Who the board is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// `^[A-Za-z0-9_-]{1,64}$`; none: the Raspberry Pi's serial, else a hash of the machine id.
    pub id: Option<String>,
    /// The whole MQTT prefix, board id included; none: `titania/<board>`.
    pub prefix: Option<String>,
}

/// Where files lie. All absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Folder of definitions.
    pub apps: String,
    /// Folder of public keys.
    pub keys: String,
    /// State folder.
    pub state: String,
    /// Volume root.
    pub volumes: String,
    /// Control socket.
    pub socket: String,
    /// Accept a state folder that is not durable?
    pub allow_volatile: bool,
}

/// The engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engine {
    /// Its socket; none: the first of [`DEFAULT_ENGINE_SOCKETS`] that is there.
    pub socket: Option<String>,
}

/// One registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Host with optional port, as in a normalised reference (`docker.io`).
    pub host: String,
    /// Path of a Docker `config.json`.
    pub auth: Option<String>,
    /// User name; comes with `password_file`.
    pub user: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<String>,
    /// PEM file of certificate authorities, beside the system's.
    pub ca: Option<String>,
    /// HTTP without TLS?
    pub plain_http: bool,
}

/// The broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// Host name or address, an IPv6 one without brackets.
    pub host: String,
    /// Port; 1883, with TLS 8883, where none was written.
    pub port: u16,
    /// `mqtts`?
    pub tls: bool,
    /// PEM file of certificate authorities, beside the system's.
    pub ca: Option<String>,
    /// PEM file of the agent's own certificate; comes with `client_key`.
    pub client_cert: Option<String>,
    /// PEM file of its key.
    pub client_key: Option<String>,
    /// User name.
    pub user: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<String>,
    /// Between two messages of metrics; zero: none.
    pub metrics: Millis,
}

/// Room on the disks of the volumes and of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that stay free.
    pub reserve: u64,
    /// Largest fork, in bytes.
    pub fork_limit: u64,
    /// Older forks kept beside current, previous and the newest failed one.
    pub keep: u32,
}

/// The control socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Group whose members may use verbs that change; root always may. None: root alone.
    pub operators: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            board: Board::default(),
            poll: Millis::seconds(15 * 60),
            paths: Paths::default(),
            engine: Engine::default(),
            registries: Vec::new(),
            mqtt: None,
            disk: Disk::default(),
            control: Control::default(),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            apps: "/etc/titania-agent/apps.d".to_string(),
            keys: "/etc/titania-agent/keys".to_string(),
            state: "/var/lib/titania-agent".to_string(),
            volumes: "/var/lib/titania-volumes".to_string(),
            socket: "/run/titania-agent/agent.sock".to_string(),
            allow_volatile: false,
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { reserve: 256 << 20, fork_limit: 1 << 30, keep: 3 }
    }
}

#[cfg(test)]
mod tests;
