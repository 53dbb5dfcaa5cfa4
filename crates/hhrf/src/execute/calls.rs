//! Calls of code in the host's own process. No call of it can be killed: what ends is the wait for its answer.

use super::failure::Failure;
use crate::admitted::RequestBody;
use crate::limiter::Permit;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The running calls of one function.
#[derive(Debug)]
pub struct Calls {
    overdue_max: usize,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    /// Deadlines, by number.
    deadlines: HashMap<u64, Instant>,
}

/// One running call: its permits and the memory of its request, which are released when the last clone is dropped. So a
/// call that goes on after its deadline, or after its client has left, still counts for the function's concurrency.
#[derive(Debug, Clone)]
pub struct CallGuard {
    _call: Arc<Call>,
}

#[derive(Debug)]
struct Call {
    number: u64,
    calls: Arc<Calls>,
    _permits: [Permit; 2],
    _body: RequestBody,
}

impl Calls {
    /// Refuses a call while `overdue_max` others go on after their deadline.
    pub fn new(overdue_max: u32) -> Arc<Self> {
        Arc::new(Self { overdue_max: overdue_max as usize, running: Mutex::default() })
    }

    /// Begins a call.
    ///
    /// # Errors
    ///
    /// [`Failure::Overdue`]: too many others go on after their deadline.
    pub fn begin(
        self: &Arc<Self>,
        permits: [Permit; 2],
        body: RequestBody,
        deadline: Instant,
    ) -> Result<CallGuard, Failure> {
        let mut running = self.lock();
        self.check(&running)?;
        let number = running.next;
        running.next += 1;
        running.deadlines.insert(number, deadline);
        drop(running);
        let call = Call { number, calls: Arc::clone(self), _permits: permits, _body: body };
        Ok(CallGuard { _call: Arc::new(call) })
    }

    /// Whether a call would be refused now, before it waits for something.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub fn check_overdue(&self) -> Result<(), Failure> {
        self.check(&self.lock())
    }

    fn check(&self, running: &Running) -> Result<(), Failure> {
        let overdue = running.overdue();
        if overdue >= self.overdue_max {
            return Err(Failure::Overdue { calls: overdue });
        }
        Ok(())
    }

    /// Calls that have not ended.
    pub fn running(&self) -> usize {
        self.lock().deadlines.len()
    }

    /// Those of them that have passed their deadline.
    pub fn overdue(&self) -> usize {
        self.lock().overdue()
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        // Nothing that is done under the lock can panic halfway.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn overdue(&self) -> usize {
        if self.deadlines.is_empty() {
            return 0;
        }
        let now = Instant::now();
        self.deadlines.values().filter(|deadline| **deadline < now).count()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.lock().deadlines.remove(&self.number);
    }
}
