//! The executor of functions that are code of the program itself: a program that embeds the host brings them as
//! [`Native`]. They run as tasks of the host's runtime, with all rights of the program.

mod heartbeat;

use super::answer::{self, Outcome};
use super::calls::{CallGuard, Calls};
use super::failure::Failure;
use super::pool::{Call, Executor, Pool, Stats};
use crate::admitted::{AdmittedRequest, RequestFacts};
use crate::catalogue::Function;
use crate::release::Code;
use bytes::Bytes;
use heartbeat::{Beating, Heartbeat};
use http::Response;
use std::any::Any;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout_at};

/// A function of the program itself.
pub trait Native: Debug + Send + Sync + 'static {
    /// Answers a request. The future is dropped at the deadline, and when the client disconnects. It can't be ended
    /// while it is polled: a function that blocks its thread holds one of the runtime's until it returns.
    ///
    /// # Errors
    ///
    /// [`Failure::Returned`], with a message for the log; or another failure that fits. A panic is
    /// [`Failure::Panicked`].
    fn call(self: Arc<Self>, request: NativeRequest) -> NativeCall;
}

/// A native call in flight.
pub type NativeCall = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Failure>> + Send>>;

/// An admitted request for a native function.
#[derive(Debug)]
pub struct NativeRequest {
    /// All but the body.
    pub facts: RequestFacts,
    /// The body.
    pub body: Bytes,
    /// Has the request's permits and memory: to be kept while the function works for the request, also by a thread that
    /// outlives the call's future.
    pub guard: CallGuard,
}

/// Runs the native function of each release.
#[derive(Debug)]
pub(super) struct NativeExecutor {
    overdue_max: u32,
    /// From the first native function on.
    heartbeat: OnceLock<Arc<Heartbeat>>,
}

#[derive(Debug)]
struct NativePool {
    calls: Arc<Calls>,
    heartbeat: Arc<Heartbeat>,
}

impl NativeExecutor {
    pub(super) fn new(overdue_max: u32) -> Self {
        Self { overdue_max, heartbeat: OnceLock::new() }
    }
}

impl Executor for NativeExecutor {
    fn pool(&self, _: &Arc<Function>) -> Arc<dyn Pool> {
        let heartbeat = Arc::clone(self.heartbeat.get_or_init(Heartbeat::start));
        Arc::new(NativePool { calls: Calls::new(self.overdue_max), heartbeat })
    }
}

impl Pool for NativePool {
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call {
        Box::pin(async move { self.answer(request).await })
    }

    fn tick(self: Arc<Self>) -> bool {
        self.calls.running() > 0
    }

    fn retire(self: Arc<Self>) {}

    fn stats(&self) -> Stats {
        Stats { overdue: self.calls.overdue(), ..Stats::default() }
    }
}

impl NativePool {
    async fn answer(&self, request: AdmittedRequest) -> Outcome {
        let AdmittedRequest { facts, body, response_memory, permits, kept: _ } = request;
        let deadline = facts.deadline;
        let body_bytes_max = facts.function.release.limits.response_body_bytes;
        // Of the request, not of the pool: so the last request of a release that isn't served any more drops it.
        let Code::Native(native) = &facts.function.release.code else {
            unreachable!("`Executors` brings only native releases here")
        };
        let (native, bytes) = (Arc::clone(native), body.bytes.clone());
        let guard = self.calls.begin(permits, body, deadline)?;
        let request = NativeRequest { facts, body: bytes, guard };
        // A task of its own: if it blocks its thread, the wait for it still ends at the deadline.
        let task = tokio::spawn(native.call(request));
        let mut task = Task { task, _beating: self.heartbeat.call() };
        match timeout_at(deadline, &mut task.task).await {
            // Where every thread was blocked, the end of the call is seen before that of its time.
            Ok(_) if Instant::now() > deadline => Err(Failure::DeadlineExceeded),
            Ok(Ok(response)) => answer::of_native(response?, response_memory, body_bytes_max),
            Ok(Err(ended)) => Err(failed(ended)),
            Err(_) => Err(Failure::DeadlineExceeded),
        }
    }
}

/// A function's task, which is cancelled when this is dropped.
#[derive(Debug)]
struct Task {
    task: JoinHandle<Result<Response<Bytes>, Failure>>,
    _beating: Beating,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn failed(ended: JoinError) -> Failure {
    match ended.try_into_panic() {
        Ok(payload) => {
            let message = panic_message(&*payload);
            // The payload's own drop may panic, and that would end the client's connection.
            std::mem::forget(payload);
            Failure::Panicked(message)
        }
        // The runtime is shutting down.
        Err(_) => Failure::Host,
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "not a text".to_owned())
}
