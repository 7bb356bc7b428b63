//! What lies at a path of an image, as a stream of tar.
//!
//! Distrusts: its length, which is bounded, and all that is in it: whoever unpacks it checks names and links.

use std::io::{self, Read};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::call::{detail, garbled, unknown};
use super::error::EngineError;

/// Longest silence: the engine reads the image's own disk.
const SILENCE: Duration = Duration::from_secs(120);

/// Chunks that may wait for the reader, of at most some 64 KiB each.
const CHUNKS_WAITING: usize = 4;

/// A tar stream from an image, bounded.
pub struct Archive {
    act: String,
    body: Incoming,
    left: u64,
}

impl Archive {
    pub(super) fn new(act: String, body: Incoming, bytes_max: u64) -> Self {
        Self { act, body, left: bytes_max }
    }

    /// The next piece; null at the end.
    ///
    /// # Errors
    /// [`EngineError::Garbled`] when there is more than was allowed, [`EngineError::Unknown`] when it broke.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EngineError> {
        loop {
            let frame = timeout(SILENCE, self.body.frame())
                .await
                .map_err(|_| unknown(&self.act, format!("silent for {} s", SILENCE.as_secs())))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| unknown(&self.act, detail(&error)))?;
            if let Ok(bytes) = frame.into_data() {
                self.left = self
                    .left
                    .checked_sub(bytes.len() as u64)
                    .ok_or_else(|| garbled(&self.act, "there is more of it than may be"))?;
                return Ok(Some(bytes));
            }
        }
    }

    /// All of it.
    pub(super) async fn whole(mut self) -> Result<Vec<u8>, EngineError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// So much of its beginning, or a little more; the rest is never read.
    pub(super) async fn start(mut self, bytes: usize) -> Result<Vec<u8>, EngineError> {
        let mut start = Vec::new();
        while start.len() < bytes
            && let Some(chunk) = self.chunk().await?
        {
            start.extend_from_slice(&chunk);
        }
        Ok(start)
    }

    /// The stream as a blocking reader, for a worker thread alone: it must not be read on the runtime's own.
    pub fn into_reader(mut self) -> ArchiveReader {
        let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
        tokio::spawn(async move {
            loop {
                let chunk = self.chunk().await.map_err(io::Error::other);
                let is_last = matches!(chunk, Ok(None) | Err(_));
                // A reader that was dropped wants no more; that ends the connection, too.
                if sender.send(chunk).await.is_err() || is_last {
                    return;
                }
            }
        });
        ArchiveReader { receiver, pending: Bytes::new(), ended: false }
    }
}

/// Blocking end of an [`Archive`]. An error of the stream comes as an error of `read`, never as an early end.
pub struct ArchiveReader {
    receiver: mpsc::Receiver<io::Result<Option<Bytes>>>,
    pending: Bytes,
    ended: bool,
}

impl Read for ArchiveReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.pending.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Ok(Some(bytes))) => self.pending = bytes,
                Some(Ok(None)) => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                None => {
                    self.ended = true;
                    return Err(io::Error::other("the agent is ending"));
                }
            }
        }
        let taken = self.pending.split_to(self.pending.len().min(buf.len()));
        if let Some(place) = buf.get_mut(..taken.len()) {
            place.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}
