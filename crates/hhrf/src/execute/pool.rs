//! The seam between the host and its executors: how a function gets its responses.

use super::Outcome;
use crate::admit::AdmittedRequest;
use crate::catalogue::Function;
use fezz_wire::control::Separation;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A way to execute requests, which a manifest chooses by its name (`execution`).
pub trait Executor: Debug + Send + Sync {
    /// Makes the pool of one function. It starts nothing before the first call.
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool>;
}

/// What answers the requests of one function, by one executor.
pub trait Pool: Debug + Send + Sync {
    /// Answers a request. When the future is dropped, because the client went away, the request's process is killed. In any
    /// case its permits are released when the process is gone, not before.
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call;

    /// Looks after what is kept between requests; is called about once a second. Returns whether there is anything left:
    /// a pool without anything is dropped, and made again at the next call.
    fn tick(self: Arc<Self>) -> bool;

    /// The function isn't served any more: what waits for its requests ends, and those under way are finished.
    fn retire(self: Arc<Self>);

    /// A response of [`Self::call`] turned out to be none when it was decoded. It counts as a crash does where processes
    /// have much in common.
    fn reject(&self) {}

    /// Gives up what waits for requests, because other functions need the room.
    fn make_room(&self) {}

    /// What it has now.
    fn stats(&self) -> Stats;
}

/// A call under way.
pub type Call = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What a pool has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Processes that wait for a request.
    pub idle: usize,
    /// Processes that others are forked from.
    pub zygotes: usize,
    /// For how long there has been no request; zero while there is one.
    pub unused_for: Duration,
    /// What keeps the processes of one zygote apart; `None` where there was none.
    pub separation: Option<Separation>,
}
