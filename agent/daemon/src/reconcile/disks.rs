//! Disks: what is free on those that matter, looked at once a minute; and what the agent may do with them.
//!
//! Promise: one that hangs holds up nothing but the next look.

use std::path::PathBuf;
use std::time::Duration;

use titania_core::event::{EventType, Level};
use titania_core::status::Disk;
use tokio::sync::watch;

use super::agent::Agent;
use super::confined;
use super::news::Told;

/// Between two looks at the disks.
const DISKS_LOOK: Duration = Duration::from_secs(60);

/// Looks for ever.
pub async fn watch(agent: &Agent, seen: watch::Sender<Vec<Disk>>) {
    loop {
        seen.send_replace(look_at_disks(agent).await);
        confined::look(agent).await;
        tokio::time::sleep(DISKS_LOOK).await;
    }
}

async fn look_at_disks(agent: &Agent) -> Vec<Disk> {
    let settings = agent.settings();
    let mut places = vec![
        ("state", PathBuf::from(&settings.paths.state)),
        ("volumes", PathBuf::from(&settings.paths.volumes)),
    ];
    let root = agent.shared.borrow().about.as_ref().map(|about| PathBuf::from(&about.root_dir));
    places.extend(root.filter(|root| root.is_absolute()).map(|root| ("engine", root)));
    let mut disks = Vec::new();
    for (role, path) in places {
        if let Ok(free_bytes) = agent.volumes.free_bytes(path.clone()).await {
            disks.push(Disk {
                role: role.to_owned(),
                path: path.display().to_string(),
                free_bytes,
                reserve_bytes: settings.disk.reserve,
                low: free_bytes < settings.disk.reserve,
            });
        }
    }
    disks
}

/// Tells which have fallen below their reserve, and which have room again.
pub fn tell(agent: &Agent, disks: &[Disk]) {
    for disk in disks {
        let before = agent.shared.borrow_mut().low.insert(disk.role.clone(), disk.low);
        let told = match (before.unwrap_or(false), disk.low) {
            (false, true) => {
                let text =
                    format!("the disk of {} ({}) is below its reserve", disk.path, disk.role);
                let mut told = Told::info(EventType::DiskLow, text);
                told.level = Level::Warning;
                told
            }
            (true, false) => {
                let text = format!("the disk of {} ({}) has room again", disk.path, disk.role);
                Told::info(EventType::DiskOk, text)
            }
            _ => continue,
        };
        agent.outlet.tell(None, told);
    }
}
