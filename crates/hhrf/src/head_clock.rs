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
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

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
    /// Kept from one head to the next.
    kept: Kept,
}

/// What a connection has between two heads.
#[derive(Debug, Default)]
struct Kept {
    /// The memory of hyper's buffer, if it has grown.
    buffer: Option<Holding>,
    /// The runtime's timer, which may be set to an earlier time than it is needed for.
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
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
            kept: Kept::default(),
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
        if let Some(buffer) = &heads.kept.buffer {
            buffer.moved(bytes);
        }
    }

    fn await_head(&self) -> Kept {
        let mut heads = self.lock();
        heads.begun = heads.first.take();
        heads.is_awaited = true;
        heads.bytes = heads.read_bytes;
        std::mem::take(&mut heads.kept)
    }

    fn end_head(&self, kept: Kept) {
        let mut heads = self.lock();
        heads.is_awaited = false;
        heads.kept = kept;
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
        let Kept { buffer, timer } = self.clock.await_head();
        Box::pin(HeadSleep {
            clock: Arc::clone(&self.clock),
            end: idle_end,
            timer,
            has_begun: false,
            head: self.arriving.http_1_head(buffer),
        })
    }
}

struct HeadSleep {
    clock: Arc<HeadClock>,
    end: Instant,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
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
            self.end = end;
        }
        self.head.http_1_came(bytes, buffer_bytes);
        self.poll_end(context)
    }
}

impl HeadSleep {
    /// A timer that is set to an earlier time is set again only when that comes: most heads are complete by then, and
    /// setting it for each of them would cost more than all else here.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let end = self.end.into();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        self.clock.end_head(Kept { buffer: self.head.take_buffer(), timer: self.timer.take() });
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

    /// How long the connection may be idle that was idle before for at most `before`.
    async fn idle_for(before: Duration, idle_max: Duration) -> Duration {
        let memory = Memory::new(Use::Requests, 1024 * 1024);
        let timer = timer(&memory);
        timer.clock.lock().first = None;
        // hyper's clock is the system's; this test's own is ahead of it.
        let now = tokio::time::Instant::now;
        let mut sleep = timer.sleep_until((now() + before).into());
        assert!(poll_once(&mut sleep).await.is_pending());
        drop(sleep);
        let begun = now();
        timer.sleep_until((begun + idle_max).into()).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_was_set_for_an_earlier_head_ends_neither_sooner_nor_later() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(75));
        for (before, idle_max) in [(short, long), (long, short), (long, long)] {
            let idle = idle_for(before, idle_max).await;
            assert_eq!(idle.as_secs(), idle_max.as_secs(), "after {before:?}");
        }
    }
}
