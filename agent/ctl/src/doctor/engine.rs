//! The engine: whether it answers, and whether it is set up as a keeper of appliances should be.

use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use titania_config::{DEFAULT_ENGINE_SOCKETS, Settings};

use super::system::System;
use super::{Check, fail, ok, warn};
use crate::client::{Client, ClientError};

/// Oldest API the agent speaks (Docker Engine 18.05).
const API_MINOR_MIN: u32 = 37;
/// Storage drivers that do well on a board: one copy of a layer for all, and no device of their own.
const DRIVERS: [&str; 6] = ["overlay2", "overlay", "overlayfs", "fuse-overlayfs", "btrfs", "zfs"];
const NONE_HERE: &str =
    "install one: apt install docker.io, or podman and systemctl enable --now podman.socket";

/// `GET /version`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    version: String,
    api_version: String,
}

/// `GET /info`, as far as it is looked at.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    driver: String,
    memory_limit: Option<bool>,
    swap_limit: Option<bool>,
    cpu_cfs_quota: Option<bool>,
    live_restore_enabled: Option<bool>,
    cgroup_driver: String,
    cgroup_version: String,
    security_options: Option<Vec<String>>,
    docker_root_dir: String,
    architecture: String,
}

pub(super) fn checks(settings: &Settings, system: &System) -> Vec<Check> {
    let socket = match &settings.engine.socket {
        Some(socket) => socket.clone(),
        None => {
            let found = DEFAULT_ENGINE_SOCKETS.iter().find(|path| system.path(path).exists());
            let Some(found) = found else {
                let message = format!("there is no {}", DEFAULT_ENGINE_SOCKETS.join(", and no "));
                return vec![fail("engine", message, NONE_HERE)];
            };
            (*found).to_owned()
        }
    };
    let client = Client::new(system.path(&socket));
    let version = client.get("/version").and_then(|body| client.parse::<Version>(&body));
    let version = match version {
        Ok(version) => version,
        Err(error) => return vec![unreachable(&socket, &error, system)],
    };
    let mut checks = vec![about(&socket, &version)];
    match client.get("/info").and_then(|body| client.parse::<Info>(&body)) {
        Ok(info) => checks.extend(of(&info, version.version.as_str())),
        Err(error) => checks.push(warn("engine", error.to_string(), "see its log")),
    }
    checks
}

fn unreachable(socket: &str, error: &ClientError, system: &System) -> Check {
    let ClientError::Unreachable(_, error) = error else {
        let message = format!("what answers at {socket} is no engine");
        return fail("engine", message, "correct socket under [engine] in agent.toml");
    };
    match error.kind() {
        ErrorKind::PermissionDenied if system.is_root => {
            let hint =
                "look at its owner, its folders and what confines this system (ls -l, aa-status)";
            fail("engine", format!("{socket} may not be opened"), hint)
        }
        ErrorKind::PermissionDenied => {
            warn("engine", format!("{socket} may not be opened by this user"), "use sudo")
        }
        ErrorKind::NotFound => fail("engine", format!("there is no {socket}"), NONE_HERE),
        _ => {
            let unit = if socket.contains("podman") { "podman.socket" } else { "docker" };
            let message = format!("the engine does not answer at {socket}: {error}");
            fail("engine", message, format!("systemctl status {unit}; systemctl restart {unit}"))
        }
    }
}

fn about(socket: &str, version: &Version) -> Check {
    let (name, api) = (&version.version, &version.api_version);
    let minor = api.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
    match minor {
        Some(minor) if minor >= API_MINOR_MIN => {
            ok("engine", format!("version {name}, API {api}, answers at {socket}"))
        }
        _ => {
            let message =
                format!("the engine {name} speaks API {api}, older than 1.{API_MINOR_MIN}");
            fail("engine", message, "install a newer one: apt install docker.io")
        }
    }
}

