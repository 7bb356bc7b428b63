//! containerd's own word for the processes of a container, and their end (containerd.services.tasks.v1, gRPC over HTTP/2).
//!
//! Docker hands its containers to containerd, and writes down that one runs only after it was started. A dockerd that is
//! killed between the two knows nothing of it afterwards: inspect says `created` or `exited`, a start is refused with `id
//! already in use`, a removal succeeds, and all the while the program runs on, until the board boots. Only containerd knows.
//!
//! Promise: each call has a deadline and reads a bounded answer. Trusts: containerd. It may be none of Docker's own, or
//! hidden: then nothing is known, which is no error.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Where Docker's containerd listens, from the folder of the engine's own socket: the system's, dockerd's own, beside it.
const SOCKETS: [&str; 3] =
    ["containerd/containerd.sock", "docker/containerd/containerd.sock", "containerd.sock"];
/// Docker's containers among all (`--containerd-namespace`).
const NAMESPACE: &str = "moby";
/// Longest time for an answer that nothing is waited for.
const ANSWER: Duration = Duration::from_secs(5);
/// Most bytes of one: it tells of one process.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// `NOT_FOUND` of gRPC's status codes.
const NOT_FOUND: &str = "5";
/// SIGTERM and SIGKILL, as Linux numbers them.
const TERM: u8 = 15;
const KILL: u8 = 9;

/// The containerd behind one engine.
#[derive(Clone, Debug)]
pub struct Containerd {
    socket: PathBuf,
}

/// Processes of a container, as containerd has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// It knows of none.
    None,
    /// They ended, and it has not been told to forget them.
    Ended,
    /// One lives.
    Lives,
}

impl Containerd {
    /// The one beside the engine's `socket`; null where none can be found.
    pub fn beside(socket: &Path) -> Option<Self> {
        let folder = socket.parent()?;
        let mut sockets = SOCKETS.iter().map(|name| folder.join(name));
        Some(Self { socket: sockets.find(|socket| socket.exists())? })
    }

    /// What it has of the processes of this container.
    ///
    /// # Errors
    /// It does not answer, or not as it should.
    pub async fn task(&self, id: &str) -> io::Result<Task> {
        let Some(answer) = timeout(ANSWER, self.ask("Get", &text(1, id))).await?? else {
            return Ok(Task::None);
        };
        let lives = matches!(
            within(&answer, 1).and_then(status),
            Some(CREATED | RUNNING | PAUSED | PAUSING)
        );
        Ok(if lives { Task::Lives } else { Task::Ended })
    }

    /// Ends the processes of this container, by SIGKILL where `grace` was not enough. A signal of another name than
    /// those that this room knows is SIGTERM.
    ///
    /// # Errors
    /// As [`Containerd::task`], or it would not end.
    pub async fn end(&self, id: &str, signal: &str, grace: Duration) -> io::Result<()> {
        timeout(ANSWER, self.ask("Kill", &kill(id, number_of(signal), false))).await??;
        if !matches!(timeout(grace, self.ask("Wait", &text(1, id))).await, Ok(Ok(_))) {
            timeout(ANSWER, self.ask("Kill", &kill(id, KILL, true))).await??;
            timeout(ANSWER, self.ask("Wait", &text(1, id))).await??;
        }
        self.forget(id).await
    }

    /// Forgets what ended, and would stand in the way of a start. Docker does so as well when it hears of the end; who is
    /// second finds nothing.
    ///
    /// # Errors
    /// As [`Containerd::task`].
    pub async fn forget(&self, id: &str) -> io::Result<()> {
        timeout(ANSWER, self.ask("Delete", &text(1, id))).await??;
        Ok(())
    }

