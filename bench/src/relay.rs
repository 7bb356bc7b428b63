//! A relay before the engine's socket, in a process of its own.
//!
//! Promise: bytes go through as they are. In a pid namespace of its own it hides from the agent how the engine counts
//! processes, as an engine in another namespace does: no container's end is seen there before the engine tells it. The
//! product has no switch for that.

use harness::wait_until;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// The word by which this program is told to be one.
pub const WORD: &str = "relay";

/// A started relay; it ends when dropped.
pub struct Relay {
    front: PathBuf,
    child: Child,
}

impl Relay {
    /// Listens at `front` and asks `back`.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(front: &Path, back: &Path, is_hidden: bool) -> Self {
        let own = std::env::current_exe().expect("a program knows where it lies");
        let mut command = if is_hidden {
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--kill-child"]).arg(own);
            command
        } else {
            Command::new(own)
        };
        let child = command.arg(WORD).arg(front).arg(back).spawn().expect("unshare is there");
        let relay = Self { front: front.to_owned(), child };
        wait_until(Duration::from_secs(10), "the relay", || relay.front.exists());
        relay
    }

    /// Where it listens.
    pub fn front(&self) -> &Path {
        &self.front
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is one, for ever.
///
/// # Panics
/// When it can't listen.
pub fn serve(front: &Path, back: &Path) {
    let listener = UnixListener::bind(front).expect("the folder is the board's own");
    for front in listener.incoming().flatten() {
        let Ok(back) = UnixStream::connect(back) else { continue };
        let pairs = [(front.try_clone(), back.try_clone()), (Ok(back), Ok(front))];
        for (from, to) in pairs {
            if let (Ok(from), Ok(to)) = (from, to) {
                std::thread::spawn(move || pass(from, to));
            }
        }
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream) {
    let mut block = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut block) {
        if to.write_all(&block[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
