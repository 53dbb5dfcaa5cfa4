//! The interface between the host and its executors.

use super::answer::Outcome;
use super::load::LoadFailure;
use super::rewind::Rewinding;
use crate::admitted::AdmittedRequest;
use crate::catalogue::Function;
use fezz_wire::control::Separation;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A way to execute requests, which a manifest chooses by its name (`execution`).
pub trait Executor: Debug + Send + Sync {
    /// Makes the pool of one function. It starts nothing before the first call.
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool>;
}

/// Answers the requests of one function, by one executor.
pub trait Pool: Debug + Send + Sync {
    /// Answers a request. If the future is dropped, because the client went away, the request's process is killed. Its
    /// permits are always released after the process is gone, not before. A process with several requests (`worker`) is not
    /// killed; the abandoned ones keep what bounds them.
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call;

    /// Maintains idle processes; is called about once a second. Returns whether the pool is still needed: otherwise it
    /// is dropped, and made again at the next call.
    fn tick(self: Arc<Self>) -> bool;

    /// Keeps at least so many processes ready from now on, also without requests.
    fn keep(self: Arc<Self>, _processes: usize) {}

    /// Whether those processes are there. A pool that starts all it needs with a request is always ready.
    fn readiness(&self) -> watch::Receiver<Readiness> {
        watch::channel(Readiness::Ready).1
    }

    /// The function isn't served any more: ends its idle processes; requests in flight are finished.
    fn retire(self: Arc<Self>);

    /// Ends idle processes, because other functions need the room.
    fn make_room(&self) {}

    /// What the pool has now.
    fn stats(&self) -> Stats;
}

impl Stats {
    /// What two pools of one function have together.
    pub fn and(self, other: Self) -> Self {
        Self {
            idle: self.idle + other.idle,
            zygotes: self.zygotes + other.zygotes,
            workers: self.workers.and(other.workers),
            modules: self.modules + other.modules,
            overdue: self.overdue + other.overdue,
            unused_for: self.unused_for.min(other.unused_for),
            separation: self.separation.or(other.separation),
            rewinding: self.rewinding.max(other.rewinding),
        }
    }
}

/// The workers of a pool.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct WorkerStats {
    /// Not ready yet.
    pub starting: usize,
    /// Without a request.
    pub idle: usize,
    /// With one or more.
    pub busy: usize,
    /// They get no more requests.
    pub ending: usize,
}

impl WorkerStats {
    fn and(self, other: Self) -> Self {
        Self {
            starting: self.starting + other.starting,
            idle: self.idle + other.idle,
            busy: self.busy + other.busy,
            ending: self.ending + other.ending,
        }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.starting + self.idle + self.busy + self.ending
    }
}

/// Whether the processes that a pool is to keep are there.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// Some are being started.
    Starting,
    /// All are ready.
    Ready,
    /// They can't be started. The pool tries again.
    Failed(LoadFailure),
}

/// A call in flight.
pub type Call = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What a pool has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Processes that wait for a request.
    pub idle: usize,
    /// Processes that others are forked from.
    pub zygotes: usize,
    /// Workers, by what they do.
    pub workers: WorkerStats,
    /// Modules that are loaded into the host's own process.
    pub modules: usize,
    /// Calls in the host's own process that go on after their deadline.
    pub overdue: usize,
    /// For how long there has been no request; zero while there is one.
    pub unused_for: Duration,
    /// What separates the processes of one zygote; `None` if there was no zygote.
    pub separation: Option<Separation>,
    /// Whether its processes are put back to their snapshots; `None` for another executor than `rewind`.
    pub rewinding: Option<Rewinding>,
}
