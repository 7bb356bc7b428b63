//! Whether a container is what was asked for (P7): what is declared is what runs.
//!
//! The engine's own way of writing things is taken out first: order, `CAP_`, `:true`, empty and
//! `0.0.0.0`, what Podman leaves out or spells otherwise. What still differs is told, never put right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bollard::models::{HostConfig as Wanted, MountType};

use super::Engine;
use super::about::Kind;
use super::error::EngineError;
use super::image::ImageFacts;
use super::inspect::{HostConfig, Inspected};
use super::plan::Plan;

/// One thing that is not as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What, in the definition's words.
    pub field: &'static str,
    /// What was asked for; never a value of the environment.
    pub wanted: String,
    /// What is there.
    pub found: String,
    /// Must it be so? Else it is a warning: a limit that the kernel lacks.
    pub strict: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} was asked for, {} is there", self.field, self.wanted, self.found)
    }
}

impl Engine {
    /// Compares a container with its plan; empty when it is what was asked for.
    ///
    /// # Errors
    /// [`EngineError::NoSuch`] when container or image is gone.
    pub async fn compare(
        &self,
        plan: &Plan,
        id: &str,
        kind: Kind,
    ) -> Result<Vec<Difference>, EngineError> {
        let image = self.image_by_name(&plan.image).await?.ok_or_else(|| EngineError::NoSuch {
            act: "compare".to_string(),
            message: format!("image {} is gone", plan.image),
        })?;
        let found = self.inspect(id).await?;
        Ok(differences(plan, &found, &image, kind))
    }
}

/// What differs between a plan and a container.
pub fn differences(
    plan: &Plan,
    found: &Inspected,
    image: &ImageFacts,
    kind: Kind,
) -> Vec<Difference> {
    let mut told = Told { list: Vec::new(), kind };
    let wanted = plan.body.host_config.clone().unwrap_or_default();
    told.process(plan, found, image);
    told.mounts(&wanted, found);
    told.rights(&wanted, found);
    told.network(plan, &wanted, found);
    told.kernel(&wanted, &found.host_config);
    told.limits(&wanted, &found.host_config);
    told.list
}

struct Told {
    list: Vec<Difference>,
    kind: Kind,
}

impl Told {
    fn same<T: PartialEq + fmt::Debug>(&mut self, field: &'static str, wanted: &T, found: &T) {
        self.push(field, wanted, found, true);
    }

    fn push<T: PartialEq + fmt::Debug>(
        &mut self,
        field: &'static str,
        wanted: &T,
        found: &T,
        strict: bool,
    ) {
        if wanted != found {
            self.list.push(Difference {
                field,
                wanted: format!("{wanted:?}"),
                found: format!("{found:?}"),
                strict,
            });
        }
    }

    /// Podman leaves it out of inspect: nothing is then proved.
    fn same_on_docker<T: PartialEq + fmt::Debug>(
        &mut self,
        field: &'static str,
        wanted: &T,
        found: &T,
    ) {
        if self.kind == Kind::Docker {
            self.same(field, wanted, found);
        }
    }

    fn process(&mut self, plan: &Plan, found: &Inspected, image: &ImageFacts) {
        let (body, config) = (&plan.body, &found.config);
        self.same("user", &body.user.clone().unwrap_or_default(), &config.user);
        if config.image != plan.image && found.image != image.id {
            self.same("image", &plan.image, &config.image);
        }
        // As the engine merges them: an entry point of one's own drops the image's command.
        let own_entry = body.entrypoint.as_ref().filter(|words| !words.is_empty());
        let own_command = body.cmd.as_ref().filter(|words| !words.is_empty());
        let entry = own_entry.unwrap_or(&image.entrypoint);
        let rest = match (own_command, own_entry) {
            (Some(own), _) => own.clone(),
            (None, Some(_)) => Vec::new(),
            (None, None) => image.command.clone(),
        };
        if body.entrypoint.as_ref().is_none_or(|words| !words.is_empty()) {
            self.same("entrypoint", entry, &config.entrypoint);
        }
        self.same("command", &rest, &config.cmd);
        if let Some(folder) = &body.working_dir {
            self.same("working_dir", &clean(folder), &clean(&config.working_dir));
        }
        if let Some(hostname) = &body.hostname {
            self.same_on_docker("hostname", hostname, &config.hostname);
        }
        self.env(body.env.as_deref().unwrap_or_default(), &config.env);
        let labels: BTreeMap<_, _> = body.labels.iter().flatten().collect();
        let missing: BTreeMap<_, _> = labels
            .iter()
            .filter(|(name, value)| config.labels.get(**name) != Some(**value))
            .collect();
        self.same("labels", &BTreeMap::new(), &missing);
    }

