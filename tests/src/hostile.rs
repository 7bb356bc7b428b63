//! A server that answers as no registry should: too much, too deep, too slowly.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes written at once of a long body.
const BLOCK_BYTES: usize = 64 * 1024;
/// Time for the asker to take one block, and for a connection to end.
const WRITE_TIME: Duration = Duration::from_secs(20);

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers, without length and connection.
    pub headers: Vec<(String, String)>,
    /// What the body begins with.
    pub body: Vec<u8>,
    /// How many more bytes of white space follow.
    pub padding: u64,
}

impl Reply {
    /// A well-formed answer with a media type.
    pub fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        Self { status: 200, headers, body: body.into(), padding: 0 }
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// So many bytes of white space behind the body.
    #[must_use]
    pub fn padded(mut self, bytes: u64) -> Self {
        self.padding = bytes;
        self
    }

    /// Sends it as the only answer of a connection; the one to a HEAD has no body.
    ///
    /// # Errors
    /// As the connection says.
    pub(crate) fn write(
        &self,
        stream: &mut (impl Write + ?Sized),
        method: &str,
    ) -> std::io::Result<()> {
        self.write_counted(stream, method, |_| {})
    }

    /// The same, telling of each block of padding that was taken.
    fn write_counted(
        &self,
        stream: &mut (impl Write + ?Sized),
        method: &str,
        mut taken: impl FnMut(u64),
    ) -> std::io::Result<()> {
        let length = self.body.len() as u64 + self.padding;
        write!(stream, "HTTP/1.1 {} -\r\nConnection: close\r\n", self.status)?;
        write!(stream, "Content-Length: {length}\r\n")?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        if method == "HEAD" {
            return Ok(());
        }
        stream.write_all(&self.body)?;
        let block = [b' '; BLOCK_BYTES];
        let mut left = self.padding;
        while left > 0 {
            let size = usize::try_from(left).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
            stream.write_all(&block[..size])?;
            taken(size as u64);
            left -= size as u64;
        }
        Ok(())
    }
}

struct Shared {
    asked: Mutex<Vec<String>>,
    sent: AtomicU64,
    ends: AtomicBool,
}

/// The server; it ends when dropped.
pub struct Hostile {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Hostile {
    /// Listens on loopback; `answer` gets method and target of each request.
    pub fn start(port: u16, answer: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).expect("the port is the board's own");
        let (asked, sent, ends) = (Mutex::default(), AtomicU64::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { asked, sent, ends });
        let (own, answer) = (Arc::clone(&shared), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.ends.load(Ordering::Relaxed) {
                    return;
                }
                let (own, answer) = (Arc::clone(&own), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // An asker that hangs up is what is hoped for.
                    let _ = serve(stream, &own, answer.as_ref());
                });
            }
        });
        Self { address, shared }
    }

    /// Host and port, as in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Requests so far, `METHOD target`.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("no thread died with it").clone()
    }

    /// Bytes of bodies that askers took.
    pub fn sent_bytes(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    shared: &Shared,
    answer: &impl Fn(&str, &str) -> Reply,
) -> std::io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIME))?;
    stream.set_read_timeout(Some(WRITE_TIME))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
        line.clear();
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if let Ok(mut asked) = shared.asked.lock() {
        asked.push(format!("{method} {target}"));
    }
    let reply = answer(method, target);
    reply.write_counted(&mut stream, method, |bytes| {
        shared.sent.fetch_add(bytes, Ordering::Relaxed);
    })
}
