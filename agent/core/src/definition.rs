//! Definitions: what an app shall be, after defaults.
//!
//! The hash is over canonical JSON of the fields that shape the container and differ from their
//! default, so that an agent that knows more fields gets the same.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::AppName;
use crate::reference::Reference;
use crate::time::Millis;
use crate::track::Track;
use crate::window::Window;

/// One app's definition, parsed and checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Definition {
    /// What shapes the container.
    #[serde(flatten)]
    pub shape: Shape,
    /// Which tag is wanted.
    pub track: Track,
    /// Apps that must be healthy before a first start or a cutover.
    #[serde(default)]
    pub after: Vec<AppName>,
    /// How health is seen.
    #[serde(default)]
    pub health: Health,
    /// How updates go.
    #[serde(default)]
    pub update: Update,
}

/// The fields that shape the container: the hash is over these.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Reference as written, normalised.
    pub image: Reference,
    /// Who it runs as.
    #[serde(default)]
    pub user: UserRule,
    /// May its process be root on the host?
    #[serde(default)]
    pub allow_root: bool,
    /// Groups of the board, by name or number.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Instead of the image's ENTRYPOINT.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Instead of the image's CMD.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// Instead of the image's WORKDIR.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// Host name; the app's name where none.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Published ports.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// Devices of the board, same path inside.
    #[serde(default)]
    pub devices: Vec<String>,
    /// `titania` (the agent's own bridge), `host`, `none`, or a network's name.
    #[serde(default = "own_network")]
    pub network: String,
    /// File with `KEY=value` lines; its content is not in the hash.
    #[serde(default)]
    pub env_file: Option<String>,
    /// Environment. Values never leave the board.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// What it keeps.
    #[serde(default)]
    pub volumes: Volumes,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// Capabilities given back after all were dropped, without `CAP_`.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Root file system read-only?
    #[serde(default)]
    pub read_only: bool,
    /// Kernel settings of its namespaces.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Size of /dev/shm in bytes.
    #[serde(default)]
    pub shm_size: Option<u64>,
    /// An init as pid 1?
    #[serde(default = "yes")]
    pub init: bool,
    /// `name:address` lines for /etc/hosts.
    #[serde(default)]
    pub extra_hosts: Vec<String>,
    /// Name servers.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Labels of one's own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `/host:/container`, always read-only.
    #[serde(default)]
    pub mounts: Vec<HostMount>,
}

fn own_network() -> String {
    OWN_NETWORK.to_string()
}

const fn yes() -> bool {
    true
}

/// The agent's own bridge, on which apps find each other by name.
pub const OWN_NETWORK: &str = "titania";

/// Who an app runs as (DESIGN §5, Users).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRule {
    /// The image's USER if that is not root, else a uid of the pool.
    #[default]
    Auto,
    /// The image's USER; an error when root.
    Image,
    /// A uid of 70000–79999.
    Pool,
    /// The image's USER, root too: only on an engine that maps users, where its root is none of the board's.
    Mapped,
    /// Just that; the group is the same number where none was written.
    Fixed {
        /// Uid.
        uid: u32,
        /// Gid.
        gid: u32,
    },
}

/// One published port, Docker's short form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// Address of the board; empty for all.
    pub address: String,
    /// Port of the board.
    pub host: u16,
    /// Port in the container.
    pub container: u16,
    /// Protocol.
    pub protocol: Protocol,
}

/// Protocol of a published port.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.address.contains(':') {
            write!(f, "[{}]:", self.address)?;
        } else if !self.address.is_empty() {
            write!(f, "{}:", self.address)?;
        }
        write!(f, "{}:{}/{}", self.host, self.container, self.protocol)
    }
}

/// How an app is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stop {
    /// Signal by name, `SIGTERM`.
    pub signal: String,
    /// Time until SIGKILL.
    pub grace: Millis,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: "SIGTERM".to_string(), grace: Millis::seconds(30) }
    }
}

/// What an app keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Volumes {
    /// Container paths that are forked with each generation.
    #[serde(default)]
    pub state: Vec<String>,
    /// Folders independent of the release.
    #[serde(default)]
    pub data: Vec<DataVolume>,
    /// Container paths on tmpfs.
    #[serde(default)]
    pub scratch: Vec<String>,
}

