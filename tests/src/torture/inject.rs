//! Doing a fault, and healing it.

use super::fault::{Call, Disk, Fault, Hand, Loss, Thing, Trouble, Victim, Whose};
use super::run::Plan;
use super::scene::Scene;
use crate::between::Between;
use crate::disks::SmallDisk;
use crate::hostile::Reply;
use crate::proxy::{Fate, Meddling, Proxy};
use crate::wait_between;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a registry sends nothing that was asked for a blob.
const STALL: Duration = Duration::from_secs(30);
/// What the agent waits for a stop at most, with the grace of this app, and a little more.
const STOP_LIMIT: Duration = Duration::from_millis(11_500);
/// The same for a question.
const READ_LIMIT: Duration = Duration::from_millis(20_500);
/// Time in which a call that a fault waits for has come.
const MEET_TIME: Duration = Duration::from_secs(20);
/// Seconds of Retry-After.
const RETRY_AFTER: &str = "3";
/// Bytes that are no record.
const GARBAGE: [&[u8]; 3] = [b"", b"\0\0\0\0\0\0\0\0", b"{\"schema\":1}"];

/// A fault that was done.
pub struct Wound {
    fault: Fault,
    /// Record and marks as the agent's next start found them, and whether nothing of the app ran then.
    pub found: Option<BTreeMap<String, String>>,
    /// How many acts of the engine had been heard then.
    pub acts_before: usize,
    /// Whether it has met what it was about.
    pub is_met: bool,
}

impl Wound {
    /// Of an update that nothing disturbs.
    pub fn none() -> Self {
        Self { fault: Fault::Pruned, found: None, acts_before: 0, is_met: true }
    }

    /// Does it.
    pub fn strike(scene: &Scene, plan: &Plan) -> Self {
        let (board, fault) = (scene.board, plan.fault);
        match fault {
            Fault::Killed(Victim::Agent) => board.agent().kill(),
            Fault::Killed(Victim::AgentTwice) => {
                board.agent().kill();
                board.agent().launch();
                scene.pass(Duration::from_millis(plan.hold_ms / 2));
                board.agent().kill();
            }
            Fault::Killed(Victim::Engine) => board.engine().kill(),
            Fault::Killed(Victim::Both) => {
                board.agent().kill();
                board.engine().kill();
            }
            Fault::Killed(Victim::Containerd) => board.engine().kill_containerd(),
            Fault::Killed(Victim::Power) => board.cut_power(),
            Fault::Answer(call, loss) => meddle(between(scene), call, loss, plan.skip),
            Fault::Registry(trouble) => between(scene).registry().meddle(of_registry(trouble)),
            Fault::Full(disk) => small_disk(scene, disk).fill(),
            Fault::Person(hand, whose) => by_hand(scene, hand, whose),
            Fault::Pruned => board.engine().prune_images(true),
            Fault::Lost(Thing::EngineData) => {
                board.cut_power();
                for folder in ["data", "containerd", "exec"] {
                    empty(&board.folder().join("engine").join(folder));
                }
            }
            Fault::Lost(thing) => {
                board.agent().kill();
                spoil(&scene.app.record(), thing, plan.skip);
            }
        }
        Self { fault, found: None, acts_before: 0, is_met: !fault.is_armed() }
    }

    /// Lets a lasting one last: from when it met what it is about.
    pub fn last(&mut self, scene: &Scene, plan: &Plan) {
        let proxy = match self.fault {
            Fault::Answer(..) => Some(between(scene).engine()),
            Fault::Registry(_) => Some(between(scene).registry()),
            _ => None,
        };
        if let Some(proxy) = proxy {
            self.is_met = has_met(proxy);
        }
        let span = match self.fault {
            Fault::Answer(Call::Stop, Loss::TimedOut) => STOP_LIMIT,
            Fault::Answer(_, Loss::TimedOut) => READ_LIMIT,
            Fault::Answer(_, Loss::Cut | Loss::Dropped) => Duration::ZERO,
            Fault::Registry(Trouble::Stalls) => STALL,
            fault if fault.is_lasting() => Duration::from_millis(plan.hold_ms),
            _ => Duration::ZERO,
        };
        scene.pass(span);
    }

    /// Heals it: all programs run again, everything answers, no disk is full.
    pub fn heal(&mut self, scene: &Scene) {
        let board = scene.board;
        match self.fault {
            Fault::Killed(Victim::Agent | Victim::AgentTwice) => self.start_agent(scene),
            Fault::Lost(thing) if thing != Thing::EngineData => self.start_agent(scene),
            Fault::Killed(Victim::Engine) => board.engine().start(),
            Fault::Killed(Victim::Containerd) => board.engine().restart_containerd(),
            Fault::Killed(Victim::Both) => {
                self.find(scene);
                board.engine().start();
                board.agent().start();
            }
            Fault::Killed(Victim::Power) | Fault::Lost(_) => {
                self.find(scene);
                board.boot();
            }
            Fault::Answer(..) => {
                between(scene).engine().heal();
                between(scene).lead(false);
            }
            Fault::Registry(_) => between(scene).registry().heal(),
            Fault::Full(disk) => small_disk(scene, disk).free(),
            Fault::Person(..) | Fault::Pruned => {}
        }
    }

