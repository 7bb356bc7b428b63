//! The create body: pure, from the definition and the new image alone, never from what an old container had.
//!
//! Promise: safe by default (every capability dropped, no new privileges, uid and gid always given, bounded
//! log, nothing published unless listed), `Mounts` of type bind alone (`Binds` make missing folders), and of
//! the environment only the definition's own: the engine adds the new image's.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointSettings, HostConfig, HostConfigLogConfig,
    Mount as Mounted, MountTmpfsOptions, MountType, NetworkingConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use titania_core::definition::{Shape, UserRule};
use titania_core::names::{AppName, Generation, InstanceId};
use titania_core::spec::Spec;

use super::network::BUILT_IN;
use super::seen::{LABEL_APP, LABEL_CONFIG, LABEL_DEFINITION, LABEL_GENERATION, LABEL_INSTANCE};

/// Microseconds of the CPU period, the kernel's own default.
const CPU_PERIOD_US: i64 = 100_000;

/// Size of one log file: an SD card is small, and wears.
const LOG_FILE_SIZE: &str = "5m";

/// Log files kept.
const LOG_FILES: &str = "2";

/// Rights of a scratch volume: anybody's, as /tmp.
const SCRATCH_MODE: i64 = 0o1777;

/// One bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Folder or file of the board; it must be there at create and at start.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Without the right to write?
    pub read_only: bool,
}

/// All that a container is made from.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// App.
    pub app: &'a AppName,
    /// Whose board it is.
    pub instance: &'a InstanceId,
    /// Generation.
    pub generation: Generation,
    /// Resolved specification.
    pub spec: &'a Spec,
    /// Image by the agent's own tag ([`super::local_tag`]), or its id.
    pub image: &'a str,
    /// Volumes and host mounts. Scratch volumes are in the specification.
    pub mounts: &'a [Mount],
    /// What the env file says; the definition's own variables win.
    pub env_file: &'a [(String, String)],
    /// With the restart policy of a committed one?
    pub armed: bool,
    /// Does the engine map users ([`super::About::remap`])?
    pub is_mapped: bool,
}

/// A container as it shall be.
#[derive(Clone)]
pub struct Plan {
    /// `<app>-g<generation>`.
    pub name: String,
    /// Image it is made from.
    pub image: String,
    /// Name on its network; null where it has none.
    pub(super) alias: Option<String>,
    pub(super) body: ContainerCreateBody,
}

impl fmt::Debug for Plan {
    // The body holds values of the env file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({} of {})", self.name, self.image)
    }
}

/// Why no container can be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The user is not resolved: the image was not inspected.
    NoUser,
    /// It would be root, and the definition does not allow it.
    Root,
    /// The definition wants users mapped, and the engine does not.
    NotMapped,
    /// Two mounts at one path.
    TwiceMounted(String),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser => f.write_str("the specification names no user: the image was not inspected"),
            Self::Root => f.write_str("the container would run as root, and its definition does not say allow_root = true"),
            Self::NotMapped => f.write_str("its definition says user = \"mapped\", and this engine maps no users: switch on userns-remap in the engine's daemon.json again"),
            Self::TwiceMounted(path) => write!(f, "two volumes are mounted at {path}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// The container of one generation.
///
/// # Errors
/// What a definition that was checked and a specification that was resolved do not do.
pub fn plan(making: &Making<'_>) -> Result<Plan, PlanError> {
    let shape = &making.spec.definition.shape;
    let user = making.spec.user.ok_or(PlanError::NoUser)?.inside(making.is_mapped);
    match (&shape.user, making.is_mapped) {
        (UserRule::Mapped, true) => {}
        (UserRule::Mapped, false) => return Err(PlanError::NotMapped),
        _ if (user.uid == 0 || user.gid == 0) && !shape.allow_root => return Err(PlanError::Root),
        _ => {}
    }
    let has_own_name = !matches!(shape.network.as_str(), "host" | "none");
    let takes_alias = !BUILT_IN.contains(&shape.network.as_str()) && !shape.network.contains(':');
    let app = making.app.to_string();
    let alias = takes_alias.then(|| app.clone());
    let hostname = shape.hostname.clone().or_else(|| has_own_name.then(|| app.clone()));
    let body = ContainerCreateBody {
        hostname,
        user: Some(user.to_string()),
        env: some(env(shape, making.env_file)),
        entrypoint: shape.entrypoint.clone(),
        cmd: shape.command.clone(),
        image: Some(making.image.to_string()),
        working_dir: shape.working_dir.clone(),
        labels: Some(labels(making)),
        stop_signal: Some(shape.stop.signal.clone()),
        stop_timeout: i64::try_from(shape.stop.grace.0.div_ceil(1000)).ok(),
        exposed_ports: some(port_bindings(shape).into_keys().collect()),
        host_config: Some(host_config(making)?),
        networking_config: alias.clone().map(|alias| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                shape.network.clone(),
                EndpointSettings { aliases: Some(vec![alias]), ..EndpointSettings::default() },
            )])),
        }),
        ..ContainerCreateBody::default()
    };
    Ok(Plan {
        name: making.app.container(making.generation),
        image: making.image.to_string(),
        alias,
        body,
    })
}

