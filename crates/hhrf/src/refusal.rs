//! Why the host says no: before a function runs, or, once, to its answer.

use crate::memory::Full;
use std::collections::BTreeSet;

/// A request that gets no function's answer though none failed. Its text is for the client too: it tells nothing but
/// the client's own request and the limits that it met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No function, no route.
    #[error("no function answers this path")]
    NotFound,
    /// The path exists for other methods.
    #[error("this path doesn't take this method")]
    MethodNotAllowed {
        /// For the `Allow` header.
        allowed: BTreeSet<String>,
    },
    /// The request makes no sense.
    #[error("{detail}")]
    BadRequest {
        /// What is wrong.
        detail: String,
    },
    /// The body's end can be found in more than one way.
    #[error("the transfer coding `chunked` doesn't stand alone")]
    BadFraming,
    /// The body is encoded for the way in an unknown manner.
    #[error("this host knows no transfer coding but `chunked`")]
    UnknownCoding,
    /// The request's head takes too long.
    #[error("the request's head took over {ms_max} ms")]
    HeadTimeout {
        /// The host's limit.
        ms_max: u128,
    },
    /// The client stopped in the middle of its body.
    #[error("the body ended early")]
    BodyBroken,
    /// The body is over the function's limit.
    #[error("the body is over {bytes_max} bytes")]
    BodyTooLarge {
        /// The function's limit.
        bytes_max: u64,
    },
    /// The body takes too long.
    #[error("the body took over {ms_max} ms")]
    BodyTimeout {
        /// The host's limit.
        ms_max: u128,
    },
    /// The body comes too slowly.
    #[error("the body came by less than {bytes_per_second} bytes per second")]
    BodyTooSlow {
        /// The host's limit.
        bytes_per_second: u64,
    },
    /// The headers are over the host's limit.
    #[error("the headers are {bytes} bytes, the limit is {bytes_max}")]
    HeadersTooLarge {
        /// Names and values together.
        bytes: usize,
        /// The host's limit.
        bytes_max: usize,
    },
    /// More headers than the host takes.
    #[error("there are {headers} headers, the limit is {headers_max}")]
    TooManyHeaders {
        /// How many.
        headers: usize,
        /// The host's limit.
        headers_max: usize,
    },
    /// No place is free and the queue is full.
    #[error("{what} is full, try again later")]
    Overloaded {
        /// What is full.
        what: &'static str,
    },
    /// There is no memory for the request, or for its response. The function didn't run.
    #[error("{0}, try again later")]
    NoMemory(Full),
    /// The host is about to end.
    #[error("this host is shutting down, try another")]
    Draining,
    /// The deadline passed in the queue.
    #[error("the request waited to its deadline")]
    QueuedTooLong,
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self::NoMemory(full)
    }
}

impl Refusal {
    /// Whether the connection, if it is HTTP/1's, ends with it: where the next request would begin isn't known, or
    /// would have to be waited for too long.
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::BadFraming
                | Self::UnknownCoding
                | Self::HeadTimeout { .. }
                | Self::BodyBroken
                | Self::BodyTimeout { .. }
                | Self::BodyTooSlow { .. }
        )
    }
}