    /// All of our own variables are there. Names alone are told.
    fn env(&mut self, wanted: &[String], found: &[String]) {
        let there: BTreeSet<_> = found.iter().collect();
        let name = |line: &String| line.split('=').next().unwrap_or_default().to_string();
        let missing: Vec<String> =
            wanted.iter().filter(|line| !there.contains(line)).map(name).collect();
        if !missing.is_empty() {
            self.list.push(Difference {
                field: "env",
                wanted: missing.join(", "),
                found: "another value or none".to_string(),
                strict: true,
            });
        }
    }

    fn mounts(&mut self, wanted: &Wanted, found: &Inspected) {
        let mut want = BTreeMap::new();
        for mount in wanted.mounts.iter().flatten() {
            let is_scratch = mount.typ == Some(MountType::TMPFS);
            let source =
                if is_scratch { "tmpfs" } else { mount.source.as_deref().unwrap_or_default() };
            let is_writable = mount.read_only != Some(true);
            want.insert(mount.target.clone().unwrap_or_default(), (clean(source), is_writable));
        }
        let mut there = BTreeMap::new();
        for mount in &found.mounts {
            let source = match mount.kind.as_str() {
                "tmpfs" => "tmpfs".to_string(),
                "bind" => clean(&mount.source),
                // An anonymous volume of the image: what is written there belongs to nobody.
                other => format!("{other} {}", mount.source),
            };
            there.insert(mount.destination.clone(), (source, mount.is_writable));
        }
        for path in found.host_config.tmpfs.keys() {
            // Podman adds some of its own to a read-only root.
            if self.kind == Kind::Docker || want.contains_key(path) {
                there.insert(path.clone(), ("tmpfs".to_string(), true));
            }
        }
        self.same("volumes", &want, &there);
        self.same("volumes_from", &Vec::new(), &found.host_config.volumes_from);
    }

    fn rights(&mut self, wanted: &Wanted, found: &Inspected) {
        let there = &found.host_config;
        self.same("groups", &set(&wanted.group_add), &there.group_add.iter().cloned().collect());
        self.same("privileged", &false, &there.privileged);
        match (&found.bounding_caps, self.kind) {
            (Some(caps), Kind::Podman) => self.same(
                "capabilities",
                &capabilities(wanted.cap_add.as_deref()),
                &capabilities(Some(caps)),
            ),
            (None, Kind::Podman) => self.same(
                "capabilities",
                &capabilities(wanted.cap_add.as_deref()),
                &BTreeSet::new(),
            ),
            (_, Kind::Docker) => {
                self.same(
                    "capabilities",
                    &capabilities(wanted.cap_add.as_deref()),
                    &capabilities(Some(&there.cap_add)),
                );
                self.same(
                    "dropped capabilities",
                    &capabilities(wanted.cap_drop.as_deref()),
                    &capabilities(Some(&there.cap_drop)),
                );
            }
        }
        let options: BTreeSet<_> = there
            .security_opt
            .iter()
            .map(|option| option.trim_end_matches(":true").to_string())
            .collect();
        let asked = set(&wanted.security_opt);
        // Podman adds its own labels; on Docker there is nothing beside what was asked for.
        if self.kind == Kind::Docker || !asked.is_subset(&options) {
            self.same("security options", &asked, &options);
        }
        self.same("read_only", &wanted.readonly_rootfs.unwrap_or_default(), &there.readonly_rootfs);
        let devices = wanted.devices.iter().flatten().map(|device| {
            (
                device.path_on_host.clone().unwrap_or_default(),
                device.path_in_container.clone().unwrap_or_default(),
            )
        });
        let found_devices = there
            .devices
            .iter()
            .map(|device| (device.path_on_host.clone(), device.path_in_container.clone()));
        self.same("devices", &devices.collect::<BTreeSet<_>>(), &found_devices.collect());
        self.same("device rules", &Vec::new(), &there.device_cgroup_rules);
        let shared = [
            ("pid", &there.pid_mode),
            ("ipc", &there.ipc_mode),
            ("uts", &there.uts_mode),
            ("user", &there.userns_mode),
        ];
        let shared: Vec<_> = shared
            .into_iter()
            .filter(|(_, mode)| *mode == "host" || mode.starts_with("container:"))
            .map(|(name, mode)| format!("{name}={mode}"))
            .collect();
        self.same("shared namespaces", &Vec::new(), &shared);
    }

