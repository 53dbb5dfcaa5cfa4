//! How many calls each function may run at a time: half of those that the others leave. So calls of one function that hang,
//! up to their deadline or for ever, leave as many threads for the others, and those of a second one half of the rest. With
//! 128 threads it takes eight functions that hang until another one finds no thread.

use crate::share::share;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The calls of all functions together.
#[derive(Debug)]
pub(super) struct Shares {
    calls_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// In the order of arrival.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    function: Running,
    sender: oneshot::Sender<Share>,
}

/// The running calls of one function; changed under the lock of the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<AtomicUsize>);

/// The right to run one call, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    function: Running,
}

impl Shares {
    pub(super) fn new(calls_max: usize) -> Arc<Self> {
        Arc::new(Self { calls_max, state: Mutex::default() })
    }

    /// Takes a share for a call of `function`, or waits for one.
    pub(super) async fn take(self: &Arc<Self>, function: &Running) -> Share {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            // Those whose clients have left.
            state.waiting.retain(|waiting| !waiting.sender.is_closed());
            let is_first = !state.waiting.iter().any(|waiting| waiting.function.is(function));
            if is_first && self.has_share(&state, function) {
                return self.give(&mut state, function);
            }
            state.waiting.push_back(Waiting { function: function.clone(), sender });
        }
        receiver.await.expect("a sender is dropped only after its receiver, or when it has sent")
    }

    fn has_share(&self, state: &State, function: &Running) -> bool {
        let own = function.count();
        own < share(self.calls_max, state.running, own)
    }

    fn give(self: &Arc<Self>, state: &mut State, function: &Running) -> Share {
        state.running += 1;
        function.0.fetch_add(1, Ordering::Relaxed);
        Share { shares: Arc::clone(self), function: function.clone() }
    }

    /// Gives shares to those that wait, as far as there are any now.
    fn give_back(self: &Arc<Self>, function: &Running) {
        let mut state = self.lock();
        state.running -= 1;
        function.0.fetch_sub(1, Ordering::Relaxed);
        let mut given = Vec::new();
        let mut at = 0;
        while at < state.waiting.len() {
            if self.has_share(&state, &state.waiting[at].function)
                && let Some(Waiting { function, sender }) = state.waiting.remove(at)
            {
                given.push((sender, self.give(&mut state, &function)));
            } else {
                at += 1;
            }
        }
        drop(state);
        // Without the lock: a share whose receiver is gone comes back here.
        given.into_iter().for_each(|(sender, share)| drop(sender.send(share)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(&self.function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// Takes all that `function` may have.
    async fn take_all(shares: &Arc<Shares>, function: &Running) -> Vec<Share> {
        let mut taken = Vec::new();
        while let Ok(share) = timeout(Duration::from_millis(1), shares.take(function)).await {
            taken.push(share);
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn each_function_may_have_half_of_what_the_others_leave() {
        let shares = Shares::new(64);
        let functions: [Running; 7] = Default::default();
        let mut taken = Vec::new();
        for (function, half) in functions.iter().zip([32, 16, 8, 4, 2, 1, 1]) {
            let own = take_all(&shares, function).await;
            assert_eq!(own.len(), half);
            taken.push(own);
        }
        assert!(take_all(&shares, &Running::default()).await.is_empty());
        drop(taken);
        assert_eq!(take_all(&Shares::new(1), &Running::default()).await.len(), 1);
        assert_eq!(take_all(&shares, &functions[0]).await.len(), 32, "all came back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_share_in_the_order_of_arrival_also_if_others_have_left() {
        let (shares, function) = (Shares::new(2), Running::default());
        let first = shares.take(&function).await;
        let [mut left, mut second, mut third] = std::array::from_fn(|_| Box::pin(shares.take(&function)));
        for waiting in [&mut left, &mut second, &mut third] {
            assert!(timeout(Duration::from_millis(1), waiting).await.is_err());
        }
        drop((left, first));
        let second = second.await;
        assert!(timeout(Duration::from_millis(1), &mut third).await.is_err());
        drop(second);
        drop(third.await);
        assert_eq!(shares.lock().running, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_waits_for_its_share_keeps_no_other_from_a_free_thread() {
        let (shares, busy, other) = (Shares::new(4), Running::default(), Running::default());
        let _taken = take_all(&shares, &busy).await;
        let mut waiting = Box::pin(shares.take(&busy));
        assert!(timeout(Duration::from_millis(1), &mut waiting).await.is_err());
        assert_eq!(take_all(&shares, &other).await.len(), 1);
    }
}
