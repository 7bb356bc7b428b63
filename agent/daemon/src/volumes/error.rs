//! What can go wrong with volumes, and what a person can do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use titania_core::names::{AppName, Generation};
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

/// Why something with volumes was not done. Nothing was started on half a thing: each act can be done again.
#[derive(Debug)]
pub enum VolumesError {
    /// A system call failed.
    Io {
        /// What was being done: "make", "read", "copy" …
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// Sources of the app's mounts that are not there, each with what is wrong.
    SourcesMissing(Vec<MissingSource>),
    /// A container path that can't be the name of a folder.
    NoKey {
        /// The path.
        path: String,
        /// Why not.
        why: &'static str,
    },
    /// A file of a newer agent.
    Newer {
        /// Which.
        path: PathBuf,
        /// Its format.
        schema: u32,
    },
    /// A fork without a readable file, where one is needed.
    NoForkFile {
        /// App.
        app: AppName,
        /// Its number.
        generation: Generation,
    },
    /// The parent's folder is not there or not complete, so there is nothing to copy.
    NoParent {
        /// App.
        app: AppName,
        /// The parent's number.
        parent: Generation,
    },
    /// A fork that carries a mark is never reserved again.
    Marked {
        /// App.
        app: AppName,
        /// Its number.
        generation: Generation,
    },
    /// Folders nested too deep to be walked.
    TooDeep {
        /// The first that is too deep.
        path: PathBuf,
        /// The limit.
        depth_max: usize,
    },
    /// More entries than are read of one folder of the agent's own.
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The limit.
        entries_max: usize,
    },
    /// What the image ships is more than is seeded.
    SeedTooLarge {
        /// Container path.
        path: String,
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// The archive of a seed can't be read, or is not what the engine should have sent.
    BadSeed {
        /// Container path.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Every uid of the pool is taken.
    PoolEmpty,
    /// Nobody waited for it any more.
    Cancelled,
    /// A disk did not answer in time; what was asked may still happen.
    NoAnswer {
        /// What was asked.
        act: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
}

/// One source that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSource {
    /// Path on the board.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Absence,
}

/// What is wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is nothing.
    Nothing,
    /// It is a symbolic link: the engine would follow it, anew at each start.
    Link,
    /// It, or what it lies in, is no folder.
    NoFolder,
    /// Nothing is mounted on it.
    NotMounted,
    /// It can't be looked at.
    Unreadable,
}

impl VolumesError {
    /// A failed system call.
    pub(super) fn io(
        act: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.as_ref().to_owned();
        move |errno| Self::Io { act, path, error: errno.into() }
    }

    /// A failed call of the standard library.
    pub(super) fn std(act: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |error| Self::Io { act, path, error }
    }

    /// Whether a disk was full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { error, .. }
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// The reason to show, found at `at`.
    pub fn reason(&self, at: Timestamp) -> Reason {
        let (code, class) = match self {
            Self::Io { .. } if self.is_disk_full() => (Code::DiskLow, Class::Environment),
            Self::SourcesMissing(_) => (Code::VolumesMissing, Class::Environment),
            Self::NoKey { .. } => (Code::ConfigInvalid, Class::Config),
            Self::Newer { .. } => (Code::AgentTooOld, Class::Environment),
            Self::PoolEmpty => (Code::NotOwned, Class::Environment),
            _ => (Code::ForkFailed, Class::Environment),
        };
        Reason::new(code, class, self.to_string(), self.hint(), at)
    }

