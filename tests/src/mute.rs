//! A broker that takes all it is sent and acknowledges no event: what a client does then can be looked at.
//!
//! Promise: MQTT 3.1.1 as far as the agent speaks it; retained documents are acknowledged, messages whose topic ends
//! with `/event` never. Trusts its client: it is the tests' own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const PING: u8 = 12;
const DISCONNECT: u8 = 14;

#[derive(Default)]
struct Shared {
    events: Mutex<Vec<String>>,
    ends: AtomicBool,
}

/// The broker; it ends when dropped.
pub struct Mute {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Mute {
    /// Listens on loopback.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn start(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).expect("the port is the board's own");
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.ends.load(Ordering::Relaxed) {
                    return;
                }
                let own = Arc::clone(&own);
                // The client goes when it likes.
                std::thread::spawn(move || serve(stream, &own));
            }
        });
        Self { address, shared }
    }

    /// Payloads of the events that it was sent, each as often as it was.
    pub fn events(&self) -> Vec<String> {
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    loop {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        let mut body = vec![0; length(&mut stream)?];
        stream.read_exact(&mut body)?;
        match first[0] >> 4 {
            CONNECT => stream.write_all(&[0x20, 2, 0, 0])?,
            PUBLISH => {
                if let Some(answer) = publish(first[0], &body, shared) {
                    stream.write_all(&answer)?;
                }
            }
            SUBSCRIBE => stream.write_all(&[0x90, 3, body[0], body[1], 1])?,
            PING => stream.write_all(&[0xd0, 0])?,
            DISCONNECT => return Ok(()),
            _ => {}
        }
    }
}

/// Remaining length (MQTT 3.1.1, section 2.2.3).
fn length(stream: &mut TcpStream) -> io::Result<usize> {
    let mut size = 0;
    for shift in [0, 7, 14, 21] {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        size |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(size);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn publish(first: u8, body: &[u8], shared: &Shared) -> Option<[u8; 4]> {
    let end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8_lossy(&body[2..end]).into_owned();
    if first & 0b110 == 0 {
        return None; // nobody waits for an answer
    }
    if topic.ends_with("/event") {
        let payload = String::from_utf8_lossy(&body[end + 2..]).into_owned();
        shared.events.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
        return None;
    }
    Some([0x40, 2, body[end], body[end + 1]])
}
