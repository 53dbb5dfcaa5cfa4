//! The `worker` executor: long-lived processes, each of which serves request after request of one function, in frames over a
//! socket ([`fezz_wire::frame`]).
//!
//! A `pool` gives each request a slot of a worker; `supply` decides when workers are started, replaced and ended. An
//! `instance` is one worker with its process, `connection` its socket with the `requests` that are `in_flight`. A request's own
//! task encodes its `payload`, a large one by a `conversion` on another thread, and writes it by the `outbox`; the worker's
//! task reads by the `inbox`, which cuts the stream by the
//! `frame_reader`. `end` is why a worker ends, `resident` how much memory it has.

mod connection;
mod conversion;
mod end;
mod frame_reader;
mod in_flight;
mod inbox;
mod instance;
mod outbox;
mod payload;
mod pool;
mod requests;
mod resident;
mod supply;

pub use connection::Connection;
pub use end::{Violation, WorkerFailure};

use super::pool::{Executor, Pool};
use super::start::Starter;
use crate::catalogue::Function;
use crate::metrics::WorkerCounters;
use pool::WorkerPool;
use std::sync::Arc;

/// Keeps workers.
#[derive(Debug)]
pub(super) struct Workers {
    starter: Arc<Starter>,
    counters: WorkerCounters,
}

impl Workers {
    pub(super) fn new(starter: Arc<Starter>, counters: WorkerCounters) -> Self {
        Self { starter, counters }
    }
}

impl Executor for Workers {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        Arc::new(WorkerPool::new(function, Arc::clone(&self.starter), self.counters.clone()))
    }
}
