//! The socket at which an emulator finds its disk.
//!
//! Promise: [`DiskServer::cut`] and [`DiskServer::settle`] look at the disk only when nobody is
//! connected any more and all that was sent has been taken.

use super::chance::Chance;
use super::disk::{Counts, Disk, Lost};
use super::nbd::{locked, serve};
use crate::wait::wait_until;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time for what a dead client has sent to be taken: it lies in a socket's buffer.
const DRAIN_TIME: Duration = Duration::from_secs(60);

struct Shared {
    disk: Mutex<Disk>,
    clients: AtomicUsize,
    ends: AtomicBool,
}

/// A disk, served until dropped.
pub struct DiskServer {
    shared: Arc<Shared>,
    socket: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl DiskServer {
    /// Serves `disk` at `socket`, to one client after the other.
    ///
    /// # Panics
    /// When the socket can't be made.
    pub fn start(disk: Disk, socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)
            .unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        let shared = Arc::new(Shared {
            disk: Mutex::new(disk),
            clients: AtomicUsize::new(0),
            ends: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &own));
        Self { shared, socket: socket.to_owned(), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What was asked of the disk so far.
    pub fn counts(&self) -> Counts {
        locked(&self.shared.disk).counts()
    }

    /// The power goes; see [`Disk::cut`]. The client must be dead.
    ///
    /// # Panics
    /// When it is still connected, or the medium can't be written.
    pub fn cut(&self, chance: &mut Chance) -> Lost {
        self.wait_alone();
        locked(&self.shared.disk).cut(chance).expect("the medium can be written")
    }

    /// All that was written is safe, as after a shutdown that ended well.
    ///
    /// # Panics
    /// As [`DiskServer::cut`].
    pub fn settle(&self) {
        self.wait_alone();
        locked(&self.shared.disk).flush().expect("the medium can be written");
    }

    /// Writes the disk as it is to a file; see [`Disk::copy_to`].
    ///
    /// # Errors
    /// As the files say.
    pub fn copy_to(&self, file: &Path) -> io::Result<()> {
        locked(&self.shared.disk).copy_to(file)
    }

    fn wait_alone(&self) {
        wait_until(DRAIN_TIME, "the emulator to let go of its disk", || {
            // A client that connected and died at once may still wait to be accepted.
            self.shared.clients.load(Ordering::SeqCst) == 0
        });
    }
}

impl Drop for DiskServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        let woken = UnixStream::connect(&self.socket);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            // With a client still there it ends with that one.
            if self.shared.clients.load(Ordering::SeqCst) == 0 {
                let _ = thread.join();
            }
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn accept(listener: &UnixListener, shared: &Shared) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.ends.load(Ordering::SeqCst) {
            return;
        }
        shared.clients.fetch_add(1, Ordering::SeqCst);
        // How a client ends, killed for one, is its own affair.
        let _ = serve(stream, &shared.disk);
        shared.clients.fetch_sub(1, Ordering::SeqCst);
    }
}
