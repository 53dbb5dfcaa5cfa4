//! How long an HTTP/1 connection waits for a request: so long for its first byte, and so long from there to the end of
//! its head.
//!
//! hyper has one time for both, from the end of the last response on (`header_read_timeout`), and asks a timer of ours
//! for it. It begins when hyper begins to wait for a head and is dropped when the head is whole. So the timer gives the
//! time for an idle connection, and shortens it at the first byte, of which it is told by the stream that hyper reads.

use crate::sending::Sending;
use hyper::rt::{Sleep, Timer};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of one connection's heads.
#[derive(Debug)]
pub struct HeadClock {
    head_timeout: Duration,
    heads: Mutex<Heads>,
}

#[derive(Debug)]
struct Heads {
    /// When the connection's first byte came, until hyper waits for the first head.
    first: Option<Instant>,
    /// When bytes came first since hyper waits for the present head. Where a part of it came together with the request
    /// before, that is its next byte; until then the connection counts as idle.
    begun: Option<Instant>,
}

impl HeadClock {
    /// For a connection whose first byte has just come.
    pub fn new(head_timeout: Duration) -> Arc<Self> {
        let heads = Heads { first: Some(Instant::now()), begun: None };
        Arc::new(Self { head_timeout, heads: Mutex::new(heads) })
    }

    /// Whether a head has begun.
    pub fn has_begun(&self) -> bool {
        self.lock().begun.is_some()
    }

    fn await_head(&self) {
        let mut heads = self.lock();
        heads.begun = heads.first.take();
    }

    fn bytes_came(&self) {
        self.lock().begun.get_or_insert_with(Instant::now);
    }

    fn head_end(&self) -> Option<Instant> {
        Some(self.lock().begun? + self.head_timeout)
    }

    fn lock(&self) -> MutexGuard<'_, Heads> {
        // Nothing that is done under the lock can panic halfway.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The timer of one connection, which hyper asks for nothing but the time of its heads.
#[derive(Debug)]
pub struct HeadTimer(pub Arc<HeadClock>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, idle_end: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.await_head();
        Box::pin(HeadSleep {
            clock: Arc::clone(&self.0),
            sleep: Box::pin(tokio::time::sleep_until(idle_end.into())),
            has_begun: false,
        })
    }
}

struct HeadSleep {
    clock: Arc<HeadClock>,
    sleep: Pin<Box<tokio::time::Sleep>>,
    has_begun: bool,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    /// hyper asks each time that it has read what there was.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.has_begun
            && let Some(end) = self.clock.head_end()
        {
            self.has_begun = true;
            self.sleep.as_mut().reset(end.into());
        }
        self.sleep.as_mut().poll(context)
    }
}

/// A stream that tells the clock what is read, and what is written to those who wait for that.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    clock: Arc<HeadClock>,
    sending: Arc<Sending>,
}

impl<S> Watched<S> {
    /// Of one connection.
    pub fn new(stream: S, clock: Arc<HeadClock>, sending: Arc<Sending>) -> Self {
        Self { stream, clock, sending }
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
        if buffer.filled().len() > before {
            self.clock.bytes_came();
        }
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
        self.sending.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sending.note_write(&written);
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
