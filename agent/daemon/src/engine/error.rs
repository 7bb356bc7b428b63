//! What can go wrong with the engine, and whose fault it is.
//!
//! Promise: a caller never has to read an engine's prose: [`Refusal`] says what was refused.

use std::fmt;
use std::path::PathBuf;

use titania_core::reason::{Class, Code, Reason};
use titania_core::time::{SET_CLOCK, Timestamp};

use super::refusal;

/// Why a call to the engine did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The socket does not connect: nothing was sent, nothing happened.
    Away {
        /// The socket.
        socket: PathBuf,
        /// What the kernel said.
        detail: String,
    },
    /// The socket may not be opened: nothing happened.
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// No whole answer came. It may have happened: look again.
    Unknown {
        /// What was asked.
        act: String,
        /// How it broke.
        detail: String,
    },
    /// The engine can't be worked with.
    Unsupported {
        /// Its version.
        version: String,
        /// What is missing.
        why: String,
    },
    /// What was named is not there.
    NoSuch {
        /// What was asked.
        act: String,
        /// The engine's words.
        message: String,
    },
    /// Something is there, or in a state, that forbids it.
    Conflict {
        /// What was asked.
        act: String,
        /// The engine's words.
        message: String,
    },
    /// The engine said no.
    Refused {
        /// What was asked.
        act: String,
        /// What it said no to.
        refusal: Refusal,
        /// The engine's words.
        message: String,
    },
    /// An answer came that can't be read: too large, or not in the engine's own format.
    Garbled {
        /// What was asked.
        act: String,
        /// What is wrong with the answer.
        detail: String,
    },
}

/// What the engine said no to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Entry point, its rights, the user: what is in the image.
    NotRunnable,
    /// A published port has another owner.
    PortInUse,
    /// A device is not there.
    DeviceMissing,
    /// The source of a mount is not there, or can't be mounted.
    MountMissing,
    /// The network is not there.
    NetworkMissing,
    /// The image is not there.
    ImageMissing,
    /// A value of the definition.
    Definition,
    /// No space on the engine's disk.
    DiskFull,
    /// The registry does not know the manifest.
    ManifestMissing,
    /// The registry wants other credentials.
    RegistryDenied,
    /// The registry wants to be asked later.
    RateLimited,
    /// The registry did not answer the engine.
    RegistryUnreachable,
    /// The registry's certificate begins later than now, by the board's clock.
    ClockBehind,
    /// What arrived is not what was promised.
    DigestMismatch,
    /// Anything else.
    Engine,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { socket, detail } => {
                write!(f, "the engine does not answer on {}: {detail}", socket.display())
            }
            Self::Denied { socket } => {
                write!(f, "the engine's socket {} may not be opened", socket.display())
            }
            Self::Unknown { act, detail } => {
                write!(f, "no whole answer came to \"{act}\" ({detail}): it may have happened")
            }
            Self::Unsupported { version, why } => {
                write!(f, "engine {version} can't be worked with: {why}")
            }
            Self::NoSuch { act, message } | Self::Conflict { act, message } => {
                write!(f, "{act}: {message}")
            }
            Self::Refused { act, message, .. } => write!(f, "{act} was refused: {message}"),
            Self::Garbled { act, detail } => {
                write!(f, "the engine's answer to \"{act}\" can't be read: {detail}")
            }
        }
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// Whether nothing was sent: the engine is not there for us.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Denied { .. })
    }

    /// Whether it may have happened.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// What was refused, where it was.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// Whether a start was refused since containerd has a task, or a container, of that id already.
    pub fn is_of_taken_id(&self) -> bool {
        let words = |message: &str| {
            message.contains("id already in use")
                || message.contains("task ") && message.contains("already exists")
        };
        matches!(self, Self::Refused { refusal: Refusal::Engine, message, .. } if words(message))
    }

    /// The port of the board that a start was refused for because the engine's own list of ports has it; null where
    /// another program has it.
    pub fn allocated_port(&self) -> Option<u16> {
        match self {
            Self::Refused { refusal: Refusal::PortInUse, message, .. } => {
                refusal::allocated_port(message)
            }
            _ => None,
        }
    }

    /// The failure as a reason: code, class, words, hint.
    pub fn reason(&self, at: Timestamp) -> Reason {
        let (code, class, hint) = match self {
            Self::Away { .. } => (
                Code::EngineAway,
                Class::Environment,
                "see whether the engine's service runs: systemctl status docker",
            ),
            Self::Denied { .. } => (
                Code::EngineAway,
                Class::Environment,
                "start the agent by its packaged unit, which has the right to open it (CAP_DAC_OVERRIDE), or let its group",
            ),
            Self::Unknown { .. } => (Code::EngineError, Class::Environment, ""),
            Self::Unsupported { .. } => (
                Code::EngineError,
                Class::Environment,
                "install Docker Engine 18.03 or newer, or Podman 4 or newer",
            ),
            Self::Refused { refusal, .. } => refusal.blame(),
            Self::NoSuch { .. } | Self::Conflict { .. } | Self::Garbled { .. } => (
                Code::EngineError,
                Class::Environment,
                "see the engine's log: journalctl -u docker",
            ),
        };
        Reason::new(code, class, self.to_string(), hint, at)
    }
}

impl Refusal {
    /// Code, class and hint (§3.5): a start refused for what is in the image is the release's own fault.
    fn blame(self) -> (Code, Class, &'static str) {
        use Class::{Config, Environment, Release};
        match self {
            Self::NotRunnable => (
                Code::NotRunnable,
                Release,
                "the image's entry point or user can't be started; a corrected release is taken by itself",
            ),
            Self::PortInUse => (
                Code::PortInUse,
                Environment,
                "find who has the port: ss -ltnp; or publish another one in the definition",
            ),
            Self::DeviceMissing => (
                Code::DeviceMissing,
                Environment,
                "plug the device in, load its driver, or take it out of the definition",
            ),
            Self::MountMissing => (
                Code::VolumesMissing,
                Environment,
                "mount the disk that holds the folder, or correct its path in the definition",
            ),
            Self::NetworkMissing => (
                Code::EngineError,
                Environment,
                "make the network: docker network create NAME; or name another one in the definition",
            ),
            Self::ImageMissing => {
                (Code::ImageMissing, Environment, "it is fetched again when a registry has it")
            }
            Self::Definition => (
                Code::ConfigInvalid,
                Config,
                "correct the value in the app's definition, then: systemctl reload titania-agent",
            ),
            Self::DiskFull => (Code::DiskLow, Environment, "make room on the engine's disk"),
            Self::ManifestMissing => (
                Code::ImageMissing,
                Environment,
                "the registry no longer has this manifest: push it again",
            ),
            Self::RegistryDenied => (
                Code::RegistryDenied,
                Environment,
                "give the registry's user and password in [[registry]] of agent.toml",
            ),
            Self::RateLimited => (
                Code::RateLimited,
                Environment,
                "it is tried again later; a login raises the limit",
            ),
            Self::RegistryUnreachable => (
                Code::RegistryUnreachable,
                Environment,
                "see whether the board reaches the registry, and the engine's own proxy and CA settings",
            ),
            Self::ClockBehind => (Code::ClockUnsynced, Environment, SET_CLOCK),
            Self::DigestMismatch => (Code::DigestMismatch, Environment, "it is fetched again"),
            Self::Engine => {
                (Code::EngineError, Environment, "see the engine's log: journalctl -u docker")
            }
        }
    }
}
