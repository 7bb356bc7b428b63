//! HTTP/1.0 over the Unix socket: one request, one answer that ends with the connection.
//!
//! Promise: an answer is bounded in size and time; nothing here waits for ever.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use titania_core::api::Problem;

use crate::Exit;
use crate::words::clean;

/// Longest answer: a hundred apps have about 1 MB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest wait for an answer. The agent answers within a second, whatever goes on.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);

/// Why there is no answer, or none that was hoped for.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody answers at the socket.
    Unreachable(PathBuf, io::Error),
    /// What answers is no agent.
    Nonsense(PathBuf, String),
    /// The agent says no.
    Refused(Box<Problem>),
}

impl ClientError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable(..) | Self::Nonsense(..) => Exit::Unreachable,
            Self::Refused(_) => Exit::Failed,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(path, error) => {
                let path = clean(&path.to_string_lossy());
                let fix = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "use sudo, or become a member of group titania-agent"
                    }
                    _ => "is it running? systemctl status titania-agent",
                };
                write!(f, "the agent is not reachable at {path}: {}\n  fix: {fix}", plain(error))
            }
            Self::Nonsense(path, what) => {
                let path = clean(&path.to_string_lossy());
                write!(f, "what answers at {path} is no agent of this version: {}", clean(what))
            }
            Self::Refused(problem) => {
                f.write_str(&clean(&problem.detail))?;
                match problem.hint.as_str() {
                    "" => Ok(()),
                    hint => write!(f, "\n  fix: {}", clean(hint)),
                }
            }
        }
    }
}

/// The error without the number that Rust puts behind it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// The way to the agent.
#[derive(Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The body of `GET path`.
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.ask(&format!("GET {path} HTTP/1.0\r\n\r\n"), ANSWER_TIME_MAX)
    }

    /// The body of `GET path`, which may take `longer` than others.
    pub(crate) fn get_patiently(
        &self,
        path: &str,
        longer: Duration,
    ) -> Result<Vec<u8>, ClientError> {
        self.ask(&format!("GET {path} HTTP/1.0\r\n\r\n"), ANSWER_TIME_MAX + longer)
    }

    /// The body of the answer to `POST path`.
    pub(crate) fn post(&self, path: &str, body: &str) -> Result<Vec<u8>, ClientError> {
        let head = "Content-Type: application/json\r\nContent-Length";
        let request = format!("POST {path} HTTP/1.0\r\n{head}: {}\r\n\r\n{body}", body.len());
        self.ask(&request, ANSWER_TIME_MAX)
    }

    /// The document in a body.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(
        &self,
        body: &[u8],
    ) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.nonsense(error))
    }

    fn ask(&self, request: &str, time: Duration) -> Result<Vec<u8>, ClientError> {
        let end = Instant::now() + time;
        let answer = self
            .exchange(request.as_bytes(), end)
            .map_err(|error| ClientError::Unreachable(self.socket.clone(), error))?;
        let (code, body) = split(&answer).ok_or_else(|| self.nonsense("it does not speak HTTP"))?;
        if (200..300).contains(&code) {
            return Ok(body.to_vec());
        }
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(self.nonsense(format!("HTTP {code}"))),
        }
    }

    fn exchange(&self, request: &[u8], end: Instant) -> io::Result<Vec<u8>> {
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // Also for `connect` (unix(7)), which waits while the agent's queue is full: for its turn, or behind a hang.
        set_socket_timeout(&socket, Timeout::Send, Some(left(end)?))?;
        connect(&socket, &SocketAddrUnix::new(&self.socket)?).map_err(|error| match error {
            Errno::AGAIN => silent(),
            other => other.into(),
        })?;
        let mut stream = UnixStream::from(socket);
        stream.set_write_timeout(Some(left(end)?))?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        let mut part = [0; 16 * 1024];
        loop {
            stream.set_read_timeout(Some(left(end)?))?;
            match stream.read(&mut part) {
                Ok(0) => return Ok(answer),
                Ok(count) => answer.extend_from_slice(part.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(silent()),
                Err(error) => return Err(error),
            }
            if answer.len() > ANSWER_BYTES_MAX {
                let text = format!("its answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(io::Error::other(text));
            }
        }
    }

    fn nonsense(&self, what: impl fmt::Display) -> ClientError {
        ClientError::Nonsense(self.socket.clone(), what.to_string())
    }
}

fn left(end: Instant) -> io::Result<Duration> {
    match end.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(silent()),
        left => Ok(left),
    }
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

/// Status code and body of an answer (RFC 9112).
fn split(answer: &[u8]) -> Option<(u16, &[u8])> {
    let head_most = answer.get(..HEAD_BYTES_MAX).unwrap_or(answer);
    let end = head_most.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let line = head.lines().next()?;
    let code = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((code, answer.get(end + 4..)?))
}

#[cfg(test)]
mod tests {
    //! What an answer is, and is not.
    use super::*;

    #[test]
    fn an_answer_is_split_and_nonsense_is_none() {
        assert_eq!(split(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Some((200, &b"{}"[..])));
        assert_eq!(split(b"HTTP/1.1 404 No\r\n\r\n"), Some((404, &b""[..])));
        for bytes in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\n",
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.0\r\n\r\n",
            b"HTTP/1.0 x\r\n\r\n",
        ] {
            assert_eq!(split(bytes), None);
        }
    }
}