    /// One call; null where there is no such container or process.
    async fn ask(&self, method: &str, message: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let stream = UnixStream::connect(&self.socket).await?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
        let _driver = Driver(tokio::spawn(connection));
        let answer = async {
            let uri = format!("http://containerd/containerd.services.tasks.v1.Tasks/{method}");
            let request = Request::builder()
                .method(Method::POST)
                .uri(uri)
                .header(CONTENT_TYPE, "application/grpc")
                .header(TE, "trailers")
                .header("containerd-namespace", NAMESPACE)
                .body(Full::new(Bytes::from(framed(message))))
                .map_err(io::Error::other)?;
            let (head, body) =
                sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(io::Error::other)?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            match verdict(&head.headers, &trailers)? {
                false => Ok(None),
                true => Ok(Some(unframed(&body.to_bytes())?)),
            }
        };
        answer.await
    }
}

/// The task that a connection is moved by; ends with it, also where an answer is no longer waited for.
struct Driver(JoinHandle<Result<(), hyper::Error>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A signal's number on Linux.
fn number_of(signal: &str) -> u8 {
    match signal {
        "SIGHUP" => 1,
        "SIGINT" => 2,
        "SIGQUIT" => 3,
        "SIGKILL" => KILL,
        "SIGUSR1" => 10,
        "SIGUSR2" => 12,
        _ => TERM,
    }
}

/// Whether gRPC says that it went well; false: there is no such thing.
fn verdict(head: &HeaderMap, trailers: &HeaderMap) -> io::Result<bool> {
    let of = |name: &str| trailers.get(name).or_else(|| head.get(name))?.to_str().ok();
    match of("grpc-status") {
        Some("0") => Ok(true),
        Some(NOT_FOUND) => Ok(false),
        other => {
            let (code, why) = (other.unwrap_or("none"), of("grpc-message").unwrap_or_default());
            Err(io::Error::other(format!("containerd says no: {why} (gRPC status {code})")))
        }
    }
}

/// A message of gRPC: not compressed, its length, itself.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat()
}

fn unframed(body: &[u8]) -> io::Result<Vec<u8>> {
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "no whole answer of containerd");
    let (head, rest) = body.split_at_checked(5).ok_or_else(garbled)?;
    let (flags, length) = head.split_first().ok_or_else(garbled)?;
    let length = u32::from_be_bytes(length.try_into().map_err(|_| garbled())?);
    let length = usize::try_from(length).map_err(|_| garbled())?;
    let message = rest.get(..length).filter(|_| *flags == 0).ok_or_else(garbled)?;
    Ok(message.to_vec())
}

/// States of a process (containerd.v1.types.Status) in which it lives.
const CREATED: u64 = 1;
const RUNNING: u64 = 2;
const PAUSED: u64 = 4;
const PAUSING: u64 = 5;

/// The field of a process's message that has its state.
fn status(process: &[u8]) -> Option<u64> {
    fields(process).find_map(|field| match field {
        (4, Field::Number(status)) => Some(status),
        _ => None,
    })
}

/// The message within a field.
fn within(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message).find_map(|field| match field {
        (found, Field::Bytes(bytes)) if found == number => Some(bytes),
        _ => None,
    })
}

/// A field of a message, as far as one of these is ever needed (protobuf.dev, "Encoding").
#[derive(Debug, PartialEq, Eq)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// Fields with their numbers; ends where the message makes no sense.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let tag = number(&mut rest)?;
        let field = match tag & 7 {
            0 => Field::Number(number(&mut rest)?),
            1 => take(&mut rest, 8).map(|_| Field::Other)?,
            2 => {
                let length = usize::try_from(number(&mut rest)?).ok()?;
                Field::Bytes(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4).map(|_| Field::Other)?,
            _ => return None,
        };
        Some((tag >> 3, field))
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A field of text: an id, of 64 characters.
fn text(number: u8, text: &str) -> Vec<u8> {
    let text = text.get(..127).unwrap_or(text);
    let length = u8::try_from(text.len()).unwrap_or_default();
    [&[number << 3 | 2, length], text.as_bytes()].concat()
}

fn kill(id: &str, signal: u8, all: bool) -> Vec<u8> {
    [&text(1, id)[..], &[3 << 3, signal, 4 << 3, u8::from(all)]].concat()
}

#[cfg(test)]
#[path = "containerd_tests.rs"]
mod tests;
