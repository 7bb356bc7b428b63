//! What a fault is: a value with a name, and which ends of an update are right after it.

use std::fmt::{self, Display};

/// See the head of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Programs are ended by SIGKILL and started again.
    Killed(Victim),
    /// An answer of the engine does not come as it should.
    Answer(Call, Loss),
    /// The registry does not do what it should.
    Registry(Trouble),
    /// A disk is full to the last block, for a while.
    Full(Disk),
    /// A person does something to a container.
    Person(Hand, Whose),
    /// A person's `docker image prune -a`.
    Pruned,
    /// Something is gone from a disk, or spoilt there.
    Lost(Thing),
}

/// What a release is like that is updated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It runs well.
    Good,
    /// Its probe says no.
    Unhealthy,
    /// It ends by itself soon after its start.
    Crashing,
}

impl Kind {
    /// Whether it must be rolled back.
    pub fn is_bad(self) -> bool {
        self != Self::Good
    }
}

/// What is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The agent.
    Agent,
    /// The agent, and again soon after its start.
    AgentTwice,
    /// The engine; its containers live on until it is back.
    Engine,
    /// Agent and engine.
    Both,
    /// What the engine runs containers with, alone.
    Containerd,
    /// All of it and every container, then another boot id.
    Power,
}

/// A call of the agent's to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Which containers are there.
    List,
    /// One container.
    Inspect,
    /// Which images are there.
    Images,
    /// Pull of an image.
    Pull,
    /// A tag of the agent's own.
    Tag,
    /// A file of an image, read before it is run.
    Archive,
    /// A container is made.
    Create,
    /// A container is started.
    Start,
    /// A container is stopped.
    Stop,
    /// A container is removed.
    Remove,
    /// A restart policy is given.
    Arm,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Done, and the connection ends without an answer.
    Cut,
    /// Done, and the answer comes some seconds later.
    Late,
    /// Done, and the answer comes when the agent no longer waits for it.
    TimedOut,
    /// The engine never hears of it.
    Dropped,
}

/// What a registry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 429 with Retry-After.
    Limits,
    /// 500.
    Fails,
    /// Ends connections.
    Away,
    /// Sends half of each blob.
    TornBlob,
    /// Sends blobs that their digest does not fit.
    SpoiltBlob,
    /// The same of manifests.
    SpoiltManifest,
    /// Sends half of each blob, the rest much later.
    Stalls,
}

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Of the volumes.
    Volumes,
    /// Of the agent's records.
    Records,
    /// Of the engine.
    Engine,
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// `docker rm -f`.
    Remove,
    /// `docker stop`.
    Stop,
    /// `docker start`.
    Start,
    /// `docker kill`.
    Kill,
}

/// To whose container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The release that is being replaced.
    Old,
    /// The one that is to come.
    New,
}

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// All that the engine had: images, containers, networks.
    EngineData,
    /// The app's record.
    Record,
    /// The record and the one before it.
    Records,
    /// The second half of the record.
    HalfRecord,
    /// What the record says: other bytes are there.
    RecordContent,
}

impl Fault {
    /// Outcomes that an update may have had before the last one, of its release.
    pub fn ends_before(self, kind: Kind) -> &'static [&'static str] {
        match self {
            // Killed twice, it may have missed two ends of a release that exits: the third start is the last one then, and who
            // is to blame is not known (DESIGN §4).
            Self::Killed(Victim::AgentTwice) if kind == Kind::Crashing => &["inconclusive"],
            Self::Killed(Victim::Agent | Victim::AgentTwice) => &[],
            // What does not fit its digest is not taken, and that is told once.
            Self::Registry(_) => &["refused"],
            // Without its record an agent may begin anew what it had under way.
            Self::Lost(_) => &["inconclusive", "abandoned"],
            _ => &["inconclusive"],
        }
    }

    /// Whether two containers of the app may run for a moment: until the agent looked at what a person did.
    pub fn may_run_two(self) -> bool {
        matches!(self, Self::Person(Hand::Start, _))
    }

    /// Whether it is of use with releases that become committed alone.
    pub fn wants_good(self) -> bool {
        matches!(self, Self::Answer(Call::Arm, _))
    }

    /// Whether it waits by itself for what it is about: then it is told before the update begins.
    pub fn is_armed(self) -> bool {
        matches!(self, Self::Answer(..) | Self::Registry(_))
    }

    /// Whether it is of use only when the new release has a container.
    pub fn wants_new(self) -> bool {
        matches!(self, Self::Person(_, Whose::New))
    }

    /// Whether it stays until it is healed, so that some time has to pass.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Answer(..) | Self::Registry(_) | Self::Full(_))
    }

    /// Whether images that are to be kept may be gone after it, for want of a container that runs them.
    pub fn may_lose_images(self) -> bool {
        matches!(self, Self::Pruned | Self::Lost(Thing::EngineData))
    }

    /// Whether the update may have no outcome to tell: of one whose record and the one before were lost between mark and
    /// record, the mark knows who is current or condemned, and no more.
    pub fn may_lose_outcome(self) -> bool {
        self == Self::Lost(Thing::Records)
    }
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::List,
        Self::Inspect,
        Self::Images,
        Self::Pull,
        Self::Tag,
        Self::Archive,
        Self::Create,
        Self::Start,
        Self::Stop,
        Self::Remove,
        Self::Arm,
    ];

    /// Whether this is it, by method and target.
    pub fn is(self, method: &str, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or_default();
        let ends = |how: &str, end: &str| method == how && path.ends_with(end);
        let of_containers = path.contains("/containers/");
        match self {
            Self::List => ends("GET", "/containers/json"),
            Self::Inspect => {
                ends("GET", "/json") && of_containers && !path.ends_with("/containers/json")
            }
            Self::Images => ends("GET", "/images/json"),
            Self::Pull => ends("POST", "/images/create"),
            Self::Tag => ends("POST", "/tag"),
            Self::Archive => ends("GET", "/archive"),
            Self::Create => ends("POST", "/containers/create") && target.contains("-g"),
            Self::Start => ends("POST", "/start") && of_containers,
            Self::Stop => ends("POST", "/stop"),
            // By force a throw-away one goes.
            Self::Remove => method == "DELETE" && of_containers && !target.contains("force=true"),
            Self::Arm => ends("POST", "/update"),
        }
    }

    /// Whether it is made over and over, so that any of them may be meant.
    pub fn is_frequent(self) -> bool {
        matches!(self, Self::List | Self::Inspect | Self::Images)
    }
}

