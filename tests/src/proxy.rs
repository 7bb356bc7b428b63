//! A proxy between a client and an HTTP server, which meddles with the calls that it was told to.
//!
//! Promise: what it was not told to meddle with goes through byte for byte; of what it meddles with it is
//! known how often ([`Proxy::met`]). [`Proxy::heal`] ends all meddling and lets go of what is held.
//! Trusts both sides: they are the tests' own.

use crate::hostile::Reply;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest head of a request or an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest answer that is kept in memory, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// First byte of a client that wants TLS (RFC 8446, section 5.1: a record of handshake).
const TLS_HANDSHAKE: u8 = 22;
/// What a server without TLS tells one: engines then go on without.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
/// Longest time that anything is held, also when nobody heals.
const HOLD_MAX: Duration = Duration::from_secs(180);

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The server never hears of it: the connection ends.
    Dropped,
    /// The server does it; its answer is thrown away and the connection ends.
    Cut,
    /// The server does it; its answer comes when healed.
    Held,
    /// The server is not asked: this is the answer.
    Answered(Reply),
    /// Half of the answer's body, then the connection ends.
    Torn,
    /// A byte in the middle of the answer's body is another one.
    Spoilt,
    /// Half of the answer's body; the rest comes when healed.
    Stalled,
}

/// Tells by method and target whether a call is meant.
pub type IsIt = Box<dyn FnMut(&str, &str) -> bool + Send>;

/// Which calls, and what becomes of them.
pub struct Meddling {
    /// Which ones.
    pub is_it: IsIt,
    /// What becomes of them.
    pub fate: Fate,
    /// How many calls; others go through.
    pub times: u32,
}

#[derive(Default)]
struct State {
    meddling: Option<Meddling>,
    met: u32,
    /// Counts the healings.
    healed: u64,
}

struct Shared {
    state: Mutex<State>,
    on_heal: Condvar,
    ends: AtomicBool,
}

/// Where a proxy listens or what it stands before.
#[derive(Debug, Clone)]
pub enum Side {
    /// Address and port.
    Tcp(SocketAddr),
    /// Path of a socket.
    Unix(PathBuf),
}

/// The proxy; it ends when dropped.
pub struct Proxy {
    front: Side,
    shared: Arc<Shared>,
}

/// A connection of either kind.
trait Wire: Read + Write + Send {
    fn other(&self) -> io::Result<Box<dyn Wire>>;
    fn close(&self, how: Shutdown);
}

impl Wire for TcpStream {
    fn other(&self) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(self.try_clone()?))
    }
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

impl Wire for UnixStream {
    fn other(&self) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(self.try_clone()?))
    }
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

impl Side {
    fn connect(&self) -> io::Result<Box<dyn Wire>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address)?),
            Self::Unix(path) => Box::new(UnixStream::connect(path)?),
        })
    }
}

