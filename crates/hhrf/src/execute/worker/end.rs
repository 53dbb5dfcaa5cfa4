//! Why a worker ends, and what that means for its requests, the log and the metrics.

use crate::execute::failure::{Failure, InvalidResponse};
use fezz_wire::frame::{BadHeader, Format, Kind};
use std::process::ExitStatus;

/// Why a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The host asked it to, and it had no requests left.
    Drained(Drain),
    /// By itself, or something else killed it.
    ByItself,
    /// The host killed it.
    Killed(Kill),
}

/// Why the host asks a worker to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// The others suffice.
    Idle,
    /// Its release isn't served any more, or the host shuts down.
    Retired,
    /// It has had `worker.max_requests`.
    Requests,
    /// It has reached `worker.max_age_ms`.
    Age,
    /// It has reached `worker.max_memory_bytes`.
    Memory,
}

/// Why the host kills a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kill {
    /// A request missed its deadline.
    Deadline {
        /// Its id.
        request_id: String,
    },
    /// It broke the protocol.
    Violation(Violation),
    /// It didn't answer a ping.
    Hung,
    /// It was asked to end, had no requests left, and went on.
    Lingered,
}

/// How a worker breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A header.
    #[error(transparent)]
    Header(#[from] BadHeader),
    /// Something else at the beginning than hello.
    #[error("its first frame is {0:?}, not Hello")]
    NoHello(Kind),
    /// Another version of the protocol.
    #[error("it speaks version {0} of the protocol, this host {version}", version = fezz_wire::frame::VERSION)]
    Version(u64),
    /// A frame that only the host sends, or a second hello.
    #[error("it sent a frame of the kind {0:?}, which it may not send now")]
    Kind(Kind),
    /// A payload in another format than it chose.
    #[error("it sent a response in the format {found:?}, and had chosen {chosen:?}")]
    Format {
        /// What it sent.
        found: Format,
        /// What its hello said.
        chosen: Format,
    },
    /// A response to a request that it hasn't got, or that it has answered.
    #[error("it answered request {id}, which it doesn't have: it was never sent, or is answered already")]
    Unasked {
        /// The request's number.
        id: u64,
    },
    /// A pong without its ping.
    #[error("it sent a pong without a ping of that number")]
    UnaskedPong,
    /// A response over the limit.
    #[error(
        "it announced a response of {bytes} bytes, the limit is {bytes_max} (limits.response_body_bytes, and what stands beside)"
    )]
    TooLarge {
        /// The frame's length.
        bytes: usize,
        /// The most for this function and format.
        bytes_max: usize,
    },
    /// It can't be sent anything.
    #[error("it closed its stdin for reading, so that no request can be sent to it")]
    NotReading,
    /// The stream ends where it may not.
    #[error("its stream ended within a frame")]
    Torn,
}

/// Why a worker gave no response.
#[derive(Debug, thiserror::Error)]
pub enum WorkerFailure {
    /// Another request of its ended it.
    #[error(
        "its worker was killed, because another request of the worker, {request_id}, missed its deadline: raise `timeout_ms`, or \
         lower `worker.concurrency`"
    )]
    Neighbour {
        /// The other's id.
        request_id: String,
    },
    /// It gave no heartbeat, or went on when it was told to end.
    #[error("its worker hung, and was killed")]
    Hung,
    /// All workers are busy for too long. The request was never sent.
    #[error(
        "no worker was free before the deadline; there are {workers}: raise `worker.max` or `worker.concurrency`, or lower \
         `limits.concurrency`"
    )]
    Busy {
        /// How many there are.
        workers: usize,
    },
}

impl End {
    /// What it means for a request that the worker had.
    pub(super) fn failure(
        &self,
        status: Option<ExitStatus>,
        is_out_of_memory: bool,
        limit_bytes: u64,
    ) -> Failure {
        match (self, status) {
            (Self::Killed(Kill::Deadline { request_id }), _) => {
                WorkerFailure::Neighbour { request_id: request_id.clone() }.into()
            }
            (Self::Killed(Kill::Violation(violation)), _) => {
                Failure::InvalidResponse(InvalidResponse::Frames(*violation))
            }
            (Self::Killed(Kill::Hung | Kill::Lingered), _) => WorkerFailure::Hung.into(),
            _ if is_out_of_memory => Failure::OutOfMemory { limit_bytes },
            (Self::Drained(_) | Self::ByItself, Some(status)) => Failure::of_child_exit(status, limit_bytes),
            (Self::Drained(_) | Self::ByItself, None) => Failure::Host,
        }
    }

    /// In metrics and the log.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Drained(Drain::Idle) => "idle",
            Self::Drained(Drain::Retired) => "retired",
            Self::Drained(Drain::Requests) => "max_requests",
            Self::Drained(Drain::Age) => "max_age",
            Self::Drained(Drain::Memory) => "max_memory",
            Self::ByItself => "crashed",
            Self::Killed(Kill::Deadline { .. }) => "deadline",
            Self::Killed(Kill::Violation(_)) => "invalid",
            Self::Killed(Kill::Hung) => "hung",
            Self::Killed(Kill::Lingered) => "lingered",
        }
    }

    /// Whether the host wanted it.
    pub(super) fn is_in_order(&self) -> bool {
        matches!(self, Self::Drained(_))
    }
}