fn host_config(making: &Making<'_>) -> Result<HostConfig, PlanError> {
    let shape = &making.spec.definition.shape;
    let policy = if making.armed {
        RestartPolicyNameEnum::UNLESS_STOPPED
    } else {
        RestartPolicyNameEnum::NO
    };
    let groups: Vec<String> = making.spec.groups.iter().map(ToString::to_string).collect();
    let quota = shape.limits.cpus.map(|thousandths| i64::from(thousandths) * CPU_PERIOD_US / 1000);
    let ports: HashMap<_, _> =
        port_bindings(shape).into_iter().map(|(port, bindings)| (port, Some(bindings))).collect();
    Ok(HostConfig {
        network_mode: Some(shape.network.clone()),
        restart_policy: Some(RestartPolicy { name: Some(policy), ..RestartPolicy::default() }),
        mounts: some(mounts(making)?),
        port_bindings: (!ports.is_empty()).then_some(ports),
        cap_drop: Some(vec!["ALL".to_string()]),
        cap_add: some(shape.capabilities.clone()),
        security_opt: Some(vec!["no-new-privileges".to_string()]),
        readonly_rootfs: Some(shape.read_only),
        init: Some(shape.init),
        group_add: some(groups),
        devices: some(shape.devices.iter().map(|path| device(path)).collect()),
        sysctls: some_map(&shape.sysctls),
        shm_size: shape.shm_size.and_then(|bytes| i64::try_from(bytes).ok()),
        extra_hosts: some(shape.extra_hosts.clone()),
        dns: some(shape.dns.clone()),
        memory: shape.limits.memory.and_then(|bytes| i64::try_from(bytes).ok()),
        // Not NanoCpus: on a kernel without CPU quotas that is an error, this is a warning.
        cpu_period: quota.map(|_| CPU_PERIOD_US),
        cpu_quota: quota,
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_string()),
            config: Some(HashMap::from([
                ("max-size".to_string(), LOG_FILE_SIZE.to_string()),
                ("max-file".to_string(), LOG_FILES.to_string()),
            ])),
        }),
        ..HostConfig::default()
    })
}

fn mounts(making: &Making<'_>) -> Result<Vec<Mounted>, PlanError> {
    let mut mounts = BTreeMap::new();
    for mount in making.mounts {
        let bind = Mounted {
            typ: Some(MountType::BIND),
            source: Some(mount.source.clone()),
            target: Some(mount.target.clone()),
            read_only: Some(mount.read_only),
            ..Mounted::default()
        };
        if mounts.insert(mount.target.clone(), bind).is_some() {
            return Err(PlanError::TwiceMounted(mount.target.clone()));
        }
    }
    for path in &making.spec.definition.shape.volumes.scratch {
        let scratch = Mounted {
            typ: Some(MountType::TMPFS),
            target: Some(path.clone()),
            tmpfs_options: Some(MountTmpfsOptions {
                mode: Some(SCRATCH_MODE),
                ..MountTmpfsOptions::default()
            }),
            ..Mounted::default()
        };
        if mounts.insert(path.clone(), scratch).is_some() {
            return Err(PlanError::TwiceMounted(path.clone()));
        }
    }
    Ok(mounts.into_values().collect())
}

fn env(shape: &Shape, env_file: &[(String, String)]) -> Vec<String> {
    let mut env: BTreeMap<&str, &str> =
        env_file.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    env.extend(shape.env.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    env.into_iter().map(|(key, value)| format!("{key}={value}")).collect()
}

fn labels(making: &Making<'_>) -> HashMap<String, String> {
    let spec = making.spec;
    let mut labels: HashMap<String, String> =
        spec.definition.shape.labels.clone().into_iter().collect();
    // The agent's own come last: no definition can speak for it.
    labels.retain(|name, _| !name.starts_with("org.titania.agent."));
    labels.insert(LABEL_APP.to_string(), making.app.to_string());
    labels.insert(LABEL_GENERATION.to_string(), making.generation.to_string());
    labels.insert(LABEL_DEFINITION.to_string(), spec.hash.to_string());
    labels.insert(LABEL_INSTANCE.to_string(), making.instance.0.clone());
    if let Some(config) = &spec.release.config {
        labels.insert(LABEL_CONFIG.to_string(), config.to_string());
    }
    labels
}

/// `80/tcp` → where it is published.
fn port_bindings(shape: &Shape) -> BTreeMap<String, Vec<PortBinding>> {
    let mut bindings: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
    for port in &shape.ports {
        bindings.entry(format!("{}/{}", port.container, port.protocol)).or_default().push(
            PortBinding {
                host_ip: Some(port.address.clone()),
                host_port: Some(port.host.to_string()),
            },
        );
    }
    bindings
}

fn device(path: &str) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(path.to_string()),
        path_in_container: Some(path.to_string()),
        // Read and write; never to make device nodes.
        cgroup_permissions: Some("rw".to_string()),
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(in crate::engine) mod tests;