impl Proxy {
    /// Listens at `front` and asks `back`.
    ///
    /// # Panics
    /// When it can't listen there.
    pub fn start(front: Side, back: Side) -> Self {
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, on_heal: Condvar::new(), ends: false.into() });
        let own = Arc::clone(&shared);
        match &front {
            Side::Tcp(address) => {
                let listener = TcpListener::bind(address).expect("the port is the board's own");
                std::thread::spawn(move || {
                    accept(listener.incoming().map(|one| one.map(boxed)), &own, &back)
                });
            }
            Side::Unix(path) => {
                let listener = UnixListener::bind(path).expect("the path is the board's own");
                std::thread::spawn(move || {
                    accept(listener.incoming().map(|one| one.map(boxed)), &own, &back)
                });
            }
        }
        Self { front, shared }
    }

    /// From now on meddles so; what was told before no longer holds.
    pub fn meddle(&self, meddling: Meddling) {
        let mut state = self.shared.state();
        state.meddling = Some(meddling);
        state.met = 0;
    }

    /// How many calls were meddled with since the last [`Proxy::meddle`].
    pub fn met(&self) -> u32 {
        self.shared.state().met
    }

    /// Ends all meddling; what is held goes on.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.meddling = None;
        state.healed += 1;
        self.shared.on_heal.notify_all();
    }

    /// The socket that it listens at; None with TCP.
    pub fn socket(&self) -> Option<&Path> {
        match &self.front {
            Side::Unix(path) => Some(path),
            Side::Tcp(_) => None,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        self.heal();
        let _ = self.front.connect();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to become of this call, and how often there was healing before it.
    fn fate(&self, method: &str, target: &str) -> Option<(Fate, u64)> {
        let mut state = self.state();
        let healed = state.healed;
        let meddling = state.meddling.as_mut().filter(|told| told.times > 0)?;
        if !(meddling.is_it)(method, target) {
            return None;
        }
        meddling.times -= 1;
        let fate = meddling.fate.clone();
        state.met += 1;
        Some((fate, healed))
    }

    fn wait_healed(&self, since: u64) {
        let state = self.state();
        let held = |state: &mut State| state.healed == since;
        drop(self.on_heal.wait_timeout_while(state, HOLD_MAX, held));
    }
}

fn boxed(stream: impl Wire + 'static) -> Box<dyn Wire> {
    Box::new(stream)
}

fn accept(
    streams: impl Iterator<Item = io::Result<Box<dyn Wire>>>,
    shared: &Arc<Shared>,
    back: &Side,
) {
    for stream in streams.flatten() {
        if shared.ends.load(Ordering::Relaxed) {
            return;
        }
        let (shared, back) = (Arc::clone(shared), back.clone());
        std::thread::spawn(move || {
            // Either side may go at any time: that is what the proxy is for.
            let _ = pass(stream, &shared, &back);
        });
    }
}

/// One call, the only one of its connection.
fn pass(mut client: Box<dyn Wire>, shared: &Shared, back: &Side) -> io::Result<()> {
    let (head, rest) = read_head(client.as_mut())?;
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let told = shared.fate(method, target);
    match &told {
        Some((Fate::Dropped, _)) => return Ok(()),
        Some((Fate::Answered(reply), _)) => return reply.write(client.as_mut(), method),
        _ => {}
    }
    let mut server = back.connect()?;
    server.write_all(alone(&head).as_bytes())?;
    server.write_all(&rest)?;
    let (mut from_client, mut to_server) = (client.other()?, server.other()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
    });
    let Some((fate, healed)) = told else {
        let _ = io::copy(&mut server, &mut client);
        client.close(Shutdown::Both);
        server.close(Shutdown::Both);
        return Ok(());
    };
    let mut answer = Vec::new();
    server.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let body = end_of_head(&answer).unwrap_or(answer.len());
    let half = body + (answer.len() - body) / 2;
    match fate {
        Fate::Held => {
            shared.wait_healed(healed);
            client.write_all(&answer)?;
        }
        Fate::Torn => client.write_all(&answer[..half])?,
        Fate::Spoilt => {
            if let Some(byte) = answer.get_mut(half) {
                *byte ^= 1;
            }
            client.write_all(&answer)?;
        }
        Fate::Stalled => {
            client.write_all(&answer[..half])?;
            shared.wait_healed(healed);
            client.write_all(&answer[half..])?;
        }
        Fate::Cut | Fate::Dropped | Fate::Answered(_) => {}
    }
    client.close(Shutdown::Both);
    Ok(())
}

/// Head of a request with its empty line, and what came behind it.
fn read_head(client: &mut dyn Wire) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        if let Some(end) = end_of_head(&bytes) {
            let rest = bytes.split_off(end);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let size = client.read(&mut block)?;
        if size == 0 || bytes.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&block[..size]);
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            client.write_all(NO_TLS)?;
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4)
}

/// The head, but the server shall end the connection after its answer: so each call is seen.
fn alone(head: &str) -> String {
    let is_upgrade = head.lines().any(|line| line.to_ascii_lowercase().starts_with("upgrade:"));
    if is_upgrade {
        return head.to_owned();
    }
    let lines = head.trim_end().split("\r\n");
    let kept = lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut text = kept.collect::<Vec<_>>().join("\r\n");
    text += "\r\nConnection: close\r\n\r\n";
    text
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
