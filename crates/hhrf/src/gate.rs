//! A function's places: so many processes at a time, so many requests that wait for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The places of one function, or of the whole host.
#[derive(Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    concurrency: usize,
    queue_max: usize,
}

/// A place, given back when it is dropped, on whatever way out.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// Every place is taken and the queue is full.
    Full,
    /// None came free before the deadline.
    TooLate,
}

impl Gate {
    /// A gate with `concurrency` places and a queue of `queue_max`.
    pub fn new(concurrency: u32, queue_max: u32) -> Self {
        let concurrency = concurrency as usize;
        Self {
            places: Arc::new(Semaphore::new(concurrency)),
            waiting: AtomicUsize::new(0),
            concurrency,
            queue_max: queue_max as usize,
        }
    }

    /// Takes a place, or waits for one in the order of arrival.
    ///
    /// # Errors
    ///
    /// [`NoPlace`], at once or at the deadline.
    pub async fn enter(&self, deadline: Instant) -> Result<Place, NoPlace> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place(permit));
        }
        let _waiter = self.join_queue().ok_or(NoPlace::Full)?;
        match timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await {
            Ok(permit) => Ok(Place(permit.expect("a gate's semaphore is never closed"))),
            Err(_) => Err(NoPlace::TooLate),
        }
    }

    /// Whether the next request would be refused: to be asked before its body is read.
    pub fn is_full(&self) -> bool {
        self.places.available_permits() == 0 && self.waiting() >= self.queue_max
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Places that are taken now.
    pub fn taken(&self) -> usize {
        self.concurrency - self.places.available_permits()
    }

    fn join_queue(&self) -> Option<Waiter<'_>> {
        let joined = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < self.queue_max).then_some(waiting + 1)
        });
        joined.ok().map(|_| Waiter(self))
    }
}

/// A place in the queue, left when it is dropped: a client that goes away frees it.
struct Waiter<'a>(&'a Gate);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn in_ms(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_an_end_and_a_place_comes_back() {
        let gate = Gate::new(1, 1);
        let place = gate.enter(in_ms(1)).await.unwrap();
        let (waiter, refused) = tokio::join!(gate.enter(in_ms(1)), gate.enter(in_ms(1)));
        assert_eq!(waiter.unwrap_err(), NoPlace::TooLate);
        assert_eq!(refused.unwrap_err(), NoPlace::Full);
        assert_eq!((gate.waiting(), gate.taken()), (0, 1));
        drop(place);
        assert!(gate.enter(in_ms(1)).await.is_ok());
        assert_eq!(gate.taken(), 0);
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_frees_its_place_in_the_queue() {
        let gate = Arc::new(Gate::new(1, 1));
        let _place = gate.enter(in_ms(1)).await.unwrap();
        let other = Arc::clone(&gate);
        let waiter = tokio::spawn(async move { other.enter(in_ms(60_000)).await });
        while !gate.is_full() {
            tokio::task::yield_now().await;
        }
        waiter.abort();
        assert!(waiter.await.is_err_and(|error| error.is_cancelled()));
        assert!(!gate.is_full());
    }
}
