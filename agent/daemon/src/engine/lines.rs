//! Streams of JSON lines, as pull and events send them.
//!
//! Promise: a line is whole, of bounded length, and comes within a deadline where one is set.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::call::{detail, garbled, unknown};
use super::error::EngineError;

/// Longest line: an event carries all labels of its container, which a definition may fill.
pub(super) const LINE_BYTES_MAX: usize = 256 * 1024;

/// A stream, line by line.
pub(super) struct Lines {
    act: &'static str,
    body: Incoming,
    pending: Splitter,
    /// Longest silence; null: it may be silent for ever.
    stall: Option<Duration>,
    ended: bool,
}

impl Lines {
    /// The lines of `body`.
    pub fn new(act: &'static str, body: Incoming, stall: Option<Duration>) -> Self {
        Self { act, body, pending: Splitter::default(), stall, ended: false }
    }

    /// The next line without its end; null at the stream's own, orderly end. Safe to drop while it waits.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        loop {
            if let Some(line) = self.pending.next().map_err(|()| {
                garbled(self.act, format!("a line is longer than {LINE_BYTES_MAX} bytes"))
            })? {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.pending.rest());
            }
            let frame = match self.stall {
                None => self.body.frame().await,
                Some(stall) => timeout(stall, self.body.frame())
                    .await
                    .map_err(|_| unknown(self.act, format!("silent for {} s", stall.as_secs())))?,
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.pending.push(&bytes);
                    }
                }
                Some(Err(error)) => return Err(unknown(self.act, detail(&error))),
                None => self.ended = true,
            }
        }
    }
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Splitter {
    bytes: Vec<u8>,
    /// Bytes already looked through for a line's end.
    looked: usize,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line that is not blank; `Err` when it is too long.
    fn next(&mut self) -> Result<Option<Vec<u8>>, ()> {
        loop {
            let fresh = self.bytes.get(self.looked..).unwrap_or_default();
            let Some(place) = fresh.iter().position(|byte| *byte == b'\n') else {
                self.looked = self.bytes.len();
                return if self.bytes.len() > LINE_BYTES_MAX { Err(()) } else { Ok(None) };
            };
            let mut line: Vec<u8> = self.bytes.drain(..=self.looked + place).collect();
            self.looked = 0;
            if line.len() > LINE_BYTES_MAX + 1 {
                return Err(());
            }
            while line.last().is_some_and(u8::is_ascii_whitespace) {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// What is left when no more comes: a last line without its end.
    fn rest(&mut self) -> Option<Vec<u8>> {
        self.looked = 0;
        let rest = std::mem::take(&mut self.bytes);
        let is_blank = rest.iter().all(u8::is_ascii_whitespace);
        (!is_blank).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(line) = splitter.next().unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
        }
        lines.extend(splitter.rest().map(|line| String::from_utf8(line).unwrap()));
        lines
    }

    #[test]
    fn lines_are_whole_wherever_the_stream_is_cut() {
        let whole = b"{\"a\":1}\r\n\n{\"b\":2}\n{\"c\":3}";
        let want = ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
        assert_eq!(all(&[whole]), want);
        for cut in 0..whole.len() {
            let (left, right) = whole.split_at(cut);
            assert_eq!(all(&[left, right]), want, "cut at {cut}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(all(&single), want);
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_past_it_does_not() {
        let mut splitter = Splitter::default();
        splitter.push(&vec![b'x'; LINE_BYTES_MAX]);
        assert_eq!(splitter.next(), Ok(None));
        splitter.push(b"\n");
        assert_eq!(splitter.next().unwrap().unwrap().len(), LINE_BYTES_MAX);
        splitter.push(&vec![b'x'; LINE_BYTES_MAX + 1]);
        assert_eq!(splitter.next(), Err(()), "without its end");
        let mut splitter = Splitter::default();
        splitter.push(&vec![b'x'; LINE_BYTES_MAX + 1]);
        splitter.push(b"\n");
        assert_eq!(splitter.next(), Err(()), "with its end");
    }
}
