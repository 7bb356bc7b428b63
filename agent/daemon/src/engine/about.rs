//! What engine it is, and what it can do.

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
    /// Its version, `20.10.24`.
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
