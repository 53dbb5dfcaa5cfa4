//! The stream that hyper reads and writes: it observes the bytes in both directions.

use crate::arriving::{Arriving, Head};
use crate::head_clock::HeadClock;
use crate::header_blocks::HeaderBlocks;
use crate::memory::Full;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    heads: Heads,
    writes: Arc<Writes>,
}

/// What observes the bytes that arrive.
#[derive(Debug)]
pub(crate) enum Heads {
    /// hyper polls the clock after each read that leaves the head incomplete.
    Http1(Arc<HeadClock>),
    /// hyper has no such timer for HTTP/2.
    Http2(Http2Heads),
}

/// The heads of an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Http2Heads {
    arriving: Arc<Arriving>,
    blocks: HeaderBlocks,
    /// The incomplete head, and its number.
    open: Option<(u64, Head)>,
}

#[derive(Debug, Default)]
pub(crate) struct Writes {
    written_bytes: AtomicU64,
    is_blocked: AtomicBool,
    has_failed: AtomicBool,
}

impl Http2Heads {
    pub(crate) fn new(arriving: Arc<Arriving>) -> Self {
        Self { arriving, blocks: HeaderBlocks::default(), open: None }
    }

    /// Reads the next bytes, before hyper does.
    fn came(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.blocks.read(bytes);
        let Some(block) = self.blocks.open() else {
            // Usually there was none before either.
            if self.open.take().is_some() {
                self.arriving.set_begun(None);
            }
            return Ok(());
        };
        if self.open.as_ref().is_none_or(|(number, _)| *number != block.number) {
            self.arriving.set_begun(Some(Instant::now()));
            self.open = Some((block.number, self.arriving.head()));
        }
        let Some((_, head)) = &mut self.open else { return Ok(()) };
        head.http_2_came(block.decoded_bytes, block.raw_bytes)
    }
}

impl Heads {
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            _ if bytes.is_empty() => Ok(()),
            Self::Http1(clock) => {
                clock.bytes_came(bytes.len());
                Ok(())
            }
            Self::Http2(heads) => heads.came(bytes).map_err(io::Error::other),
        }
    }
}

impl Writes {
    /// How much was written since the connection began.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// Whether a write waits for the client to read.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    /// Whether a write has failed: the client has read nothing for too long, or is gone.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    fn record(&self, written: &Poll<io::Result<usize>>) {
        self.is_blocked.store(written.is_pending(), Ordering::Relaxed);
        match written {
            Poll::Pending => {}
            Poll::Ready(Ok(bytes)) => drop(self.written_bytes.fetch_add(*bytes as u64, Ordering::Relaxed)),
            Poll::Ready(Err(_)) => self.has_failed.store(true, Ordering::Relaxed),
        }
    }
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, heads: Heads, writes: Arc<Writes>) -> Self {
        Self { stream, heads, writes }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heads.came(&buffer.filled()[before..])?;
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writes.record(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.writes.record(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;
    use tokio_io_timeout::TimeoutStream;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_its_client_does_not_take_is_known_to_wait_and_then_to_have_failed() {
        let (stream, _client) = tokio::io::duplex(10);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(Duration::from_secs(30)));
        let (clock, writes) = (HeadClock::new(Duration::from_secs(1)), Arc::<Writes>::default());
        let mut watched = Watched::new(Box::pin(stream), Heads::Http1(clock), Arc::clone(&writes));
        watched.write_all(b"0123456789").await.unwrap();
        assert!(!writes.is_blocked() && !writes.has_failed());
        let (written, is_blocked) = tokio::join!(watched.write_all(b"x"), async { writes.is_blocked() });
        assert!(is_blocked && written.is_err() && writes.has_failed());
    }
}
