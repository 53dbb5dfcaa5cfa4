//! A concurrency limiter: bounds the processes at a time, and the requests that wait for a permit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The permits of one function, or of the whole host.
#[derive(Debug)]
pub(crate) struct Limiter {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    sizes: Mutex<Sizes>,
}

#[derive(Debug)]
struct Sizes {
    concurrency: usize,
    queue_max: usize,
    /// Permits taken beyond `concurrency`, after it was lowered: as many are withdrawn when they are released.
    surplus: usize,
}

/// The right to run, released when it is dropped.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    limiter: Arc<Limiter>,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// Every permit is taken and the queue is full.
    Full,
    /// None was released before the deadline.
    TooLate,
}

impl Limiter {
    /// A limiter with `concurrency` permits and a queue of `queue_max`.
    pub(crate) fn new(concurrency: u32, queue_max: u32) -> Arc<Self> {
        let (concurrency, queue_max) = (concurrency as usize, queue_max as usize);
        let sizes = Mutex::new(Sizes { concurrency, queue_max, surplus: 0 });
        Arc::new(Self { permits: Arc::new(Semaphore::new(concurrency)), waiting: AtomicUsize::new(0), sizes })
    }

    /// Changes the sizes. Requests with a permit keep it, and those that wait keep waiting.
    pub(crate) fn resize(&self, concurrency: u32, queue_max: u32) {
        let concurrency = concurrency as usize;
        let mut sizes = self.lock();
        sizes.queue_max = queue_max as usize;
        let before = std::mem::replace(&mut sizes.concurrency, concurrency);
        if let Some(fewer) = before.checked_sub(concurrency) {
            sizes.surplus += fewer - self.permits.forget_permits(fewer);
        } else {
            let more = concurrency - before;
            let kept = more.min(sizes.surplus);
            sizes.surplus -= kept;
            self.permits.add_permits(more - kept);
        }
    }

    /// Takes a permit, or waits for one in the order of arrival.
    ///
    /// # Errors
    ///
    /// [`NoPermit`], at once or at the deadline.
    pub(crate) async fn acquire(self: &Arc<Self>, deadline: Instant) -> Result<Permit, NoPermit> {
        let permit = |permit| Permit { permit: Some(permit), limiter: Arc::clone(self) };
        if let Ok(acquired) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit(acquired));
        }
        let _waiter = self.join_queue().ok_or(NoPermit::Full)?;
        // Boxed, since most requests don't wait.
        match Box::pin(timeout_at(deadline, Arc::clone(&self.permits).acquire_owned())).await {
            Ok(acquired) => Ok(permit(acquired.expect("a limiter's semaphore is never closed"))),
            Err(_) => Err(NoPermit::TooLate),
        }
    }

    /// Whether the next request would be refused: to be checked before its body is read.
    pub(crate) fn is_full(&self) -> bool {
        self.permits.available_permits() == 0 && self.waiting() >= self.lock().queue_max
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn taken(&self) -> usize {
        let sizes = self.lock();
        (sizes.concurrency + sizes.surplus).saturating_sub(self.permits.available_permits())
    }

    fn join_queue(&self) -> Option<Waiter<'_>> {
        let queue_max = self.lock().queue_max;
        let joined = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < queue_max).then_some(waiting + 1)
        });
        joined.ok().map(|_| Waiter(self))
    }

    fn lock(&self) -> MutexGuard<'_, Sizes> {
        // Nothing that is done under the lock can panic halfway.
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut sizes = self.limiter.lock();
        match self.permit.take() {
            Some(permit) if sizes.surplus > 0 => {
                sizes.surplus -= 1;
                permit.forget();
            }
            // Released under the lock, so that no resize counts it twice.
            permit => drop(permit),
        }
    }
}

/// A slot in the queue. Dropping it, also when the client goes away, frees it.
struct Waiter<'a>(&'a Limiter);

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
    async fn the_queue_has_an_end_and_a_permit_comes_back() {
        let limiter = Limiter::new(1, 1);
        let permit = limiter.acquire(in_ms(1)).await.unwrap();
        let (waiter, refused) = tokio::join!(limiter.acquire(in_ms(1)), limiter.acquire(in_ms(1)));
        assert_eq!(waiter.unwrap_err(), NoPermit::TooLate);
        assert_eq!(refused.unwrap_err(), NoPermit::Full);
        assert_eq!((limiter.waiting(), limiter.taken()), (0, 1));
        drop(permit);
        assert!(limiter.acquire(in_ms(1)).await.is_ok());
        assert_eq!(limiter.taken(), 0);
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_frees_its_slot_in_the_queue() {
        let limiter = Limiter::new(1, 1);
        let _permit = limiter.acquire(in_ms(1)).await.unwrap();
        let other = Arc::clone(&limiter);
        let waiter = tokio::spawn(async move { other.acquire(in_ms(60_000)).await });
        while !limiter.is_full() {
            tokio::task::yield_now().await;
        }
        waiter.abort();
        assert!(waiter.await.is_err_and(|error| error.is_cancelled()));
        assert!(!limiter.is_full());
    }

    /// Takes as many permits as there are.
    async fn take_all(limiter: &Arc<Limiter>) -> Vec<Permit> {
        let mut taken = Vec::new();
        while let Ok(permit) = limiter.acquire(Instant::now()).await {
            taken.push(permit);
        }
        taken
    }

    #[tokio::test]
    async fn a_smaller_limiter_takes_back_permits_as_they_are_released() {
        let limiter = Limiter::new(4, 0);
        let mut taken = take_all(&limiter).await;
        limiter.resize(2, 0);
        assert_eq!(limiter.taken(), 4, "what runs goes on");
        taken.truncate(2);
        assert_eq!((limiter.taken(), limiter.is_full()), (2, true));
        assert!(limiter.acquire(Instant::now()).await.is_err());
        drop(taken);
        assert_eq!(take_all(&limiter).await.len(), 2);
    }

    #[tokio::test]
    async fn a_larger_limiter_gives_what_it_was_about_to_take_back_first() {
        let limiter = Limiter::new(4, 0);
        let taken = take_all(&limiter).await;
        limiter.resize(1, 0);
        limiter.resize(3, 0);
        assert!(limiter.acquire(Instant::now()).await.is_err(), "four run, and three may");
        limiter.resize(5, 0);
        let more = take_all(&limiter).await;
        assert_eq!((taken.len() + more.len(), limiter.taken()), (5, 5));
        drop((taken, more));
        assert_eq!((limiter.taken(), take_all(&limiter).await.len()), (0, 5));
    }
}
