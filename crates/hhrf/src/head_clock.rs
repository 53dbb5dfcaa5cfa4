//! The timeouts of an HTTP/1 connection that waits for a request: one until the first byte, another from there to the
//! end of the head. hyper's buffer is charged meanwhile, if it has grown.
//!
//! hyper has one timeout for both, which begins at the end of the last response (`header_read_timeout`), and takes it
//! from this timer. The timer is created when hyper begins to wait for a head and dropped when the head is complete. So
//! it begins with the timeout of an idle connection, and the stream that hyper reads shortens it at the first byte.

use crate::arriving::{Arriving, Head};
use crate::memory::Holding;
use hyper::rt::{Sleep, Timer};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What is known of one connection's heads.
#[derive(Debug)]
pub(crate) struct HeadClock {
    head_timeout: Duration,
    heads: Mutex<Heads>,
}

#[derive(Debug)]
struct Heads {
    /// When the connection's first byte arrived; taken when hyper waits for the first head.
    first: Option<Instant>,
    /// When the first byte arrived since hyper has waited for the current head. If the head's beginning came in the
    /// same read as the request before, it is the next byte; until then the connection counts as idle, since only hyper
    /// knows which bytes of a read belong to a body.
    begun: Option<Instant>,
    /// Whether hyper waits for a head.
    is_awaited: bool,
    /// An upper bound of what has arrived of the current head: all since hyper has waited for it, and the read before.
    bytes: usize,
    /// The last read. What hyper has left in its buffer at the end of a head or body came with it.
    read_bytes: usize,
    /// The most that hyper has had in its buffer; the buffer never shrinks.
    buffer_bytes: usize,
    /// The memory of that buffer between two heads, if it has grown.
    buffer: Option<Holding>,
}

struct Present {
    /// When it must be complete; `None` while the connection is idle.
    end: Option<Instant>,
    bytes: usize,
    buffer_bytes: usize,
}

impl HeadClock {
    /// For a connection whose first byte has just arrived.
    pub(crate) fn new(head_timeout: Duration) -> Arc<Self> {
        let first = Some(Instant::now());
        let heads = Heads {
            first,
            begun: None,
            is_awaited: false,
            bytes: 0,
            read_bytes: 0,
            buffer_bytes: 0,
            buffer: None,
        };
        Arc::new(Self { head_timeout, heads: Mutex::new(heads) })
    }

    /// Whether a head has begun and is incomplete.
    pub(crate) fn has_begun(&self) -> bool {
        self.lock().begun.is_some()
    }

    /// Whether hyper waits for a head: otherwise a request is in flight.
    pub(crate) fn is_awaited(&self) -> bool {
        self.lock().is_awaited
    }

    /// hyper has read `bytes`.
    pub(crate) fn bytes_came(&self, bytes: usize) {
        let mut heads = self.lock();
        heads.begun.get_or_insert_with(Instant::now);
        heads.bytes = if heads.is_awaited { heads.bytes + bytes } else { bytes };
        heads.read_bytes = bytes;
        heads.buffer_bytes = heads.buffer_bytes.max(heads.bytes);
        if let Some(buffer) = &heads.buffer {
            buffer.moved(bytes);
        }
    }

    /// Returns the memory of the buffer.
    fn await_head(&self) -> Option<Holding> {
        let mut heads = self.lock();
        heads.begun = heads.first.take();
        heads.is_awaited = true;
        heads.bytes = heads.read_bytes;
        heads.buffer.take()
    }

    fn end_head(&self, buffer: Option<Holding>) {
        let mut heads = self.lock();
        heads.is_awaited = false;
        heads.buffer = buffer;
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

/// The timer of one connection. hyper uses it for the timeout of heads only.
#[derive(Debug)]
pub(crate) struct HeadTimer {
    /// What the stream has observed.
    pub clock: Arc<HeadClock>,
    /// Charges the heads' memory.
    pub arriving: Arc<Arriving>,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, idle_end: Instant) -> Pin<Box<dyn Sleep>> {
        let buffer = self.clock.await_head();
        Box::pin(HeadSleep {
            clock: Arc::clone(&self.clock),
            sleep: Box::pin(tokio::time::sleep_until(idle_end.into())),
            has_begun: false,
            head: self.arriving.http_1_head(buffer),
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

    /// hyper polls this after each read that leaves the head incomplete.
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
        self.clock.end_head(self.head.take_buffer());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arriving::HeadLimits;
    use crate::memory::{Accounts, Memory, Use};

    fn timer(memory: &Arc<Memory>) -> HeadTimer {
        let accounts = Accounts { connection: None, address: Arc::default(), function: None };
        let limits = HeadLimits { http_1_bytes: 64 * 1024, http_2_bytes: 64 * 1024 };
        let arriving = Arriving::new(memory, accounts, limits);
        HeadTimer { clock: HeadClock::new(Duration::from_secs(10)), arriving }
    }

    async fn poll_once(sleep: &mut Pin<Box<dyn Sleep>>) -> Poll<()> {
        std::future::poll_fn(|context| Poll::Ready(sleep.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn many_small_heads_on_one_connection_are_not_taken_for_a_large_one() {
        let memory = Memory::new(Use::Requests, 1024 * 1024);
        let timer = timer(&memory);
        for _ in 0..1000 {
            let mut sleep = timer.sleep(Duration::from_secs(75));
            timer.clock.bytes_came(50);
            assert!(poll_once(&mut sleep).await.is_pending());
            timer.clock.bytes_came(50);
        }
        let usage = memory.usage();
        assert_eq!(usage.small_bytes + usage.large_bytes, 0);
    }
}
