//! One request and its child: sends the request, reads the response, and releases the child.

use super::child::{Child, Handle, Held, Leave};
use super::child_table::ChildEnd;
use crate::admit::{AdmittedRequest, RequestBody};
use crate::execute::Outcome;
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::{Arrived, ResponseReader, watch_for_response};
use crate::execute::stderr_log::StderrLog;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// A request that was sent to a child. If it is dropped, because the client went away, the child is killed.
#[derive(Debug)]
pub(super) struct Exchange {
    lease: ChildLease,
    response: ResponseReader,
    memory_limit_bytes: u64,
    deadline: Instant,
}

/// A request's hold on its child. If it is dropped without `release`, the child is killed.
#[derive(Debug)]
struct ChildLease {
    handle: Handle,
    /// Taken by `release`.
    held: Option<Held>,
}

/// The part of the request that isn't sent yet, and its memory.
#[derive(Debug)]
pub(super) struct Rest {
    writer: RequestWriter,
    _body: RequestBody,
}

/// Most answers arrive within this time, so most requests never register the log with the runtime, which takes as long
/// as writing it. The pipe holds what is written meanwhile; a function that writes more waits no longer than this.
const LOG_UNWATCHED: Duration = Duration::from_millis(5);

impl Exchange {
    /// Sends the request, as much as the socket takes now.
    ///
    /// # Errors
    ///
    /// Returns the request: the child is gone and has read nothing of it, or there are no descriptors left.
    pub(super) fn begin(
        child: Child,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<(Self, Rest), (io::Error, Box<AdmittedRequest>)> {
        let Child { handle, socket, stderr } = child;
        let begin = || {
            let writer = RequestWriter::begin_over(&socket, &request)?;
            let channel = watch_for_response(socket)?;
            let request_id = Some(request.identity.request_id.clone());
            let stderr = StderrLog::new(stderr, &request.function, request_id, stderr_bytes_max)?;
            Ok((writer, channel, stderr))
        };
        match begin() {
            Err(error) => Err((error, Box::new(request))),
            Ok((writer, channel, stderr)) => {
                let limits = &request.function.release.limits;
                let exchange = Self {
                    lease: ChildLease { handle, held: Some(Held { stderr, permits: request.permits }) },
                    response: ResponseReader::new(
                        channel,
                        limits.response_body_bytes,
                        request.response_memory,
                    ),
                    memory_limit_bytes: limits.memory_bytes,
                    deadline: request.deadline,
                };
                Ok((exchange, Rest { writer, _body: request.body }))
            }
        }
    }

    /// Waits for the answer.
    pub(super) async fn answer(mut self, rest: Rest) -> Outcome {
        match self.arrive(rest).await {
            Some(Ok(Arrived::Whole)) => {
                self.lease.release(Leave::Answered);
                // The socket may be closed now: a child checks for the host's end only before it has its request.
                Ok(self.response.into_message().0)
            }
            Some(Ok(Arrived::Closed)) => match timeout_at(self.deadline, self.lease.handle.end()).await {
                Ok(end) => Err(self.without_answer(end)),
                Err(_) => Err(self.overdue()),
            },
            Some(Err(failure)) => {
                let is_invalid = matches!(failure, Failure::InvalidResponse(_));
                self.lease.release(if is_invalid { Leave::Invalid } else { Leave::GivenUp });
                Err(failure)
            }
            None => Err(self.overdue()),
        }
    }

    /// Waits for the response, or the channel's end; `None` at the deadline.
    async fn arrive(&mut self, rest: Rest) -> Option<Result<Arrived, Failure>> {
        let Rest { writer, _body } = rest;
        let mut writing = pin!(writer.finish());
        let unwatched = self.deadline.min(Instant::now() + LOG_UNWATCHED);
        tokio::select! {
            biased;
            answered = self.response.arrive() => return Some(answered),
            () = sleep_until(unwatched) => {}
            never = &mut writing => match never {},
        }
        // Present until `release`, which only the callers call.
        let stderr = &mut self.lease.held.as_mut()?.stderr;
        tokio::select! {
            biased;
            answered = self.response.arrive() => Some(answered),
            () = sleep_until(self.deadline) => None,
            never = &mut writing => match never {},
            never = stderr.follow() => match never {},
        }
    }

    fn overdue(&mut self) -> Failure {
        self.lease.release(Leave::GivenUp);
        Failure::DeadlineExceeded
    }

    /// The failure when the child ended before its response was complete.
    fn without_answer(&mut self, end: Option<ChildEnd>) -> Failure {
        // First, so that the log has the function's last lines before the host's line about it.
        if let Some(held) = &mut self.lease.held {
            held.stderr.take_rest();
        }
        // It is gone and judged; this only releases what the request held.
        self.lease.release(Leave::GivenUp);
        let limit_bytes = self.memory_limit_bytes;
        match (end, self.response.received_bytes()) {
            (None, _) => Failure::ZygoteEnded,
            (Some(ChildEnd::NotForked(error)), _) => Failure::NotForked(io::Error::from_raw_os_error(error)),
            (Some(ChildEnd::OutOfMemory), _) => Failure::OutOfMemory { limit_bytes },
            // With exit status 0, the runner has written all that the module gave it.
            (Some(ChildEnd::Exited(status)), bytes @ 1..) if status.success() => {
                Failure::InvalidResponse(InvalidResponse::Incomplete { bytes })
            }
            (Some(ChildEnd::Exited(status)), _) => Failure::of_child_exit(status, limit_bytes),
        }
    }
}

impl ChildLease {
    fn release(&mut self, leave: Leave) {
        if let Some(held) = self.held.take() {
            self.handle.leave(leave, held);
        }
    }
}

impl Drop for ChildLease {
    fn drop(&mut self) {
        self.release(Leave::GivenUp);
    }
}
