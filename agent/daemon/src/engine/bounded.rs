//! A bound on what the engine may send on one connection: also what bollard reads whole is bounded by it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// A stream that ends with an error once it has sent more than it may.
pub(super) struct Bounded {
    stream: UnixStream,
    left: u64,
}

impl Bounded {
    /// At most `bytes_max` from `stream`, heads of answers included.
    pub fn new(stream: UnixStream, bytes_max: u64) -> Self {
        Self { stream, left: bytes_max }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len().saturating_sub(before) as u64;
        match self.left.checked_sub(read) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(()))
            }
            None => {
                // An error brings no bytes: that is the rule of AsyncRead.
                buf.set_filled(before);
                Poll::Ready(Err(io::Error::other("the answer is longer than any of its kind")))
            }
        }
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn read_of(sent: usize, bytes_max: u64) -> io::Result<usize> {
        let (mut engine, ours) = UnixStream::pair()?;
        engine.write_all(&vec![b'x'; sent]).await?;
        drop(engine);
        let mut read = Vec::new();
        Bounded::new(ours, bytes_max).read_to_end(&mut read).await
    }

    #[tokio::test]
    async fn a_stream_at_its_bound_is_read_and_one_past_it_is_an_error() {
        assert_eq!(read_of(1000, 1000).await.unwrap(), 1000);
        assert!(read_of(1001, 1000).await.is_err());
    }
}