    /// The engine runs on: which one is started first is told only where none ran.
    fn start_agent(&mut self, scene: &Scene) {
        if scene.app.running().is_empty() {
            self.find(scene);
        }
        scene.board.agent().start();
    }

    fn find(&mut self, scene: &Scene) {
        self.found = Some(scene.found());
        self.acts_before = scene.acts.count();
    }
}

fn between<'b>(scene: &Scene<'b>) -> &'b Between {
    scene.board.between().expect("a board with proxies")
}

fn small_disk<'b>(scene: &Scene<'b>, disk: Disk) -> &'b SmallDisk {
    let disks = scene.board.disks().expect("a board with small disks");
    match disk {
        Disk::Volumes => &disks.volumes,
        Disk::Records => &disks.records,
        Disk::Engine => &disks.engine,
    }
}

/// Waits until a call was meddled with; false when none came.
fn has_met(proxy: &Proxy) -> bool {
    let begun = Instant::now();
    wait_between(MEET_TIME * 2, Duration::from_millis(2), "a call, or the end", || {
        match (proxy.met() > 0, begun.elapsed() > MEET_TIME) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    })
}

fn meddle(between: &Between, call: Call, loss: Loss, skip: u32) {
    let fate = match loss {
        Loss::Cut => Fate::Cut,
        Loss::Late | Loss::TimedOut => Fate::Held,
        Loss::Dropped => Fate::Dropped,
    };
    let mut left = if call.is_frequent() { skip } else { 0 };
    let is_it = move |method: &str, target: &str| {
        let is_it = call.is(method, target);
        let is_now = is_it && left == 0;
        left = left.saturating_sub(u32::from(is_it));
        is_now
    };
    between.engine().meddle(Meddling { is_it: Box::new(is_it), fate, times: 1 });
    between.lead(true);
}

fn of_registry(trouble: Trouble) -> Meddling {
    let text = |status: u16| Reply::of("text/plain", "trouble").status(status);
    let fate = match trouble {
        Trouble::Limits => Fate::Answered(text(429).header("Retry-After", RETRY_AFTER)),
        Trouble::Fails => Fate::Answered(text(500)),
        Trouble::Away => Fate::Dropped,
        Trouble::TornBlob => Fate::Torn,
        Trouble::SpoiltBlob | Trouble::SpoiltManifest => Fate::Spoilt,
        Trouble::Stalls => Fate::Stalled,
    };
    let part = match trouble {
        Trouble::TornBlob | Trouble::SpoiltBlob | Trouble::Stalls => "/blobs/",
        Trouble::SpoiltManifest => "/manifests/",
        Trouble::Limits | Trouble::Fails | Trouble::Away => "/v2/",
    };
    // The answer to a HEAD has no body to be torn.
    let wants_body = matches!(fate, Fate::Torn | Fate::Spoilt | Fate::Stalled);
    let is_it = move |method: &str, target: &str| {
        target.contains(part) && !(wants_body && method == "HEAD")
    };
    Meddling { is_it: Box::new(is_it), fate, times: u32::MAX }
}

/// A person's hand. A container that is not there (yet, or any more) is none of its business.
fn by_hand(scene: &Scene, hand: Hand, whose: Whose) {
    let containers = scene.app.containers();
    let is_new = |number: Option<u64>| number.is_some_and(|number| number > scene.generation);
    let found = containers.iter().find(|one| is_new(one.generation()) == (whose == Whose::New));
    let Some(found) = found else {
        return;
    };
    let name = found.name();
    let (method, target) = match hand {
        Hand::Remove => ("DELETE", format!("/containers/{name}?force=1")),
        Hand::Stop => ("POST", format!("/containers/{name}/stop?t=5")),
        Hand::Start => ("POST", format!("/containers/{name}/start")),
        Hand::Kill => ("POST", format!("/containers/{name}/kill")),
    };
    // It may be refused: the agent is at work on the same one.
    let _ = scene.board.engine().api(method, &target, &Value::Null);
}

fn spoil(record: &Path, thing: Thing, skip: u32) {
    let former = record.with_extension("json.1");
    match thing {
        Thing::Record => drop(fs::remove_file(record)),
        Thing::Records => {
            let _ = fs::remove_file(record);
            let _ = fs::remove_file(former);
        }
        Thing::HalfRecord => {
            let whole = fs::read(record).unwrap_or_default();
            fs::write(record, &whole[..whole.len() / 2]).expect("a record can be written");
        }
        Thing::RecordContent => {
            let garbage = GARBAGE[skip as usize % GARBAGE.len()];
            fs::write(record, garbage).expect("a record can be written");
        }
        Thing::EngineData => {}
    }
}

/// Removes all that lies in a folder, which may be a mount point itself.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let done = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        done.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_of_blobs_let_manifests_and_heads_through() {
        let mut told = of_registry(Trouble::TornBlob);
        let blob = "/v2/wallet/blobs/sha256:00";
        assert!((told.is_it)("GET", blob) && !(told.is_it)("HEAD", blob));
        assert!(!(told.is_it)("GET", "/v2/wallet/manifests/stable"));
    }
}
