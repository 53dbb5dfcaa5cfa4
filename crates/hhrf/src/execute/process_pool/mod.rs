//! A pool of processes, each of which serves one request of one function. Where the processes come from is the
//! [`factory`]'s: `spawn` starts runners, `fork` has a zygote fork them.
//!
//! The pool keeps as many processes [`idle`] as there is [demand](super::demand) for. `exchange` is one request with its
//! process.

mod exchange;
pub(super) mod factory;
pub(super) mod idle;

use self::exchange::Exchange;
use self::factory::ProcessFactory;
use self::idle::IdleOf;
use super::Failure;
use super::demand::{Demand, IdlePermit, IdlePermits};
use super::pool::{Call, Pool, Stats};
use crate::admitted::AdmittedRequest;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout_at};

/// The processes of one function.
#[derive(Debug)]
pub(super) struct ProcessPool<F: ProcessFactory> {
    factory: Arc<F>,
    idle: IdleOf<F>,
    permits: IdlePermits,
    /// The most stderr of one request that is logged.
    stderr_bytes_max: usize,
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    demand: Demand,
    is_filling: bool,
    is_retired: bool,
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
    /// Keeps up to `spare_max` processes of `factory` in `idle`, as long as there are `permits`. Must be called within
    /// a runtime.
    pub(super) fn new(
        factory: Arc<F>,
        idle: IdleOf<F>,
        permits: IdlePermits,
        spare_max: u32,
        stderr_bytes_max: usize,
    ) -> Self {
        let state = State { demand: Demand::new(spare_max), is_filling: false, is_retired: false };
        let runtime = Handle::current();
        Self { factory, idle, permits, stderr_bytes_max, runtime, state: Mutex::new(state) }
    }

    /// Takes a process for a new request: an idle one, else one that is started now.
    async fn take(self: &Arc<Self>, request: &AdmittedRequest) -> Result<F::Process, Failure> {
        self.factory.check()?;
        if let Some(process) = self.idle.take() {
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
        let Some(permit) = self.permit_for_next() else { return false };
        let Some(process) = self.factory.prewarm() else { return false };
        self.idle.push(process, permit);
        true
    }

    fn permit_for_next(&self) -> Option<IdlePermit> {
        let is_wanted = self.idle.len() < self.lock().wanted(Instant::now());
        is_wanted.then(|| self.permits.take()).flatten()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
                let error = match Exchange::begin(process, request, pool.stderr_bytes_max) {
                    Ok(exchange) => {
                        if F::STARTS_FAST {
                            pool.refill();
                        }
                        return exchange.answer().await;
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
        let now = Instant::now();
        let (wanted, unused_for, is_retired, is_filling) = {
            let mut state = self.lock();
            (state.wanted(now), state.demand.idle_for(now), state.is_retired, state.is_filling)
        };
        self.idle.trim(wanted, F::IDLE_MAX);
        self.refill();
        let has_some = self.factory.tick(unused_for);
        let kept_for = if is_retired { Duration::ZERO } else { KEPT_FOR };
        has_some || is_filling || self.idle.len() > 0 || unused_for <= kept_for
    }

    fn retire(self: Arc<Self>) {
        self.lock().is_retired = true;
        self.factory.retire();
        self.tick();
    }

    fn make_room(&self) {
        self.factory.make_room();
    }

    fn stats(&self) -> Stats {
        let unused_for = self.lock().demand.idle_for(Instant::now());
        Stats { idle: self.idle.len(), unused_for, ..self.factory.stats() }
    }
}

impl State {
    /// How many idle processes to keep.
    fn wanted(&mut self, now: Instant) -> usize {
        if self.is_retired { 0 } else { self.demand.wanted(now) }
    }
}

impl<F: ProcessFactory> Filling<F> {
    fn begin(pool: &Arc<ProcessPool<F>>) -> Option<Self> {
        let is_filling = std::mem::replace(&mut pool.lock().is_filling, true);
        (!is_filling).then(|| Self(Arc::clone(pool)))
    }
}

impl<F: ProcessFactory> Drop for Filling<F> {
    fn drop(&mut self) {
        self.0.lock().is_filling = false;
    }
}

impl<F: ProcessFactory> Counted<F> {
    fn begin(pool: Arc<ProcessPool<F>>) -> Self {
        pool.lock().demand.begin(Instant::now());
        Self(pool)
    }
}

impl<F: ProcessFactory> Drop for Counted<F> {
    fn drop(&mut self) {
        self.0.lock().demand.end(Instant::now());
        if !F::STARTS_FAST {
            self.0.refill();
        }
    }
}
