//! The narrow part of inspect that this room reads. Words it does not know survive as text; what an
//! engine leaves out, or sends as null, is the empty value.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Null and absent alike become the default: engines and their versions differ in which they send.
fn lenient<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// A command line: Docker sends a list, some answers of Podman a single text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    One(String),
}

fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Option::<Words>::deserialize(from)? {
        Some(Words::List(list)) => list,
        Some(Words::One(text)) if !text.is_empty() => vec![text],
        _ => Vec::new(),
    })
}

macro_rules! narrow {
    ($(#[$doc:meta])* $name:ident { $($(#[$at:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct $name {
            $(#[serde(deserialize_with = "lenient")] $(#[$at])* pub(super) $field: $type,)*
        }
    };
}

narrow! {
    /// A container, as inspect shows it.
    Inspected {
        id: String,
        name: String,
        image: String,
        restart_count: u64,
        state: State,
        config: Config,
        host_config: HostConfig,
        network_settings: NetworkSettings,
        mounts: Vec<MountPoint>,
        /// Podman alone: what the process may have at most, spelled out.
        bounding_caps: Option<Vec<String>>,
    }
}

narrow! {
    /// Its state.
    State {
        status: String,
        pid: i64,
        exit_code: i64,
        error: String,
        #[serde(rename = "OOMKilled")]
        oom_killed: bool,
        started_at: String,
        finished_at: String,
        health: Option<Health>,
    }
}

narrow! {
    /// Answer of its HEALTHCHECK.
    Health { status: String, }
}

/// What it was made with, merged with its image's own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    #[serde(deserialize_with = "lenient")]
    pub(super) hostname: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) user: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) env: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub(super) cmd: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub(super) entrypoint: Vec<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) image: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) working_dir: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) healthcheck: Option<Test>,
    /// A set, as keys of an object.
    #[serde(deserialize_with = "lenient")]
    pub(super) volumes: BTreeMap<String, serde::de::IgnoredAny>,
    /// A set, as keys of an object.
    #[serde(deserialize_with = "lenient")]
    pub(super) exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
}

narrow! {
    /// Command of a HEALTHCHECK.
    Test { test: Vec<String>, }
}

narrow! {
    /// What it may and may not.
    HostConfig {
        network_mode: String,
        restart_policy: RestartPolicy,
        port_bindings: BTreeMap<String, Option<Vec<Binding>>>,
        publish_all_ports: bool,
        privileged: bool,
        auto_remove: bool,
        readonly_rootfs: bool,
        init: Option<bool>,
        cap_add: Vec<String>,
        cap_drop: Vec<String>,
        security_opt: Vec<String>,
        group_add: Vec<String>,
        devices: Vec<Device>,
        device_cgroup_rules: Vec<String>,
        pid_mode: String,
        ipc_mode: String,
        #[serde(rename = "UTSMode")]
        uts_mode: String,
        userns_mode: String,
        volumes_from: Vec<String>,
        sysctls: BTreeMap<String, String>,
        shm_size: i64,
        extra_hosts: Vec<String>,
        dns: Vec<String>,
        memory: i64,
        cpu_period: i64,
        cpu_quota: i64,
        log_config: LogConfig,
        /// Scratch volumes on Podman, which leaves them out of `Mounts`.
        tmpfs: BTreeMap<String, String>,
    }
}

narrow! {
    /// When the engine starts it by itself.
    RestartPolicy { name: String, }
}

narrow! {
    /// One published port.
    Binding { host_ip: String, host_port: String, }
}

narrow! {
    /// One device.
    Device { path_on_host: String, path_in_container: String, }
}

narrow! {
    /// Where its output goes.
    LogConfig {
        #[serde(rename = "Type")]
        kind: String,
        config: BTreeMap<String, String>,
    }
}

narrow! {
    /// Its networks.
    NetworkSettings { networks: BTreeMap<String, Option<Endpoint>>, }
}

narrow! {
    /// Its place in one network.
    Endpoint {
        #[serde(rename = "IPAddress")]
        ip_address: String,
        #[serde(rename = "GlobalIPv6Address")]
        ip6_address: String,
        aliases: Vec<String>,
    }
}

narrow! {
    /// What is mounted in it.
    MountPoint {
        #[serde(rename = "Type")]
        kind: String,
        source: String,
        destination: String,
        #[serde(rename = "RW")]
        is_writable: bool,
    }
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
