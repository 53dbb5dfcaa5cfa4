//! The workers of one function, and the requests that wait for one.

use super::connection::Connection;
use super::conversion::Conversions;
use super::end::{Drain, End, WorkerFailure};
use super::in_flight::Reply;
use super::instance::{Ended, Instance, describe};
use super::payload;
use super::supply::{Keep, Limits, Member, Supply};
use crate::admitted::AdmittedRequest;
use crate::catalogue::Function;
use crate::execute::answer::Outcome;
use crate::execute::failure::Failure;
use crate::execute::load::LoadFailure;
use crate::execute::pool::{Call, Pool, Readiness, Stats, WorkerStats};
use crate::execute::start::Starter;
use crate::metrics::WorkerCounters;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout_at;

/// The workers of one function.
#[derive(Debug)]
pub(super) struct WorkerPool {
    function: Arc<Function>,
    starter: Arc<Starter>,
    counters: WorkerCounters,
    limits: Limits,
    state: Mutex<State>,
    conversions: Conversions,
    readiness: watch::Sender<Readiness>,
    /// The host may call a pool outside of its runtime.
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    supply: Supply,
    /// In the order of arrival. Some may have given up.
    waiting: VecDeque<oneshot::Sender<Result<Slot, Failure>>>,
    last_used: Instant,
    keep: Keep,
}

/// The right of one request to one of a worker's slots, released when this is dropped: it goes to the request that waits
/// longest.
#[derive(Debug)]
pub(super) struct Slot {
    pool: Arc<WorkerPool>,
    connection: Arc<Connection>,
}

/// What a pool knows of failures is kept for so long after its last request. After that, the next request is the first.
const KEPT_FOR: Duration = Duration::from_secs(60);

impl WorkerPool {
    /// Must be called within a runtime.
    pub(super) fn new(function: &Arc<Function>, starter: Arc<Starter>, counters: WorkerCounters) -> Self {
        let limits = Limits::of(&function.release.worker);
        let state = State {
            supply: Supply::default(),
            waiting: VecDeque::new(),
            last_used: Instant::now(),
            keep: Keep::within(&limits, 0),
        };
        Self {
            function: Arc::clone(function),
            starter,
            counters,
            limits,
            state: Mutex::new(state),
            conversions: Conversions::default(),
            readiness: watch::Sender::new(Readiness::Starting),
            runtime: Handle::current(),
        }
    }

    /// A worker that ends before it has seen the request costs nothing but another try.
    async fn answer(self: &Arc<Self>, mut request: Box<AdmittedRequest>) -> Outcome {
        let body_bytes_max = self.function.release.limits.response_body_bytes;
        let (deadline, identity) = (request.facts.deadline, Arc::clone(&request.facts.identity));
        loop {
            let slot = self.slot(deadline).await?;
            let connection = Arc::clone(&slot.connection);
            let format = connection.format();
            let bytes = payload::converted_bytes(format, request.body.bytes.len());
            let encode = move || (payload::encode(&request, format), request);
            let (payload, encoded) = self.conversions.run(bytes, deadline, encode).await?;
            let pending = match connection.send(slot, *encoded, payload?) {
                Ok(pending) => pending,
                Err(again) => {
                    request = again;
                    continue;
                }
            };
            match pending.reply(deadline, &identity.request_id).await {
                Reply::Response(payload, holding) => {
                    let bytes = payload::converted_bytes(format, payload.len());
                    let decode = move || payload::decode(&payload, format, holding, body_bytes_max);
                    return self.conversions.run(bytes, deadline, decode).await?;
                }
                Reply::Unsent(again) => request = again,
                Reply::Failed(failure) => return Err(failure),
            }
        }
    }

    /// A slot of the worker that has the fewest requests, or of the next one that has a free slot.
    async fn slot(self: &Arc<Self>, deadline: tokio::time::Instant) -> Result<Slot, Failure> {
        let receiver = {
            let mut state = self.lock();
            state.last_used = Instant::now();
            if let Some(connection) = state.supply.choose(self.limits.concurrency) {
                return Ok(Slot { pool: Arc::clone(self), connection });
            }
            state.supply.check().map_err(Failure::NotLoaded)?;
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(sender);
            self.provide(&mut state);
            receiver
        };
        match timeout_at(deadline, receiver).await {
            Ok(slot) => slot.map_err(|_| Failure::Host)?,
            // Not `DeadlineExceeded`: the function hasn't seen the request.
            Err(_) => match self.lock().supply.len() {
                0 => Err(Failure::NotLoaded(LoadFailure::TooLate)),
                workers => Err(WorkerFailure::Busy { workers }.into()),
            },
        }
    }

    /// Starts the workers that are missing, now or when their pause is over.
    fn provide(self: &Arc<Self>, state: &mut State) {
        state.waiting.retain(|waiting| !waiting.is_closed());
        let missing = state.supply.missing(&self.limits, state.waiting.len(), state.keep);
        for _ in 0..missing.now {
            let number = state.supply.begin_start();
            self.runtime.spawn(Arc::clone(self).run(number));
        }
        self.readiness.send_replace(state.supply.readiness(state.keep));
        if let Some(at) = missing.later {
            let pool = Arc::clone(self);
            self.runtime.spawn(async move {
                tokio::time::sleep_until(at.into()).await;
                let mut state = pool.lock();
                state.supply.pause_is_over();
                pool.provide(&mut state);
            });
        }
    }

