//! Why the host refuses a request.

use crate::memory::Full;
use std::collections::BTreeSet;

/// A request that the host doesn't give to a function. Its text is for the client, too: it tells only of the client's
/// own request and the limits that it met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
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
    BadRequest { detail: String },
    /// Two parties could find the body's end in different places.
    #[error("the transfer coding must be `chunked`, and only once")]
    BadFraming,
    /// The body has an unknown transfer coding.
    #[error("`chunked` is the only transfer coding that this host supports")]
    UnknownCoding,
    /// The request's head takes too long.
    #[error("the request's head took over {ms_max} ms")]
    HeadTimeout { ms_max: u128 },
    /// The client stopped in the middle of its body.
    #[error("the body ended early")]
    BodyBroken,
    /// The body is over the function's limit.
    #[error("the body is over {bytes_max} bytes (`limits.request_body_bytes`)")]
    BodyTooLarge { bytes_max: u64 },
    /// The body takes too long.
    #[error("the body took over {ms_max} ms")]
    BodyTimeout { ms_max: u128 },
    /// The body arrives too slowly.
    #[error("the body arrived at less than {bytes_per_second} bytes per second")]
    BodyTooSlow { bytes_per_second: u64 },
    /// The headers are over the host's limit.
    #[error("the headers are {bytes} bytes, the limit is {bytes_max}")]
    HeadersTooLarge {
        /// Names and values together.
        bytes: usize,
        bytes_max: usize,
    },
    /// More headers than the host takes.
    #[error("there are {headers} headers, the limit is {headers_max}")]
    TooManyHeaders { headers: usize, headers_max: usize },
    /// No permit is free and the queue is full.
    #[error("{what} is full, try again later")]
    Overloaded { what: &'static str },
    /// There is no memory for the request, or for its response. The function didn't run.
    #[error("{0}, try again later")]
    NoMemory(Full),
    #[error("this host is shutting down, try another")]
    Draining,
    /// The deadline passed in the queue.
    #[error("the request waited in the queue until its deadline")]
    QueuedTooLong,
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self::NoMemory(full)
    }
}

impl Refusal {
    /// Whether an HTTP/1 connection ends with it: the host doesn't know where the next request begins, or it would take
    /// too long to get there.
    pub(crate) fn ends_connection(&self) -> bool {
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
