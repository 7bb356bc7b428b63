//! What the engine did with an app's containers, heard from its events the whole time.
//!
//! Promise: nothing between two kills of the engine is missed: it keeps more events than one update causes, and
//! they are asked for from its start on. A container does not outlive the engine's next start.

use crate::container::{LABEL_APP, LABEL_GENERATION};
use crate::vm::Act;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two tries to reach an engine, and two looks whether the listener is still wanted.
const PAUSE: Duration = Duration::from_millis(20);

struct Heard {
    app: String,
    socket: PathBuf,
    /// Acts of each life of the engine.
    lives: Mutex<Vec<Vec<Act>>>,
    ends: AtomicBool,
}

/// The listener; it ends when dropped.
pub struct Acts {
    heard: Arc<Heard>,
}

impl Acts {
    /// Listens from now on.
    pub fn listen(socket: &Path, app: &str) -> Self {
        let heard = Arc::new(Heard {
            app: app.to_owned(),
            socket: socket.to_owned(),
            lives: Mutex::default(),
            ends: false.into(),
        });
        let own = Arc::clone(&heard);
        std::thread::spawn(move || {
            let (_kept, never) = mpsc::channel::<()>();
            while !own.ends.load(Ordering::Relaxed) {
                // The engine is away for as long as the case likes.
                let _ = own.hear();
                let _ = never.recv_timeout(PAUSE);
            }
        });
        Self { heard }
    }

    /// Acts of each life of the engine since the last [`Acts::settle`].
    pub fn lives(&self) -> Vec<Vec<Act>> {
        self.heard.lives().clone()
    }

    /// How many acts were heard since then.
    pub fn count(&self) -> usize {
        self.heard.lives().iter().map(Vec::len).sum()
    }

    /// All that was heard is done with; `generation` runs.
    pub fn settle(&self, generation: u64) {
        let running = Act { action: "start".to_owned(), generation };
        let mut lives = self.heard.lives();
        lives.clear();
        lives.push(vec![running]);
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        self.heard.ends.store(true, Ordering::Relaxed);
    }
}

impl Heard {
    fn lives(&self) -> MutexGuard<'_, Vec<Vec<Act>>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One life of the engine.
    fn hear(&self) -> io::Result<()> {
        let mut stream = UnixStream::connect(&self.socket)?;
        // HTTP/1.0: the answer comes without transfer coding, to the end of the connection.
        stream.write_all(b"GET /events?since=0 HTTP/1.0\r\nHost: engine\r\n\r\n")?;
        stream.set_read_timeout(Some(PAUSE))?;
        let (mut bytes, mut block) = (Vec::new(), [0; 4096]);
        let mut is_begun = false;
        while !self.ends.load(Ordering::Relaxed) {
            let size = match stream.read(&mut block) {
                Ok(0) => break,
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            bytes.extend_from_slice(&block[..size]);
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                let Some(act) = self.act(&line) else {
                    continue;
                };
                let mut lives = self.lives();
                if !is_begun {
                    lives.push(Vec::new());
                }
                is_begun = true;
                if let Some(life) = lives.last_mut() {
                    life.push(act);
                }
            }
        }
        Ok(())
    }

    fn act(&self, line: &[u8]) -> Option<Act> {
        let event: Value = serde_json::from_slice(line).ok()?;
        let labels = &event["Actor"]["Attributes"];
        let action = event["Action"].as_str()?;
        let is_of_interest = event["Type"] == "container"
            && labels[LABEL_APP] == self.app.as_str()
            && ["start", "die"].contains(&action);
        let generation = labels[LABEL_GENERATION].as_str()?.parse().ok()?;
        is_of_interest.then(|| Act { action: action.to_owned(), generation })
    }
}
