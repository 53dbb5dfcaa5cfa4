//! How long an HTTP/1 connection waits for a request: so long for its first byte, and so long from there to the end of
//! its head. hyper's buffer is charged meanwhile, if it has grown.
//!
//! hyper has one time for both, from the end of the last response on (`header_read_timeout`), and asks a timer of ours
//! for it. It begins when hyper begins to wait for a head and is dropped when the head is whole. So the timer gives the
//! time for an idle connection, and shortens it at the first byte, of which it is told by the stream that hyper reads.

use crate::arriving::{Arriving, Head};
use hyper::rt::{Sleep, Timer};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

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
    /// before, that is its next byte; until then the connection counts as idle: what of a read is a body's is for hyper
    /// to say, which doesn't.
    begun: Option<Instant>,
    /// Whether hyper waits for a head.
    is_awaited: bool,
    /// What has come of the present head at the most: what came since hyper waits for it, and by the read before.
    bytes: usize,
    /// The most that hyper has had in its buffer, which never shrinks.
    buffer_bytes: usize,
}

/// A head that isn't whole.
struct Present {
    /// When it has to be; nothing while the connection is idle.
    end: Option<Instant>,
    bytes: usize,
    buffer_bytes: usize,
}

impl HeadClock {
    /// For a connection whose first byte has just come.
    pub fn new(head_timeout: Duration) -> Arc<Self> {
        let heads =
            Heads { first: Some(Instant::now()), begun: None, is_awaited: false, bytes: 0, buffer_bytes: 0 };
        Arc::new(Self { head_timeout, heads: Mutex::new(heads) })
    }

    /// Whether a head has begun and isn't whole.
    pub fn has_begun(&self) -> bool {
        self.lock().begun.is_some()
    }

    /// hyper has read so many bytes.
    pub fn bytes_came(&self, bytes: usize) {
        let mut heads = self.lock();
        heads.begun.get_or_insert_with(Instant::now);
        heads.bytes = if heads.is_awaited { heads.bytes + bytes } else { bytes };
        heads.buffer_bytes = heads.buffer_bytes.max(heads.bytes);
    }

    fn await_head(&self) {
        let mut heads = self.lock();
        heads.begun = heads.first.take();
        heads.is_awaited = true;
    }

    fn end_head(&self) {
        self.lock().is_awaited = false;
    }

    fn present(&self) -> Present {
        let heads = self.lock();
        let end = heads.begun.map(|begun| begun + self.head_timeout);
        Present { end, bytes: heads.bytes, buffer_bytes: heads.buffer_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Heads> {
        // Nothing that is done under the lock can panic halfway.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The timer of one connection, which hyper asks for nothing but the time of its heads.
#[derive(Debug)]
pub struct HeadTimer {
    /// What passes.
    pub clock: Arc<HeadClock>,
    /// To whom its heads are charged.
    pub arriving: Arc<Arriving>,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, idle_end: Instant) -> Pin<Box<dyn Sleep>> {
        self.clock.await_head();
        Box::pin(HeadSleep {
            clock: Arc::clone(&self.clock),
            sleep: Box::pin(tokio::time::sleep_until(idle_end.into())),
            has_begun: false,
            head: self.arriving.head(),
        })
    }
}

struct HeadSleep {
    clock: Arc<HeadClock>,
    sleep: Pin<Box<tokio::time::Sleep>>,
    has_begun: bool,
    head: Head,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    /// hyper asks each time that it has read what there was, and the head isn't whole.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Present { end, bytes, buffer_bytes } = self.clock.present();
        if let Some(end) = end
            && !self.has_begun
        {
            self.has_begun = true;
            self.sleep.as_mut().reset(end.into());
        }
        self.head.http_1_came(bytes, buffer_bytes);
        self.sleep.as_mut().poll(context)
    }
}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        self.clock.end_head();
    }
}