/// One data volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataVolume {
    /// Path in the container.
    pub path: String,
    /// Another's folder on the board, left as it is unless `own`.
    pub source: Option<String>,
    /// Must `source` be a mount point?
    pub mounted: bool,
    /// Mounted read-only?
    pub read_only: bool,
    /// Does it belong to the app's uid? Always true without a `source`.
    pub own: bool,
}

/// Name of a volume's folder on the board: the container path without its leading `/`, every other `/` as `-`.
pub fn volume_key(path: &str) -> String {
    path.strip_prefix('/').unwrap_or(path).replace('/', "-")
}

/// A folder or file of the board, read-only in the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostMount {
    /// Path on the board.
    pub host: String,
    /// Path in the container.
    pub container: String,
}

/// Limits of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Thousandths of a processor.
    pub cpus: Option<u32>,
}

/// How health is seen. Times as Docker's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub probe: ProbeRule,
    /// Between two probes.
    pub interval: Millis,
    /// Longest wait for one answer.
    pub timeout: Millis,
    /// So many noes in a row are unhealthy.
    pub retries: u32,
    /// Noes count only after this.
    pub start_period: Millis,
    /// Passes for so long prove a release.
    pub settle: Millis,
    /// All of probation may last so long.
    pub deadline: Millis,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            probe: ProbeRule::Default,
            interval: Millis::seconds(5),
            timeout: Millis::seconds(3),
            retries: 3,
            start_period: Millis(0),
            settle: Millis::seconds(30),
            deadline: Millis::seconds(300),
        }
    }
}

/// What a probe asks, on the container's own address, never a published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeRule {
    /// The image's HEALTHCHECK where it has one, else that it stays up.
    #[default]
    Default,
    /// GET; 200 to 399 is a yes.
    Http {
        /// Port in the container.
        port: u16,
        /// Path with its leading slash.
        path: String,
    },
    /// A connection is a yes.
    Tcp {
        /// Port in the container.
        port: u16,
    },
    /// A command in the container; exit 0 is a yes.
    Exec(Vec<String>),
    /// The image's HEALTHCHECK; an error where it has none.
    Container,
}

/// How updates go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Update {
    /// When cutover is allowed.
    pub window: Option<Window>,
    /// Go back by itself?
    pub rollback: bool,
    /// May an older version be taken?
    pub allow_downgrade: bool,
    /// A candidate must be so old.
    pub min_age: Millis,
}

impl Default for Update {
    fn default() -> Self {
        Self { window: None, rollback: true, allow_downgrade: false, min_age: Millis(0) }
    }
}

impl Shape {
    /// A shape with nothing but an image.
    pub fn of(image: Reference) -> Self {
        Self {
            image,
            user: UserRule::default(),
            allow_root: false,
            groups: Vec::new(),
            entrypoint: None,
            command: None,
            working_dir: None,
            hostname: None,
            ports: Vec::new(),
            devices: Vec::new(),
            network: own_network(),
            env_file: None,
            env: BTreeMap::new(),
            stop: Stop::default(),
            volumes: Volumes::default(),
            limits: Limits::default(),
            capabilities: Vec::new(),
            read_only: false,
            sysctls: BTreeMap::new(),
            shm_size: None,
            init: true,
            extra_hosts: Vec::new(),
            dns: Vec::new(),
            labels: BTreeMap::new(),
            mounts: Vec::new(),
        }
    }

    /// The definition's hash: SHA-256 of canonical JSON (sorted keys, no white space) of the fields that differ from their default.
    pub fn hash(&self) -> Digest {
        let fields = |shape: &Self| match serde_json::to_value(shape) {
            Ok(serde_json::Value::Object(map)) => map.into_iter().collect::<BTreeMap<_, _>>(),
            _ => BTreeMap::new(),
        };
        let plain = fields(&Self::of(self.image.clone()));
        let mut own = fields(self);
        own.retain(|key, value| key == "image" || plain.get(key) != Some(value));
        let text = serde_json::to_string(&own).unwrap_or_default();
        Digest::of(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
