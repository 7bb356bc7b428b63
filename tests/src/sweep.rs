//! What a board leaves behind, ended by process id.
//!
//! Containers are nobody's children here: their shims detach from the engine. They are found by the
//! board's folder in a command line, by its network, and as descendants of either.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Programs that carry a board's folder in their command line; nothing else is ended for that.
const PROGRAMS: [&str; 8] = [
    "agentd",
    "containerd",
    "containerd-shim-runc-v2",
    "docker-proxy",
    "docker-registry",
    "dockerd",
    "mosquitto",
    "runc",
];

struct Seen {
    id: i32,
    parent: i32,
    command: String,
    network: u64,
}

impl Seen {
    fn is_of(&self, place: &str) -> bool {
        let program = self.command.split(' ').next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        PROGRAMS.contains(&name) && self.command.contains(place)
    }
}

/// Kills every process of the board in `folder`, `network` being its namespace (0: unknown),
/// except this one. Returns how many there were.
pub fn kill_processes(folder: &Path, network: u64) -> usize {
    let own = std::process::id().cast_signed();
    let seen: Vec<Seen> = all().into_iter().filter(|one| one.id != own).collect();
    let place = format!("{}/", folder.display());
    let mut doomed: BTreeSet<i32> = seen
        .iter()
        .filter(|one| one.is_of(&place) || (network != 0 && one.network == network))
        .map(|one| one.id)
        .collect();
    loop {
        let more: Vec<i32> = seen
            .iter()
            .filter(|one| doomed.contains(&one.parent) && !doomed.contains(&one.id))
            .map(|one| one.id)
            .collect();
        if more.is_empty() {
            break;
        }
        doomed.extend(more);
    }
    for id in &doomed {
        let _ = kill(Pid::from_raw(*id), Signal::SIGKILL);
    }
    doomed.len()
}

fn all() -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(look_at)
        .collect()
}

/// None for one that has ended, a zombie among them.
fn look_at(id: i32) -> Option<Seen> {
    let folder = format!("/proc/{id}");
    let stat = std::fs::read_to_string(format!("{folder}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut rest = stat[stat.rfind(')')? + 1..].split_whitespace();
    if rest.next()? == "Z" {
        return None;
    }
    let parent = rest.next()?.parse().ok()?;
    let command = std::fs::read(format!("{folder}/cmdline")).unwrap_or_default();
    let network = std::fs::metadata(format!("{folder}/ns/net")).map_or(0, |meta| meta.ino());
    Some(Seen {
        id,
        parent,
        command: String::from_utf8_lossy(&command).replace('\0', " "),
        network,
    })
}

/// Removes the control groups of these containers, which a hard end leaves empty.
pub fn remove_cgroups(containers: &[String]) {
    let Ok(hierarchies) = std::fs::read_dir("/sys/fs/cgroup") else {
        return;
    };
    for hierarchy in hierarchies.flatten() {
        for id in containers {
            let _ = std::fs::remove_dir(hierarchy.path().join("docker").join(id));
            let _ = std::fs::remove_dir(Path::new("/sys/fs/cgroup/docker").join(id));
        }
    }
}
