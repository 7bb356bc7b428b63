//! The http probe: one GET on a connection of its own, as Docker's and Kubernetes' probes do it.
//!
//! A kept connection would be cheaper, but a server that serves one connection at a time would then
//! serve nobody else, and one whose accept loop hangs would look well.
//! Only the status line is read (RFC 9112 §4); what follows is drained for a moment, so that the app
//! does not log a broken pipe at every probe.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use titania_core::probation::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Most bytes read before the final status line: heads of interim answers (RFC 9110 §15.2) may come first.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of the answer that are drained: a health page is small, and nobody reads it here.
const DRAIN_BYTES_MAX: usize = 64 * 1024;

/// Longest time that is drained for.
const DRAIN: Duration = Duration::from_millis(200);

/// Asks `path` at `address`, at most for `limit`. 200 to 399 is a yes; any other status, or an answer that
/// is no HTTP, a no; no connection, none in time, and one that is closed without a word, no answer.
pub async fn ask(address: SocketAddr, path: &str, limit: Duration) -> Answer {
    let reached = Cell::new("no connection");
    let why = match timeout(limit, exchange(address, path, &reached)).await {
        Ok(Ok((answer, stream))) => {
            // How that ends is of no interest: the answer is known.
            let _ = timeout(DRAIN, drain(stream)).await;
            return answer;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{} ms passed", limit.as_millis()),
    };
    log::debug!("probe of {address}: {}: {why}", reached.get());
    Answer::Silence
}

/// `reached` tells how far it came, for who has to find out why there was no answer.
async fn exchange(
    address: SocketAddr,
    path: &str,
    reached: &Cell<&'static str>,
) -> std::io::Result<(Answer, TcpStream)> {
    let mut stream = TcpStream::connect(address).await?;
    reached.set("connected, no status line");
    stream.write_all(request(address, path).as_bytes()).await?;
    let mut head = Vec::with_capacity(512);
    let mut part = [0u8; 512];
    loop {
        let count = stream.read(&mut part).await?;
        head.extend_from_slice(part.get(..count).unwrap_or_default());
        match read_status(&head) {
            Some(answer) => return Ok((answer, stream)),
            None if count == 0 && head.is_empty() => {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            // It broke off, or goes on and on, without ever saying how it is.
            None if count == 0 || head.len() > HEAD_BYTES_MAX => return Ok((Answer::No, stream)),
            None => {}
        }
    }
}

fn request(address: SocketAddr, path: &str) -> String {
    // The path was checked with the definition; what could end the line is dropped all the same.
    let path: String = path.chars().filter(|c| !c.is_control() && *c != ' ').collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: titania-agent/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// What the first final status line says; `None` while it is not there. Never panics, whatever the bytes.
fn read_status(mut bytes: &[u8]) -> Option<Answer> {
    loop {
        let shown = bytes.get(..bytes.len().min(5)).unwrap_or_default();
        if !b"HTTP/".starts_with(shown) {
            return Some(Answer::No);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let line = bytes.get(..end).unwrap_or_default();
        let status = line
            .split(|byte| *byte == b' ')
            .nth(1)
            .and_then(|word| std::str::from_utf8(word).ok())
            .and_then(|word| word.trim_end().parse::<u16>().ok());
        match status {
            Some(100..=199) => {
                let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
                bytes = bytes.get(head_end + 4..).unwrap_or_default();
            }
            Some(200..=399) => return Some(Answer::Yes),
            _ => return Some(Answer::No),
        }
    }
}

async fn drain(mut stream: TcpStream) {
    let mut part = [0u8; 1024];
    let mut total = 0;
    while total < DRAIN_BYTES_MAX {
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => total += count,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
