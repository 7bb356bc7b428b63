//! What engine it is, and what it can do.
//!
//! Distrusts: that a field is there at all; one that is missing promises nothing.

use serde::Deserialize;

use super::call::Call;
use super::error::EngineError;
use super::transport::API_MINOR_MIN;
use super::{Engine, parse};

/// Which engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Docker Engine.
    Docker,
    /// Podman's Docker-compatible service.
    Podman,
}

/// Uid 0 of a container is this uid of the board (`userns-remap`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Remap {
    /// First uid.
    pub uid: u32,
    /// First gid.
    pub gid: u32,
}

/// The engine, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which engine.
    pub kind: Kind,
    /// Its version, `20.10.24`; Podman's own where it is that.
    pub version: String,
    /// Version of the API that is spoken with it, `1.41`.
    pub api: String,
    /// Go's name of the operating system, `linux`.
    pub os: String,
    /// Go's name of the architecture the engine was built for (`arm`, `arm64`, `amd64`): its userland.
    pub arch: String,
    /// The kernel's word for the machine (`armv7l`, `aarch64`, `x86_64`): may differ from `arch`.
    pub machine: String,
    /// Folder of the engine's data: its disk is where images lie.
    pub root_dir: String,
    /// Are container uids mapped, and to where?
    pub remap: Option<Remap>,
    /// Does the engine itself run without root?
    pub rootless: bool,
    /// Can it change a restart policy, and start by it at boot (Podman can't)?
    pub keeps_policy: bool,
    /// Has the kernel a memory controller for it?
    pub limits_memory: bool,
    /// Has the kernel CPU quotas for it?
    pub limits_cpu: bool,
    /// Do apps survive a crash of the engine (`live-restore`)?
    pub live_restore: bool,
    /// Has it an init for containers?
    pub has_init: bool,
    /// `1` or `2`; empty where it does not say.
    pub cgroup_version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Told {
    architecture: Option<String>,
    docker_root_dir: Option<String>,
    security_options: Option<Vec<String>>,
    memory_limit: Option<bool>,
    cpu_cfs_quota: Option<bool>,
    live_restore_enabled: Option<bool>,
    init_binary: Option<String>,
    cgroup_version: Option<String>,
}

impl Engine {
    /// Who answers, and what it can do. Also agrees upon the API version anew: called when the engine comes back.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] with its reason when it can't be worked with.
    pub async fn hello(&self) -> Result<About, EngineError> {
        self.wire().forget();
        let is_podman = self.wire().ping().await?.is_podman;
        let minor = self.wire().minor().await?;
        let version = self.wire().well(Call::get("version", "/version".to_string())).await?;
        let info = self.wire().well(Call::get("info", "/info".to_string())).await?;
        let about = About::of(is_podman, minor, parse("version", &version)?, parse("info", &info)?);
        match about.os.as_str() {
            "linux" => Ok(about),
            other => Err(EngineError::Unsupported {
                why: format!(
                    "it runs {other} containers, and apps are Linux containers (API 1.{API_MINOR_MIN} or newer)"
                ),
                version: about.version,
            }),
        }
    }
}

impl About {
    fn of(is_podman: bool, minor: u32, version: Version, told: Told) -> Self {
        let components = version.components.unwrap_or_default();
        let podman = components.into_iter().find(|component| component.name == "Podman Engine");
        let is_podman = is_podman || podman.is_some();
        let root_dir = told.docker_root_dir.unwrap_or_default();
        let options = told.security_options.unwrap_or_default();
        let has =
            |name: &str| options.iter().any(|option| option.split(',').any(|part| part == name));
        Self {
            kind: if is_podman { Kind::Podman } else { Kind::Docker },
            version: podman
                .map(|component| component.version)
                .filter(|text| !text.is_empty())
                .or(version.version)
                .unwrap_or_default(),
            api: format!("1.{minor}"),
            os: version.os.unwrap_or_else(|| "linux".to_string()),
            arch: version.arch.unwrap_or_default(),
            machine: told.architecture.unwrap_or_default(),
            remap: has("name=userns").then(|| remap(&root_dir)).flatten(),
            rootless: has("name=rootless"),
            keeps_policy: !is_podman,
            limits_memory: told.memory_limit.unwrap_or_default(),
            limits_cpu: told.cpu_cfs_quota.unwrap_or_default(),
            live_restore: told.live_restore_enabled.unwrap_or_default(),
            has_init: told.init_binary.is_some_and(|name| !name.is_empty()),
            cgroup_version: told.cgroup_version.unwrap_or_default(),
            root_dir,
        }
    }
}

/// The first uid and gid, from the end of the engine's root folder: the one place that tells them (`…/300000.300000`).
/// Null where one of them is the board's root: that is no map to be safe behind.
fn remap(root_dir: &str) -> Option<Remap> {
    let (uid, gid) = root_dir.trim_end_matches('/').rsplit('/').next()?.split_once('.')?;
    let remap = Remap { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
    (remap.uid > 0 && remap.gid > 0).then_some(remap)
}

#[cfg(test)]
#[path = "about_tests.rs"]
mod tests;
