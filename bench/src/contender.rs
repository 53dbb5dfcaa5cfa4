//! A way to have a function answer, as often as it can.

use crate::bare::BareError;
use crate::http::HttpError;
use crate::prefork::PreforkError;
use std::io;
use std::time::Duration;

/// What a contender is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// How long.
    pub duration: Duration,
    /// Clients at a time. Each sends a request when its last one is answered.
    pub concurrency: usize,
    /// What a client waits between an answer and its next request.
    pub pause: Duration,
}

/// What a contender did in one turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// How long each request took, from its sending to its whole answer; sorted.
    pub latencies: Vec<Duration>,
    /// From the first request's start to the last one's end.
    pub elapsed: Duration,
}

impl Turn {
    /// One request of one client.
    pub const ONE: Self = Self { duration: Duration::ZERO, concurrency: 1, pause: Duration::ZERO };
}

impl Slice {
    /// What was measured, in any order.
    pub(crate) fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }
}

/// Why a run ends without a table: a figure of something that failed would be worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum ContenderError {
    /// The plain spawn.
    #[error(transparent)]
    Bare(#[from] BareError),
    /// A server: the host or a peer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The loop without a server.
    #[error(transparent)]
    Prefork(#[from] PreforkError),
    /// The kernel doesn't tell when an answer is there.
    #[error("failed to wait for answers")]
    Poll(#[source] io::Error),
    /// A request was lost.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// What is measured.
pub trait Contender {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// Answers requests for the turn, one of each client at least, and then those that are under way.
    ///
    /// # Errors
    ///
    /// The first request that failed.
    fn turn(&self, turn: Turn) -> Result<Slice, ContenderError>;
}
