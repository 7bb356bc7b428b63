//! The service manager's side of its watchdog (sd_notify(3)): hears what the agent tells, and when.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);

/// Hears an agent that was started with [`Watchdog::environment`]; until it is dropped.
pub struct Watchdog {
    environment: Vec<String>,
    fed: Arc<Mutex<Vec<Instant>>>,
}

impl Watchdog {
    /// Listens at `socket`, a path that is free, for an agent that has to tell within `limit`.
    ///
    /// # Panics
    /// When there can be no socket.
    pub fn listen(socket: &Path, limit: Duration) -> Self {
        let heard = UnixDatagram::bind(socket).expect("the path is free");
        heard.set_read_timeout(Some(LOOK)).expect("a socket can be told to hurry");
        let environment = vec![
            format!("NOTIFY_SOCKET={}", socket.display()),
            format!("WATCHDOG_USEC={}", limit.as_micros()),
        ];
        let fed: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let kept = Arc::downgrade(&fed);
        std::thread::spawn(move || {
            let mut text = [0; 4096];
            while let Some(fed) = kept.upgrade() {
                match heard.recv(&mut text) {
                    Ok(size)
                        if text[..size]
                            .split(|c| *c == b'\n')
                            .any(|line| line == b"WATCHDOG=1") =>
                    {
                        fed.lock().expect("no thread died with it").push(Instant::now());
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        });
        Self { environment, fed }
    }

    /// What the service manager sets for its service.
    pub fn environment(&self) -> &[String] {
        &self.environment
    }

    /// The longest time without a word between `since` and now.
    pub fn longest_silence(&self, since: Instant) -> Duration {
        let fed = self.fed.lock().expect("no thread died with it").clone();
        let moments = fed.into_iter().filter(|at| *at > since).chain([Instant::now()]);
        let (longest, _) = moments.fold((Duration::ZERO, since), |(longest, last), at| {
            (longest.max(at.duration_since(last)), at)
        });
        longest
    }
}
