//! Disks: what is free on those that matter, looked at once a minute; and what the agent may do with them.
//!
//! Promise: one that hangs holds up nothing but the next look. That a disk fell below its reserve is told once for each
//! disk, however much lies on it, and again only after it had room, a tenth more than the reserve. When there is more
//! room than before, what waits for a disk is tried again at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use titania_core::event::{EventType, Level};
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::Disk;
use tokio::sync::watch;

use super::agent::Agent;
use super::confined;
use super::news::Told;
use super::room::{bytes, bytes_free};
use crate::board::clock;
use crate::volumes::VolumesError;

/// Between two looks at the disks.
const DISKS_LOOK: Duration = Duration::from_secs(60);
/// The same while one is low, or an app waits for one: somebody may be making room.
const DISKS_LOOK_LOW: Duration = Duration::from_secs(10);
/// Growth from one look to the next that is worth another try; less comes and goes with any log.
const GROWN_BYTES_MIN: u64 = 1024 * 1024;

/// A disk as it was seen, under one of its roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number: one disk may have several roles.
    pub number: u64,
    /// What is told of it.
    pub disk: Disk,
}

/// Looks for ever.
pub async fn watch(agent: &Agent, seen: watch::Sender<Vec<Seen>>) {
    let mut before: Vec<Seen> = Vec::new();
    loop {
        let now = look_at_disks(agent, &before).await;
        if has_grown(&before, &now) {
            for app in agent.all() {
                if app.memory.borrow_mut().disk_has_more_room() {
                    app.wake.notify_one();
                }
            }
        }
        seen.send_replace(now.clone());
        confined::look(agent).await;
        let is_low = now.iter().any(|seen| seen.disk.low)
            || agent.all().iter().any(|app| app.memory.borrow().waits_for_disk());
        before = now;
        tokio::select! {
            () = tokio::time::sleep(if is_low { DISKS_LOOK_LOW } else { DISKS_LOOK }) => {}
            () = agent.disks.notified() => {}
        }
    }
}

async fn look_at_disks(agent: &Agent, before: &[Seen]) -> Vec<Seen> {
    let settings = agent.settings();
    let reserve = settings.disk.reserve;
    let mut places = vec![
        ("state", PathBuf::from(&settings.paths.state)),
        ("volumes", PathBuf::from(&settings.paths.volumes)),
    ];
    if let Ok(root) = engine_root(agent).await {
        places.extend(root.map(|root| ("engine", root)));
    }
    let mut disks = Vec::new();
    for (role, path) in places {
        if let Ok((number, free_bytes)) = agent.volumes.disk(path.clone()).await {
            let was_low = before.iter().any(|seen| seen.number == number && seen.disk.low);
            let disk = Disk {
                role: role.to_owned(),
                path: path.display().to_string(),
                free_bytes,
                reserve_bytes: reserve,
                low: is_low(was_low, free_bytes, reserve),
            };
            disks.push(Seen { number, disk });
        }
    }
    disks
}

/// The folder of the engine's images, where the agent can tell how much is free there. Homes can be hidden from it: then
/// that is told, and nobody waits for what can't be known.
///
/// # Errors
/// Its disk hangs.
pub async fn engine_root(agent: &Agent) -> Result<Option<PathBuf>, VolumesError> {
    let root = agent.shared.borrow().about.as_ref().map(|about| PathBuf::from(&about.root_dir));
    let Some(root) = root.filter(|root| root.is_absolute()) else {
        return Ok(None);
    };
    let is_hidden = agent.volumes.is_hidden(root.clone()).await?;
    let was_hidden = agent.shared.borrow().unguarded.is_some();
    if is_hidden != was_hidden {
        let problem = is_hidden.then(|| unguarded(&root));
        if let Some(problem) = &problem {
            log::warn!("{}", problem.message);
        }
        agent.shared.borrow_mut().unguarded = problem;
        agent.outlet.changed();
    }
    Ok((!is_hidden).then_some(root))
}

fn unguarded(root: &Path) -> Reason {
    let message = format!(
        "{}, where the engine keeps its images, can't be seen by the agent: what is free there is not looked at",
        root.display()
    );
    let hint = "systemctl edit titania-agent: [Service] ProtectHome=read-only; then systemctl restart titania-agent";
    Reason::new(Code::UnitStale, Class::Environment, message, hint, clock::wall())
}

/// Below the reserve; or it was, and has less than a tenth more by now: else one at the edge would be told at each look.
fn is_low(was_low: bool, free: u64, reserve: u64) -> bool {
    free < reserve || (was_low && free < reserve.saturating_add(reserve / 10))
}

fn has_grown(before: &[Seen], now: &[Seen]) -> bool {
    now.iter().any(|now| {
        let before = before.iter().find(|before| before.number == now.number);
        before.is_some_and(|before| {
            now.disk.free_bytes >= before.disk.free_bytes.saturating_add(GROWN_BYTES_MIN)
        })
    })
}

/// Tells which have fallen below their reserve, and which have room again.
pub fn tell(agent: &Agent, seen: &[Seen]) {
    let told = news(&mut agent.shared.borrow_mut().low, seen);
    for told in told {
        agent.outlet.tell(None, told);
    }
}

/// What there is to tell, one event a disk. `low`: those that were told to be.
fn news(low: &mut std::collections::BTreeSet<u64>, seen: &[Seen]) -> Vec<Told> {
    let mut disks: BTreeMap<u64, Vec<&Disk>> = BTreeMap::new();
    for seen in seen {
        disks.entry(seen.number).or_default().push(&seen.disk);
    }
    let mut all = Vec::new();
    for (number, roles) in disks {
        let names: Vec<String> =
            roles.iter().map(|disk| format!("{} ({})", disk.path, disk.role)).collect();
        let names = names.join(" and ");
        let Some(first) = roles.first() else {
            continue;
        };
        let (free, reserve) = (bytes_free(first.free_bytes), bytes(first.reserve_bytes));
        if first.low && low.insert(number) {
            let text = format!(
                "the disk of {names} is below its reserve: {free} are free, {reserve} shall stay free"
            );
            let mut told = Told::info(EventType::DiskLow, text);
            told.level = Level::Warning;
            all.push(told);
        } else if !first.low && low.remove(&number) {
            let text = format!("the disk of {names} has room again: {free} are free");
            all.push(Told::info(EventType::DiskOk, text));
        }
    }
    all
}

#[cfg(test)]
mod tests;
