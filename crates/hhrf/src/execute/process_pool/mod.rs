//! A pool of processes, each of which serves one request of one function at a time. Where the processes come from is the
//! [`factory`]'s: `spawn` starts runners, `fork` has a zygote fork them, `rewind` uses them again.
//!
//! The pool keeps as many processes [`idle`] as there is [demand](super::demand) for. `exchange` is one request with a
//! process that serves it over a channel.

pub(super) mod exchange;
pub(super) mod factory;
pub(super) mod idle;

use self::factory::{PooledProcess, ProcessFactory};
use self::idle::IdleOf;
use super::Failure;
use super::pool::{Call, Pool, Stats};
use crate::admitted::AdmittedRequest;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout_at};

/// The processes of one function.
#[derive(Debug)]
pub(super) struct ProcessPool<F: ProcessFactory> {
    factory: Arc<F>,
    idle: IdleOf<F>,
    /// The most stderr of one request that is logged.
    stderr_bytes_max: usize,
    runtime: Handle,
    is_filling: AtomicBool,
}

/// A request of a pool, counted until this is dropped.
struct Counted<F: ProcessFactory>(Arc<ProcessPool<F>>);

/// Idle processes are being started, by one at a time: so there are no more than are wanted.
struct Filling<F: ProcessFactory>(Arc<ProcessPool<F>>);

/// What a pool knows of failures is kept for so long after its last request. After that, the next request is the first.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// An idle process can be gone when it gets its request: killed by the kernel, or with its zygote, whose end a busy
/// host notices some milliseconds later. The pauses, each twice as long as the one before, are an eighth of a second
/// together.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(1);

impl<F: ProcessFactory> ProcessPool<F> {
    /// Keeps processes of `factory` in `idle`. Must be called within a runtime.
    pub(super) fn new(factory: Arc<F>, idle: IdleOf<F>, stderr_bytes_max: usize) -> Self {
        Self {
            factory,
            idle,
            stderr_bytes_max,
            runtime: Handle::current(),
            is_filling: AtomicBool::new(false),
        }
    }

    /// Takes a process for a new request: an idle one, else one that is started now.
    async fn take(self: &Arc<Self>, request: &AdmittedRequest) -> Result<F::Process, Failure> {
        self.factory.check()?;
        if self.factory.suits_idle(request)
            && let Some(process) = self.idle.take()
        {
            return Ok(process);
        }
        if !F::STARTS_FAST {
            // More requests at a time than before: prewarm more.
            self.refill();
        }
        self.factory.start(request.facts.deadline).await
    }

    /// Starts as many idle processes as are wanted, unless that is being done.
    fn refill(self: &Arc<Self>) {
        let Some(filling) = Filling::begin(self) else { return };
        if F::STARTS_FAST {
            while filling.0.add_idle() {}
        } else {
            self.runtime.spawn(async move {
                while filling.0.add_idle() {
                    // Starting one blocks this thread for a millisecond: let other tasks run.
                    tokio::task::yield_now().await;
                }
            });
        }
    }

    /// Starts one, if one is wanted and may be started.
    fn add_idle(&self) -> bool {
        let Some(permit) = self.idle.permit_for_next() else { return false };
        let Some(process) = self.factory.prewarm() else { return false };
        self.idle.push(process, permit);
        true
    }
}

impl<F: ProcessFactory> Pool for ProcessPool<F> {
    fn call(self: Arc<Self>, mut request: AdmittedRequest) -> Call {
        Box::pin(async move {
            let counted = Counted::begin(self);
            let pool = &counted.0;
            let mut pauses = (0..ATTEMPTS - 1).map(|attempt| PAUSE * (1 << attempt));
            loop {
                let process = pool.take(&request).await?;
                let error = match process.begin(request, pool.stderr_bytes_max) {
                    Ok(answer) => {
                        if F::STARTS_FAST {
                            pool.refill();
                        }
                        return answer.await;
                    }
                    Err((error, again)) => {
                        request = *again;
                        error
                    }
                };
                match pauses.next().filter(|_| error.kind() == io::ErrorKind::BrokenPipe) {
                    Some(pause) => timeout_at(request.facts.deadline, sleep(pause)).await.unwrap_or_default(),
                    None => return Err(Failure::NotStarted(error)),
                }
            }
        })
    }

    fn tick(self: Arc<Self>) -> bool {
        let unused_for = self.idle.unused_for();
        let is_filling = self.is_filling.load(Ordering::Relaxed);
        self.idle.trim(F::IDLE_MAX);
        self.refill();
        let has_some = self.factory.tick(unused_for);
        let kept_for = if self.idle.is_retired() { Duration::ZERO } else { KEPT_FOR };
        has_some || is_filling || self.idle.len() > 0 || unused_for <= kept_for
    }

    fn retire(self: Arc<Self>) {
        self.idle.retire();
        self.factory.retire();
        self.tick();
    }

    fn make_room(&self) {
        self.factory.make_room();
    }

    fn stats(&self) -> Stats {
        Stats { idle: self.idle.len(), unused_for: self.idle.unused_for(), ..self.factory.stats() }
    }
}

impl<F: ProcessFactory> Filling<F> {
    fn begin(pool: &Arc<ProcessPool<F>>) -> Option<Self> {
        let is_filling = pool.is_filling.swap(true, Ordering::Acquire);
        (!is_filling).then(|| Self(Arc::clone(pool)))
    }
}

impl<F: ProcessFactory> Drop for Filling<F> {
    fn drop(&mut self) {
        self.0.is_filling.store(false, Ordering::Release);
    }
}

impl<F: ProcessFactory> Counted<F> {
    fn begin(pool: Arc<ProcessPool<F>>) -> Self {
        pool.idle.begin_request();
        Self(pool)
    }
}

impl<F: ProcessFactory> Drop for Counted<F> {
    fn drop(&mut self) {
        self.0.idle.end_request();
        if !F::STARTS_FAST {
            self.0.refill();
        }
    }
}
