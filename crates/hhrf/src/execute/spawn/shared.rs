//! What the runners of one function share.

use crate::catalogue::Function;
use crate::execute::back_off::{BackOff, Retry};
use crate::execute::failure::Failure;
use crate::execute::start::Starter;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The function of the runners, what starts them, and when to prewarm the next.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) function: Arc<Function>,
    pub(super) starter: Arc<Starter>,
    prewarming: Mutex<Prewarming>,
}

#[derive(Debug, Default)]
struct Prewarming {
    back_off: BackOff,
    /// None is prewarmed until then, after one ended without a request.
    broken_until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(function: Arc<Function>, starter: Arc<Starter>) -> Self {
        Self { function, starter, prewarming: Mutex::default() }
    }

    /// Whether a runner may be prewarmed now.
    pub(super) fn may_prewarm(&self) -> bool {
        self.lock().broken_until.is_none_or(|until| Instant::now() >= until)
    }

    /// A runner has answered: the module can be loaded.
    pub(super) fn has_answered(&self) {
        *self.lock() = Prewarming::default();
    }

    /// A prewarmed runner ended before it had a request.
    pub(super) fn ended_unused(&self, status: ExitStatus) {
        let retry = self.pause();
        tracing::error!(
            function = self.function.name(),
            error = %Failure::of_exit(status, self.function.release.limits.memory_bytes),
            "a prewarmed runner ended before it had a request; {retry}"
        );
    }

    /// A runner couldn't be prewarmed. Returns when to retry.
    pub(super) fn pause(&self) -> Retry {
        let mut prewarming = self.lock();
        let retry = prewarming.back_off.failed();
        prewarming.broken_until = Some(retry.at);
        retry
    }

    fn lock(&self) -> MutexGuard<'_, Prewarming> {
        // Nothing that is done under the lock can panic halfway.
        self.prewarming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