    /// One worker, from its start to its end.
    async fn run(self: Arc<Self>, number: u64) {
        let started = Instance::start(&self.starter, &self.function, number, self.limits.concurrency);
        let ready = match started {
            Ok(instance) => instance.ready().await,
            Err(error) => Err(LoadFailure::NotStarted(Arc::new(error))),
        };
        self.counters.started(&self.function.name());
        let mut instance = match ready {
            Ok(instance) => instance,
            Err(failure) => return self.not_ready(number, failure),
        };
        let born = Instant::now();
        let connection = Arc::clone(&instance.connection);
        self.begin_service(Member::new(Arc::clone(&connection), instance.pid(), born));
        let end = instance.supervise().await;
        let retry = {
            let mut state = self.lock();
            state.supply.remove(&connection);
            let lived = born.elapsed();
            let retry = if end.is_in_order() { None } else { state.supply.crashed(lived) };
            self.provide(&mut state);
            retry
        };
        let ended = instance.end(&end).await;
        self.report(number, &end, &ended, retry.map(|retry| retry.to_string()));
        let mut state = self.lock();
        state.supply.gone();
        // There may have been no room for its successor.
        self.provide(&mut state);
    }

    /// A worker is ready: requests that wait for it get it, and it takes the place of one whose time has come.
    fn begin_service(self: &Arc<Self>, member: Member) {
        let mut state = self.lock();
        tracing::debug!(function = self.function.name(), worker = member.connection.number(), "worker ready");
        let connection = Arc::clone(&member.connection);
        state.supply.begin_service(member);
        self.readiness.send_replace(state.supply.readiness(state.keep));
        drop(state);
        self.offer(&connection);
        let mut state = self.lock();
        if state.keep == Keep::Retired {
            self.drain_unneeded(&mut state);
        }
    }

    fn not_ready(self: &Arc<Self>, number: u64, failure: LoadFailure) {
        let mut state = self.lock();
        let (retry, is_refused) = state.supply.not_ready(number, failure.clone());
        self.counters.ended(&self.function.name(), "failed_to_start", 0);
        tracing::error!(
            function = self.function.name(),
            worker = number,
            error = crate::log::chain(&failure),
            "worker failed to start; {retry}"
        );
        let refused = match is_refused {
            true => std::mem::take(&mut state.waiting),
            false => VecDeque::new(),
        };
        self.provide(&mut state);
        drop(state);
        for waiting in refused {
            waiting.send(Err(Failure::NotLoaded(failure.clone()))).ok();
        }
    }

    fn report(&self, number: u64, end: &End, ended: &Ended, retry: Option<String>) {
        let (function, limit_bytes) = (self.function.name(), self.function.release.limits.memory_bytes);
        let Ended { status, last_line, lost } = ended;
        self.counters.ended(&function, end.reason(), *lost);
        let reason = end.reason();
        if end.is_in_order() {
            tracing::debug!(function, worker = number, reason, "worker ended");
            return;
        }
        let next = retry.unwrap_or_else(|| "another one starts when it is needed".to_owned());
        tracing::warn!(
            function,
            worker = number,
            reason,
            requests_lost = lost,
            last_line,
            "worker ended: {}; {next}",
            describe(end, status, limit_bytes)
        );
    }

    /// Gives the free slots of a worker to the requests that wait longest.
    fn offer(self: &Arc<Self>, connection: &Arc<Connection>) {
        loop {
            let mut state = self.lock();
            if state.waiting.is_empty() || !state.supply.take(connection, self.limits.concurrency) {
                return;
            }
            let waiting = state.waiting.pop_front();
            drop(state);
            let slot = Slot { pool: Arc::clone(self), connection: Arc::clone(connection) };
            // One that has given up drops the slot, which releases it.
            if let Some(waiting) = waiting {
                drop(waiting.send(Ok(slot)));
            }
        }
    }

    /// A slot is free.
    fn release(self: &Arc<Self>, connection: &Arc<Connection>) {
        let mut state = self.lock();
        state.last_used = Instant::now();
        state.supply.release(connection, &self.limits);
        let has_waiting = !state.waiting.is_empty();
        if state.keep == Keep::Retired && !has_waiting {
            self.drain_unneeded(&mut state);
        }
        if state.supply.has_due() {
            self.provide(&mut state);
        }
        drop(state);
        if has_waiting {
            self.offer(connection);
        }
    }

    /// The release isn't served any more: workers without a request end, unless one waits for them. The others end with the
    /// last slot that they have given away.
    fn drain_unneeded(&self, state: &mut State) {
        state.waiting.retain(|waiting| !waiting.is_closed());
        if state.waiting.is_empty() {
            state.supply.drain_free(Drain::Retired);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool for WorkerPool {
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call {
        Box::pin(async move { self.answer(Box::new(request)).await })
    }

    fn tick(self: Arc<Self>) -> bool {
        let mut state = self.lock();
        let keep = state.keep;
        state.supply.tick(&self.limits, keep, Instant::now());
        if keep == Keep::Retired {
            self.drain_unneeded(&mut state);
        }
        self.provide(&mut state);
        let kept_for = if keep == Keep::Retired { Duration::ZERO } else { KEPT_FOR };
        keep.workers() > 0 || state.supply.processes() > 0 || state.last_used.elapsed() <= kept_for
    }

    fn keep(self: Arc<Self>, processes: usize) {
        let mut state = self.lock();
        if state.keep != Keep::Retired {
            state.keep = Keep::within(&self.limits, processes);
        }
        self.provide(&mut state);
    }

    fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    fn retire(self: Arc<Self>) {
        let mut state = self.lock();
        state.keep = Keep::Retired;
        self.drain_unneeded(&mut state);
    }

    fn stats(&self) -> Stats {
        let workers: WorkerStats = self.lock().supply.stats();
        Stats { workers, ..Stats::default() }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.release(&self.connection);
    }
}
