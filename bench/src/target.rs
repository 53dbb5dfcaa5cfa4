//! A target of a measurement: something that answers requests.

use std::error::Error;
use std::io;
use std::time::Duration;

/// One measuring interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its length.
    pub duration: Duration,
    /// Clients at a time. Each sends its next request when the previous one is answered.
    pub concurrency: usize,
    /// The pause of a client between an answer and its next request.
    pub pause: Duration,
}

/// The requests of one target in one interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// The time from sending each request to its whole answer; sorted.
    pub latencies: Vec<Duration>,
    /// From the first request's start to the last one's end.
    pub elapsed: Duration,
}

impl Interval {
    /// One request of one client.
    pub const ONE: Self = Self { duration: Duration::ZERO, concurrency: 1, pause: Duration::ZERO };
}

impl Slice {
    /// From latencies in any order.
    pub(crate) fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }
}

/// A failed request ends the whole run: its figures would mean nothing.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// Of a target of one kind, in its own words.
    #[error(transparent)]
    Target(Box<dyn Error + Send + Sync>),
    /// Waiting for answers by epoll(7) failed.
    #[error("failed to wait for answers")]
    Poll(#[source] io::Error),
    /// A request got no answer.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// What is measured.
pub trait Target {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// Sends requests during the interval, at least one of each client, and waits for the last answers.
    ///
    /// # Errors
    ///
    /// The first request that failed.
    fn measure(&self, interval: Interval) -> Result<Slice, MeasureError>;
}