impl Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Killed(victim) => out.write_str(match victim {
                Victim::Agent => "SIGKILL: agent",
                Victim::AgentTwice => "SIGKILL: agent, twice",
                Victim::Engine => "SIGKILL: engine",
                Victim::Both => "SIGKILL: agent and engine",
                Victim::Containerd => "SIGKILL: containerd",
                Victim::Power => "SIGKILL: all, and another boot",
            }),
            Self::Answer(call, loss) => {
                let call = format!("{call:?}").to_lowercase();
                match loss {
                    Loss::Cut => write!(out, "answer cut: {call}"),
                    Loss::Late => write!(out, "answer late: {call}"),
                    Loss::TimedOut => write!(out, "answer timed out: {call}"),
                    Loss::Dropped => write!(out, "request dropped: {call}"),
                }
            }
            Self::Registry(trouble) => out.write_str(match trouble {
                Trouble::Limits => "registry: 429 with Retry-After",
                Trouble::Fails => "registry: 500",
                Trouble::Away => "registry: connections end",
                Trouble::TornBlob => "registry: blobs cut short",
                Trouble::SpoiltBlob => "registry: blobs of another digest",
                Trouble::SpoiltManifest => "registry: manifests of another digest",
                Trouble::Stalls => "registry: blobs stall",
            }),
            Self::Full(disk) => out.write_str(match disk {
                Disk::Volumes => "disk full: volumes",
                Disk::Records => "disk full: records",
                Disk::Engine => "disk full: engine",
            }),
            Self::Person(hand, whose) => {
                let whose = format!("{whose:?}").to_lowercase();
                match hand {
                    Hand::Remove => write!(out, "person: rm -f {whose}"),
                    Hand::Stop => write!(out, "person: stop {whose}"),
                    Hand::Start => write!(out, "person: start {whose}"),
                    Hand::Kill => write!(out, "person: kill {whose}"),
                }
            }
            Self::Pruned => out.write_str("person: image prune -a"),
            Self::Lost(thing) => out.write_str(match thing {
                Thing::EngineData => "lost: all the engine had",
                Thing::Record => "lost: record",
                Thing::Records => "lost: record and the one before",
                Thing::HalfRecord => "lost: half of the record",
                Thing::RecordContent => "lost: content of the record",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_records_lost_may_leave_an_update_without_an_outcome() {
        assert!(Fault::Lost(Thing::Records).may_lose_outcome());
        for thing in [Thing::EngineData, Thing::Record, Thing::HalfRecord, Thing::RecordContent] {
            assert!(!Fault::Lost(thing).may_lose_outcome(), "{thing:?}");
        }
    }

    #[test]
    fn calls_are_told_apart_by_method_and_target() {
        for (call, method, target) in [
            (Call::List, "GET", "/v1.41/containers/json?all=1"),
            (Call::Inspect, "GET", "/v1.41/containers/abc/json"),
            (Call::Images, "GET", "/v1.41/images/json?filters=x"),
            (Call::Pull, "POST", "/v1.41/images/create?fromImage=x"),
            (Call::Tag, "POST", "/v1.41/images/abc/tag?repo=x"),
            (Call::Archive, "GET", "/v1.41/containers/abc/archive?path=x"),
            (Call::Create, "POST", "/v1.41/containers/create?name=wallet-g2"),
            (Call::Start, "POST", "/v1.41/containers/abc/start"),
            (Call::Stop, "POST", "/v1.41/containers/abc/stop?t=1"),
            (Call::Remove, "DELETE", "/v1.41/containers/abc?force=false"),
            (Call::Arm, "POST", "/v1.41/containers/abc/update"),
        ] {
            let found: Vec<Call> =
                Call::ALL.into_iter().filter(|one| one.is(method, target)).collect();
            assert_eq!(found, [call], "{method} {target}");
        }
    }
}
