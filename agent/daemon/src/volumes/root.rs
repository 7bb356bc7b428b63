//! Whose board it is (DESIGN §3.4): the id at the volume root against the one in the state folder.
//!
//! Promise: below a root that is not the board's own, or may be the mere mount point of one, nothing is made.
//! A new id is at the root before the caller can write it to the state folder, so that a crash between the two
//! is a state folder without an id, which is taken over.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use titania_core::names::InstanceId;
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

use super::error::VolumesError;
use super::files;
use super::mounted::{Unmounted, unmounted_above};
use super::paths::System;
use crate::store::durable;

/// The file at the root that holds the id.
pub const ID_FILE: &str = ".titania-volumes";

/// An id has 36 characters and a newline; what is longer is none.
const ID_BYTES_MAX: u64 = 64;

/// What was found, and done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootState {
    /// It is the board's own.
    Ready(InstanceId),
    /// The state folder was lost; the root's id goes on. To be written to the state folder.
    TakenOver(InstanceId),
    /// A new board: the root has the id now. To be written to the state folder.
    New(InstanceId),
    /// The volumes are not there: every app is blocked, nothing is made.
    Missing {
        /// The root.
        root: PathBuf,
        /// How that is known.
        why: WhyMissing,
    },
    /// Root and state folder are of different boards.
    Foreign {
        /// The root.
        root: PathBuf,
        /// Id in the state folder.
        state: InstanceId,
        /// Id at the root.
        found: InstanceId,
    },
}

/// How it is known that the volumes are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyMissing {
    /// The state folder has an id, the root has none.
    NoId,
    /// The file of the id at the root holds none.
    DamagedId,
    /// Neither has one, but containers have.
    Containers,
    /// Neither has one, and something is to be mounted there.
    Unmounted(Unmounted),
}

impl RootState {
    /// The id, where the volumes may be used.
    pub fn id(&self) -> Option<&InstanceId> {
        match self {
            Self::Ready(id) | Self::TakenOver(id) | Self::New(id) => Some(id),
            Self::Missing { .. } | Self::Foreign { .. } => None,
        }
    }

    /// Why every app is blocked; null when none is.
    pub fn reason(&self, at: Timestamp) -> Option<Reason> {
        let (code, message, hint) = match self {
            Self::Ready(_) | Self::TakenOver(_) | Self::New(_) => return None,
            Self::Missing { root, why } => {
                let root = root.display();
                let mut hint = format!("mount the disk of {root}");
                let message = match why {
                    WhyMissing::NoId => format!("{root} holds no volumes of this board"),
                    WhyMissing::DamagedId => format!("{root}/{ID_FILE} holds no id"),
                    WhyMissing::Containers => format!(
                        "{root} holds no volumes, though containers of an agent are here"
                    ),
                    WhyMissing::Unmounted(Unmounted { folder, named_by }) => format!(
                        "{} is to be mounted by {}, and is not",
                        folder.display(),
                        named_by.display()
                    ),
                };
                let _infallible = write!(
                    hint,
                    "; if it shall begin anew as it is, with empty volumes: agentctl adopt"
                );
                (Code::VolumesMissing, message, hint)
            }
            Self::Foreign { root, state, found } => (
                Code::VolumesForeign,
                format!(
                    "{} holds the volumes of another board: {}, this one is {}",
                    root.display(),
                    found.0,
                    state.0
                ),
                "mount this board's own disk; if these volumes shall be its own from now on: agentctl adopt"
                    .to_owned(),
            ),
        };
        Some(Reason::new(code, Class::Environment, message, hint, at))
    }
}

enum IdFile {
    Absent,
    Damaged,
    Holds(InstanceId),
}

/// Looks at the root and settles what can be settled without a person. `labelled`: has any container, of whatever
/// instance, an instance label.
///
/// # Errors
/// The root can't be read or, for a new id, written.
pub fn settle(
    root: &Path,
    system: &System,
    state: Option<&InstanceId>,
    labelled: bool,
    fresh: InstanceId,
) -> Result<RootState, VolumesError> {
    let missing = |why| {
        let root = root.to_owned();
        Ok(RootState::Missing { root, why })
    };
    match (state, read_id(root)?) {
        (_, IdFile::Damaged) => missing(WhyMissing::DamagedId),
        (Some(state), IdFile::Holds(found)) if *state == found => Ok(RootState::Ready(found)),
        (Some(state), IdFile::Holds(found)) => {
            Ok(RootState::Foreign { root: root.to_owned(), state: state.clone(), found })
        }
        (Some(_), IdFile::Absent) => missing(WhyMissing::NoId),
        (None, IdFile::Holds(found)) => Ok(RootState::TakenOver(found)),
        (None, IdFile::Absent) if labelled => missing(WhyMissing::Containers),
        (None, IdFile::Absent) => match unmounted_above(system, root)? {
            Some(unmounted) => missing(WhyMissing::Unmounted(unmounted)),
            None => {
                write_id(root, &fresh)?;
                Ok(RootState::New(fresh))
            }
        },
    }
}

/// A person settles it: the state folder's id, else the containers', else the root's, else `fresh` is written to
/// the root and returned. Of containers of several instances, the root's own is taken where it is among them, else
/// the first.
///
/// # Errors
/// The root can't be written.
pub fn adopt(
    root: &Path,
    state: Option<&InstanceId>,
    containers: &[InstanceId],
    fresh: InstanceId,
) -> Result<InstanceId, VolumesError> {
    let found = match read_id(root) {
        Ok(IdFile::Holds(id)) => Some(id),
        _ => None,
    };
    let of_containers =
        containers.iter().find(|id| Some(*id) == found.as_ref()).or(containers.first());
    let id = state.or(of_containers).cloned().or(found).unwrap_or(fresh);
    write_id(root, &id)?;
    Ok(id)
}

fn read_id(root: &Path) -> Result<IdFile, VolumesError> {
    let path = root.join(ID_FILE);
    match fs::symlink_metadata(&path) {
        Err(e) if is_absent(&e) => return Ok(IdFile::Absent),
        Ok(seen) if !seen.is_file() || seen.len() > ID_BYTES_MAX => return Ok(IdFile::Damaged),
        _ => {}
    }
    let Some(bytes) = files::read(&path, ID_BYTES_MAX)? else {
        return Ok(IdFile::Absent);
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(InstanceId::read(&text).map_or(IdFile::Damaged, IdFile::Holds))
}

/// No folder at the root at all, or something else there, is as absent as an empty one.
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

fn write_id(root: &Path, id: &InstanceId) -> Result<(), VolumesError> {
    if !root.is_dir() {
        make_root(root)?;
    }
    let path = root.join(ID_FILE);
    durable::replace(&path, format!("{}\n", id.0).as_bytes(), 0o644)
        .map_err(VolumesError::std("write", &path))
}

/// Others pass through to what is theirs, whatever the umask was.
fn make_root(root: &Path) -> Result<(), VolumesError> {
    let missing: Vec<&Path> = root.ancestors().take_while(|folder| !folder.is_dir()).collect();
    for folder in missing.into_iter().rev() {
        durable::create_folder(folder, 0o755).map_err(VolumesError::std("make", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