    /// What a person can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { path, .. } if self.is_disk_full() => {
                format!("make room on the disk of {}", path.display())
            }
            Self::Io { path, error, .. } if error.kind() == io::ErrorKind::CrossesDevices => {
                format!("something is mounted there: umount {}; it is tried again", path.display())
            }
            Self::Io { path, .. } => format!(
                "look at the disk of {} (dmesg, mount, df -i); it is tried again",
                path.display()
            ),
            Self::SourcesMissing(all) => {
                all.iter().map(MissingSource::hint).collect::<Vec<_>>().join("; ")
            }
            Self::NoKey { .. } => "choose another path in [volumes]".to_owned(),
            Self::Newer { .. } => "install the newer agent again".to_owned(),
            Self::NoForkFile { app, generation } => format!(
                "bring back state/{generation}.json of {app}, or let the next update make a new fork"
            ),
            Self::NoParent { app, parent } => {
                format!("bring back the folder state/{parent} of {app}, as it was, from a copy")
            }
            Self::TooDeep { .. } => "flatten the folders inside the volume".to_owned(),
            Self::TooMany { path, .. } => {
                format!("find out what fills {} and remove it", path.display())
            }
            Self::SeedTooLarge { path, .. } => {
                format!("put what {path} shall hold into its volume by hand before the first start")
            }
            Self::PoolEmpty => "give the app a uid of its own: user = <number>".to_owned(),
            Self::NoAnswer { .. } => "look at the disks: one of them hangs".to_owned(),
            Self::Marked { .. } | Self::Cancelled | Self::BadSeed { .. } => String::new(),
        }
    }
}

impl MissingSource {
    fn hint(&self) -> String {
        let path = self.path.display();
        match self.why {
            Absence::Nothing => format!("make {path}, or mount what it lies on"),
            Absence::Link => {
                format!("name what {path} points to in the definition, not the link")
            }
            Absence::NoFolder => format!("make {path} a folder"),
            Absence::NotMounted => format!("mount {path}"),
            Absence::Unreadable => format!("look at the disk of {path}"),
        }
    }
}

impl fmt::Display for MissingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.why {
            Absence::Nothing => write!(f, "{path} does not exist"),
            Absence::Link => write!(f, "{path} is a symbolic link"),
            Absence::NoFolder => write!(f, "{path} is no folder"),
            Absence::NotMounted => write!(f, "nothing is mounted on {path}"),
            Absence::Unreadable => write!(f, "{path} can't be looked at"),
        }
    }
}

impl fmt::Display for VolumesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { act, path, error } => {
                write!(f, "could not {act} {}: {error}", path.display())
            }
            Self::SourcesMissing(all) => {
                for (place, source) in all.iter().enumerate() {
                    if place > 0 {
                        f.write_str("; ")?;
                    }
                    source.fmt(f)?;
                }
                Ok(())
            }
            Self::NoKey { path, why } => {
                write!(f, "\"{path}\" can't be the path of a volume: {why}")
            }
            Self::Newer { path, schema } => write!(
                f,
                "{} is of a newer agent (schema {schema}): nothing of this app is changed",
                path.display()
            ),
            Self::NoForkFile { app, generation } => {
                write!(f, "fork {generation} of {app} has no readable file")
            }
            Self::NoParent { app, parent } => {
                write!(f, "fork {parent} of {app}, to be copied, is not there or not complete")
            }
            Self::Marked { app, generation } => {
                write!(f, "fork {generation} of {app} was used before")
            }
            Self::TooDeep { path, depth_max } => {
                write!(f, "{} lies more than {depth_max} folders deep", path.display())
            }
            Self::TooMany { path, entries_max } => {
                write!(f, "{} holds more than {entries_max} entries", path.display())
            }
            Self::SeedTooLarge { path, bytes_max } => {
                write!(f, "the image ships more than {bytes_max} bytes or too many files at {path}")
            }
            Self::BadSeed { path, why } => {
                write!(f, "what the image ships at {path} can't be read: {why}")
            }
            Self::PoolEmpty => f.write_str("every uid of the pool 70000 to 79999 is taken"),
            Self::Cancelled => f.write_str("ended early: it is no longer waited for"),
            Self::NoAnswer { act, seconds } => {
                write!(f, "{act}: no answer from the disk within {seconds} s")
            }
        }
    }
}

impl std::error::Error for VolumesError {}
