//! What can go wrong with the files of the state folder.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

use super::durable;

/// Why a file of the state folder was not read or written. The one before is then still whole.
#[derive(Debug)]
pub enum StoreError {
    /// A system call failed.
    Io {
        /// What was being done.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// A file of a newer agent: never touched.
    Newer {
        /// Which.
        path: PathBuf,
        /// Its format.
        schema: u32,
    },
    /// Another agent has the state folder.
    Locked {
        /// The state folder.
        path: PathBuf,
        /// Its process, as far as it is known.
        pid: Option<u32>,
    },
    /// More bytes than are read of such a file.
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// It can't be written as JSON.
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The thread that writes has ended.
    Gone,
}

impl StoreError {
    pub(super) fn io(act: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |error| Self::Io { act, path, error }
    }

    /// Whether the disk was full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { error, .. } if durable::is_full(error))
    }

    /// The reason to show, found at `at`.
    pub fn reason(&self, at: Timestamp) -> Reason {
        let code = match self {
            Self::Newer { .. } => Code::AgentTooOld,
            _ if self.is_disk_full() => Code::DiskLow,
            _ => Code::StateNotDurable,
        };
        Reason::new(code, Class::Environment, self.to_string(), self.hint(), at)
    }

    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { path, .. } if self.is_disk_full() => {
                format!("make room on the disk of {}", path.display())
            }
            Self::Io { path, .. } => format!(
                "look at the disk of {} (dmesg, mount, df -i); it is tried again",
                path.display()
            ),
            Self::Newer { .. } => "install the newer agent again".to_owned(),
            Self::Locked { pid: Some(pid), .. } => {
                format!(
                    "stop the other agent (process {pid}), or give this one another state folder"
                )
            }
            Self::Locked { pid: None, .. } => {
                "stop the other agent, or give this one another state folder".to_owned()
            }
            Self::TooLarge { path, .. } => format!("move {} away", path.display()),
            Self::Unwritable { .. } => String::new(),
            Self::Gone => "restart the agent".to_owned(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { act, path, error } => {
                write!(f, "could not {act} {}: {error}", path.display())
            }
            Self::Newer { path, schema } => write!(
                f,
                "{} is of a newer agent (schema {schema}): nothing of this app is changed",
                path.display()
            ),
            Self::Locked { path, pid } => {
                write!(f, "another agent runs on {}", path.display())?;
                pid.map_or(Ok(()), |pid| write!(f, ": process {pid}"))
            }
            Self::TooLarge { path, bytes_max } => {
                write!(f, "{} has more than {bytes_max} bytes", path.display())
            }
            Self::Unwritable { path, why } => {
                write!(f, "could not write {}: {why}", path.display())
            }
            Self::Gone => f.write_str("the thread that writes files has ended"),
        }
    }
}

impl std::error::Error for StoreError {}
