//! The same by somebody else: where the agent itself may not change the table, a service of the package may
//! (`titania-agent-neighbour@.service`), which is this very program with one right, started for one address.
//!
//! Promise: one line, an address, is read, within bounds; all that comes of it is that its unanswered entry goes.
//! Distrusts: who asks. The agent trusts nothing that is answered: it is for the log.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The service's socket, in the agent's runtime directory.
pub const SOCKET: &str = "neighbour.sock";
/// Longest line: an IPv6 address has 45 characters.
const LINE_BYTES_MAX: u64 = 64;
/// Longest answer that is read: a sentence.
const ANSWER_BYTES_MAX: u64 = 256;

/// A service that was called and waits for an address.
#[derive(Debug)]
pub struct Helper(UnixStream);

impl Helper {
    /// Calls it: before the address is known, since it takes a while to start.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn call(socket: &Path) -> io::Result<Self> {
        Ok(Self(UnixStream::connect(socket).await?))
    }

    /// Gives it the address; what it says of it.
    ///
    /// # Errors
    /// It went away.
    pub async fn forget(mut self, address: IpAddr) -> io::Result<String> {
        self.0.write_all(format!("{address}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        self.0.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim().to_owned())
    }
}

/// Reads an address and takes its entry away; `answer` is told in words.
///
/// # Errors
/// No address came, or the kernel refuses.
pub fn serve(question: impl Read, mut answer: impl Write) -> io::Result<()> {
    let done = address(question).and_then(super::forget);
    let text = match &done {
        Ok(is_gone) => super::said(*is_gone).to_owned(),
        Err(error) => error.to_string(),
    };
    // Who asked may be gone by now.
    let _unheard = writeln!(answer, "{text}");
    match done {
        // Whoever hung up without a word wanted nothing.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        done => done.map(|_| ()),
    }
}

fn address(question: impl Read) -> io::Result<IpAddr> {
    let mut line = Vec::new();
    BufReader::new(question.take(LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = std::str::from_utf8(line).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_an_address_is_read_and_nothing_else() {
        let kind = |text: &[u8]| address(text).map_err(|error| error.kind());
        assert_eq!(kind(b"172.18.0.2\nmore"), Ok("172.18.0.2".parse().unwrap()));
        assert_eq!(kind(b"fd00::2"), Ok("fd00::2".parse().unwrap()));
        assert_eq!(kind(b""), Err(io::ErrorKind::UnexpectedEof));
        for wrong in [&b"172.18.0\n"[..], b"dev eth0\n", b"\xff\n", &[b'1'; 10_000]] {
            assert_eq!(kind(wrong), Err(io::ErrorKind::InvalidInput), "{wrong:?}");
        }
    }

    #[test]
    fn who_hangs_up_without_a_word_is_no_fault_of_the_service() {
        let mut said = Vec::new();
        assert!(serve(&b""[..], &mut said).is_ok());
        assert!(serve(&b"eth0\n"[..], &mut said).is_err());
        assert!(String::from_utf8(said).unwrap().contains("this is no address"));
    }
}
