//! A small HTTP/1.1 client, one request a connection, over TCP or a Unix socket.
//!
//! The tests' own, so that what the product's clients do is checked by something else.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Time for one answer, pulls and stops of the engine included.
const ANSWER_TIME: Duration = Duration::from_secs(90);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// Address and port.
    Tcp(SocketAddr),
    /// Path of a socket.
    Unix(&'a Path),
}

/// One whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case, in the order of the answer.
    pub headers: Vec<(String, String)>,
    /// Body, without transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Itself, when the status is one of success.
    ///
    /// # Panics
    /// With status and body otherwise.
    #[track_caller]
    pub fn well(self, what: &str) -> Self {
        let good = (200..400).contains(&self.status);
        assert!(good, "{what}: {} {}", self.status, self.text());
        self
    }
}

/// Asks and waits for the whole answer.
///
/// # Errors
/// As the socket says, or `InvalidData` for what is no HTTP.
pub fn ask(
    place: Place,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    ask_within(ANSWER_TIME, place, method, target, headers, body)
}

/// As [`ask`], with a limit for connecting and for each read.
///
/// # Errors
/// As [`ask`].
pub fn ask_within(
    limit: Duration,
    place: Place,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: tests\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let answer = match place {
        Place::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&address, limit)?;
            stream.set_read_timeout(Some(limit))?;
            exchange(stream, head.as_bytes(), body)?
        }
        Place::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(limit))?;
            exchange(stream, head.as_bytes(), body)?
        }
    };
    read_answer(&answer, method == "HEAD")
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a torn answer"))
}

fn exchange(mut stream: impl Read + Write, head: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(head)?;
    // A server may answer (and close) before it has read a body that it refuses.
    let written = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    if answer.is_empty() {
        written?;
        read?;
    }
    Ok(answer)
}

fn read_answer(bytes: &[u8], is_head: bool) -> Option<Response> {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    if status == 100 {
        return read_answer(rest, is_head);
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if is_head {
        return Some(response);
    }
    let chunked = response.header("transfer-encoding") == Some("chunked");
    let length = response.header("content-length");
    response.body = match length.and_then(|text| text.parse::<usize>().ok()) {
        _ if chunked => join_chunks(rest)?,
        Some(length) => rest.get(..length)?.to_vec(),
        None => rest.to_vec(),
    };
    Some(response)
}

fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        let digits = line.split(';').next()?.trim();
        let size = usize::from_str_radix(digits, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let from = end + 2;
        body.extend_from_slice(rest.get(from..from + size)?);
        rest = rest.get(from + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_joined() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        let answer = read_answer(bytes, false).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "abcde"));
    }

    #[test]
    fn an_answer_cut_short_is_none() {
        for cut in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            b"HTTP/1.1 200 OK\r\n",
        ] {
            assert!(read_answer(cut, false).is_none());
        }
    }
}