    fn network(&mut self, plan: &Plan, wanted: &Wanted, found: &Inspected) {
        let name = wanted.network_mode.clone().unwrap_or_default();
        let there = &found.host_config;
        let networks = &found.network_settings.networks;
        // Podman calls every bridge "bridge" here.
        let is_named =
            self.kind == Kind::Podman && networks.len() == 1 && networks.contains_key(&name);
        if !is_named {
            self.same("network", &name, &there.network_mode);
        }
        let others: Vec<_> =
            networks.keys().filter(|network| **network != name && name != "default").collect();
        self.same("other networks", &Vec::new(), &others);
        if let Some(alias) = &plan.alias {
            let endpoint = networks.get(&name).cloned().flatten().unwrap_or_default();
            if !endpoint.aliases.contains(alias) {
                self.same("name on its network", &vec![alias.clone()], &endpoint.aliases);
            }
        }
        let want = wanted.port_bindings.iter().flatten().flat_map(|(port, bindings)| {
            let bindings = bindings.iter().flatten();
            bindings.map(move |to| published(port, to.host_ip.as_deref(), to.host_port.as_deref()))
        });
        let have = there.port_bindings.iter().flat_map(|(port, bindings)| {
            let bindings = bindings.iter().flatten();
            bindings.map(move |to| published(port, Some(&to.host_ip), Some(&to.host_port)))
        });
        self.same("ports", &want.collect::<BTreeSet<_>>(), &have.collect());
        self.same("all ports published", &false, &there.publish_all_ports);
        self.same_on_docker("dns", &wanted.dns.clone().unwrap_or_default(), &there.dns);
        self.same_on_docker(
            "extra_hosts",
            &set(&wanted.extra_hosts),
            &there.extra_hosts.iter().cloned().collect(),
        );
    }

    fn kernel(&mut self, wanted: &Wanted, there: &HostConfig) {
        self.same("removed by itself", &false, &there.auto_remove);
        let policy = there.restart_policy.name.as_str();
        if !matches!(policy, "" | "no" | "unless-stopped") {
            self.same("restart policy", &"no", &policy);
        }
        self.same("init", &wanted.init.unwrap_or_default(), &there.init.unwrap_or_default());
        let sysctls: BTreeMap<_, _> =
            wanted.sysctls.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        self.same_on_docker("sysctls", &sysctls, &there.sysctls);
        if let Some(size) = wanted.shm_size {
            self.same("shm_size", &size, &there.shm_size);
        }
    }

    fn limits(&mut self, wanted: &Wanted, there: &HostConfig) {
        self.push("limits.memory", &wanted.memory.unwrap_or(0), &there.memory, false);
        let quota = |quota: i64, period: i64| (quota > 0).then_some((quota, period));
        let want = quota(wanted.cpu_quota.unwrap_or(0), wanted.cpu_period.unwrap_or(0));
        self.push("limits.cpus", &want, &quota(there.cpu_quota, there.cpu_period), false);
        if self.kind == Kind::Docker {
            let log = wanted.log_config.clone().unwrap_or_default();
            let config: BTreeMap<_, _> = log.config.into_iter().flatten().collect();
            self.push(
                "log",
                &(log.typ.unwrap_or_default(), config),
                &(there.log_config.kind.clone(), there.log_config.config.clone()),
                false,
            );
        }
    }
}

fn set(list: &Option<Vec<String>>) -> BTreeSet<String> {
    list.iter().flatten().cloned().collect()
}

fn capabilities(list: Option<&[String]>) -> BTreeSet<String> {
    let plain = |name: &String| {
        let name = name.to_ascii_uppercase();
        name.strip_prefix("CAP_").unwrap_or(&name).to_string()
    };
    list.unwrap_or_default().iter().map(plain).collect()
}

/// A path as the engine keeps it: without an end slash.
fn clean(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" if !path.is_empty() => "/".to_string(),
        path => path.to_string(),
    }
}

fn published(port: &str, address: Option<&str>, host: Option<&str>) -> String {
    // Every address of the board, in its two spellings.
    let address = address.filter(|address| *address != "0.0.0.0").unwrap_or_default();
    format!("{address}:{}:{port}", host.unwrap_or_default())
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