fn of(info: &Info, version: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.push(match DRIVERS.contains(&info.driver.as_str()) {
        true => ok("storage", format!("storage driver {}", info.driver)),
        false => warn(
            "storage",
            format!("storage driver {}: slow, and hard on a card", info.driver),
            "set \"storage-driver\": \"overlay2\" in /etc/docker/daemon.json; images are fetched again",
        ),
    });
    let limits =
        [(info.memory_limit, "memory"), (info.cpu_cfs_quota, "cpus"), (info.swap_limit, "swap")];
    let missing: Vec<&str> =
        limits.iter().filter(|(has, _)| *has == Some(false)).map(|(_, what)| *what).collect();
    let cgroups = format!("cgroup v{} by {}", info.cgroup_version, info.cgroup_driver);
    checks.push(match missing.as_slice() {
        [] => ok("limits", format!("{cgroups}; limits of memory, swap and cpus can be kept")),
        ["swap"] => {
            // Without it an app over its limit goes on into the swap: slower, not wrong.
            ok("limits", format!("{cgroups}; limits of memory and cpus can be kept, of swap not"))
        }
        missing => warn(
            "limits",
            format!("{cgroups}; no limit of {} can be kept: apps run without", missing.join(", ")),
            super::kernel::MEMORY_HINT,
        ),
    });
    // Podman has no daemon that could go.
    if info.live_restore_enabled == Some(false) && !is_podman(info, version) {
        checks.push(warn(
            "live_restore",
            "apps go down whenever the engine crashes or is upgraded",
            "set \"live-restore\": true in /etc/docker/daemon.json, then systemctl reload docker",
        ));
    }
    let options = info.security_options.iter().flatten();
    if options.clone().any(|option| option.contains("name=userns")) {
        let base = Path::new(&info.docker_root_dir).file_name().unwrap_or_default();
        let base = base.to_string_lossy().replacen('.', ":", 1);
        checks.push(ok("userns_remap", format!("the engine maps users: root of an app is {base}")));
    }
    if options.clone().any(|option| option.contains("name=rootless")) {
        checks.push(ok("rootless", "the engine runs without root"));
    }
    checks
}

fn is_podman(info: &Info, version: &str) -> bool {
    // Podman's compatible API names its own root folder, `…/containers/storage`.
    info.docker_root_dir.contains("containers/storage") || version.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn info(text: &str) -> Vec<(String, Verdict)> {
        let info = serde_json::from_str(text).unwrap();
        of(&info, "20.10").into_iter().map(|check| (check.check, check.state)).collect()
    }

    #[test]
    fn a_board_set_up_as_it_should_be_is_well_on_both_cgroups() {
        for version in ["1", "2"] {
            let told = info(&format!(
                r#"{{"Driver":"overlay2","MemoryLimit":true,"SwapLimit":false,"CpuCfsQuota":true,
                    "LiveRestoreEnabled":true,"CgroupVersion":"{version}","CgroupDriver":"systemd",
                    "SecurityOptions":["name=seccomp"]}}"#
            ));
            assert!(told.iter().all(|(_, state)| *state == Verdict::Ok), "{told:?}");
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_is_a_warning_each() {
        let told = info(
            r#"{"Driver":"vfs","MemoryLimit":false,"CpuCfsQuota":true,"LiveRestoreEnabled":false,
                "CgroupVersion":"1","SecurityOptions":["name=userns"],"DockerRootDir":"/d/300000.300000"}"#,
        );
        let told: Vec<(&str, Verdict)> =
            told.iter().map(|(check, state)| (check.as_str(), *state)).collect();
        assert_eq!(
            told,
            [
                ("storage", Verdict::Warn),
                ("limits", Verdict::Warn),
                ("live_restore", Verdict::Warn),
                ("userns_remap", Verdict::Ok)
            ]
        );
    }

    #[test]
    fn an_old_engine_fails_and_nonsense_too() {
        for (api, want) in [("1.41", Verdict::Ok), ("1.24", Verdict::Fail), ("x", Verdict::Fail)] {
            let version = Version { version: "1".into(), api_version: api.into() };
            assert_eq!(about("/s", &version).state, want, "{api}");
        }
    }
}
