//! The socket's file: its folder, its owner, its mode.
//!
//! Promise: nobody can connect before group and mode are right; another agent's socket is not taken away, a stale one is.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use tokio::net::UnixListener;

use super::server::BACKLOG;

/// Read and write for owner and group: to connect is to write.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug)]
pub enum SocketError {
    /// Something else has its name.
    NotASocket(PathBuf),
    /// Somebody answers there.
    InUse(PathBuf),
    /// It, or its folder, can't be made.
    Make(PathBuf, io::Error),
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASocket(path) => {
                write!(f, "{} is no socket: move it away, or set [paths] socket", path.display())
            }
            Self::InUse(path) => {
                write!(f, "another agent answers at {}: stop it first", path.display())
            }
            Self::Make(path, error) => {
                write!(f, "the control socket {} can't be made: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for SocketError {}

/// Makes the folder where it is missing, removes a stale socket, and listens at `path` with mode 0660, owned by
/// `group` if there is one of that name. Must be called on a runtime.
///
/// # Errors
/// See [`SocketError`].
pub fn listen(path: &Path, group: &str) -> Result<UnixListener, SocketError> {
    let failed = |error: io::Error| SocketError::Make(path.into(), error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    clear(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|error| failed(error.into()))?;
    let address = SocketAddrUnix::new(path).map_err(|error| failed(error.into()))?;
    bind(&socket, &address).map_err(|error| failed(error.into()))?;
    // Until `listen` every connection is refused, so owner and mode come first.
    match Group::from_name(group) {
        Ok(Some(group)) => {
            if let Err(error) = chown(path, None, Some(group.gid.as_raw())) {
                log::warn!("{} stays with its group: {error}", path.display());
            }
        }
        Ok(None) => log::info!("there is no group {group}: only root can read {}", path.display()),
        Err(error) => log::warn!("group {group} can't be looked up: {error}"),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(MODE)).map_err(failed)?;
    rustix::net::listen(&socket, BACKLOG).map_err(|error| failed(error.into()))?;
    UnixListener::from_std(StdListener::from(socket)).map_err(failed)
}

/// Removes a socket at which nobody answers.
fn clear(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SocketError::Make(path.into(), error)),
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::NotASocket(path.into())),
        Ok(_) if StdStream::connect(path).is_ok() => Err(SocketError::InUse(path.into())),
        Ok(_) => fs::remove_file(path).map_err(|error| SocketError::Make(path.into(), error)),
    }
}
