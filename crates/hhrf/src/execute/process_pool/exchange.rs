//! One request and a process that serves it over a channel: sends the request, reads the response, and releases the
//! process.

use super::factory::{ChannelProcess, Channels, ProcessEnd, Unsent};
use crate::admitted::{AdmittedRequest, RequestBody};
use crate::execute::answer::{self, Outcome};
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::lease::{Lease, Leave};
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::{Arrived, OpenChannel, ResponseReader, Taken};
use crate::execute::stderr_log::{StderrLog, Subject};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A request that was sent to a process. If it is dropped, because the client went away, the process is killed.
#[derive(Debug)]
pub(in crate::execute) struct Exchange<P: ChannelProcess> {
    process: LeasedProcess<P>,
    response: ResponseReader,
    unsent: UnsentPart,
    body_bytes_max: u64,
    deadline: Instant,
}

/// A request's hold on its process. If it is dropped without `release`, the process is killed.
#[derive(Debug)]
struct LeasedProcess<P: ChannelProcess> {
    process: P,
    /// Taken by `release`.
    lease: Option<Lease>,
}

/// The part of the request that isn't sent yet, and its memory.
#[derive(Debug)]
struct UnsentPart {
    writer: RequestWriter,
    _body: RequestBody,
}

/// Most answers arrive within this time, so most requests never register the log with the runtime, which takes as long
/// as writing it. The pipe holds what is written meanwhile; a function that writes more waits no longer than this.
pub(in crate::execute) const LOG_UNWATCHED: Duration = Duration::from_millis(5);

impl<P: ChannelProcess> Exchange<P> {
    /// Sends the request, as much as the channel takes now; logs up to `stderr_bytes_max` of what the function writes
    /// to stderr.
    ///
    /// # Errors
    ///
    /// Those of [`ChannelProcess::send`], with the request.
    pub(in crate::execute) fn begin(
        mut process: P,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<Self, Unsent> {
        let mut begin = || {
            let Channels { request: writer, response, stderr } = process.send(&request)?;
            let subject = Subject::Request(request.facts.identity.request_id.clone());
            let stderr = StderrLog::new(stderr, &request.facts.function, subject, stderr_bytes_max)?;
            Ok((writer, response, stderr))
        };
        match begin() {
            Err(error) => Err((error, Box::new(request))),
            Ok((writer, response, stderr)) => {
                let body_bytes_max = request.facts.function.release.limits.response_body_bytes;
                let lease = Lease { stderr, permits: request.permits };
                Ok(Self {
                    process: LeasedProcess { process, lease: Some(lease) },
                    response: ResponseReader::new(response, body_bytes_max, request.response_memory),
                    unsent: UnsentPart { writer, _body: request.body },
                    body_bytes_max,
                    deadline: request.facts.deadline,
                })
            }
        }
    }

    /// Waits for the answer. The client gets it first, and doesn't wait for the process's end.
    pub(in crate::execute) async fn answer(self) -> Outcome {
        let Self { mut process, mut response, unsent, body_bytes_max, deadline } = self;
        match arrive(&mut process, &mut response, unsent, deadline).await {
            Some(Ok(Arrived::Whole)) => decode(process, response, body_bytes_max),
            Some(Ok(Arrived::Closed)) => match process.end(deadline).await {
                Some(end) => after_end(process, response, end, body_bytes_max),
                None => Err(process.overdue()),
            },
            Some(Err(failure)) => {
                let is_invalid = matches!(failure, Failure::InvalidResponse(_));
                process.release(if is_invalid { Leave::Broken } else { Leave::GivenUp }, None);
                Err(failure)
            }
            None => Err(process.overdue()),
        }
    }
}

/// Waits until the response is complete, or can't become complete because its channel is closed or its process has
/// ended. Returns `None` at the deadline.
async fn arrive<P: ChannelProcess>(
    process: &mut LeasedProcess<P>,
    response: &mut ResponseReader,
    unsent: UnsentPart,
    deadline: Instant,
) -> Option<Result<Arrived, Failure>> {
    let UnsentPart { writer, _body } = unsent;
    let LeasedProcess { process, lease } = process;
    let mut writing = pin!(writer.finish());
    let mut ended = pin!(process.ended());
    let unwatched = deadline.min(Instant::now() + LOG_UNWATCHED);
    tokio::select! {
        biased;
        arrived = response.arrive() => return Some(arrived),
        () = &mut ended => return Some(Ok(Arrived::Closed)),
        () = sleep_until(unwatched) => {}
        never = &mut writing => match never {},
    }
    // Present until `release`, which only the callers call.
    let stderr = &mut lease.as_mut()?.stderr;
    tokio::select! {
        biased;
        arrived = response.arrive() => Some(arrived),
        () = ended => Some(Ok(Arrived::Closed)),
        () = sleep_until(deadline) => None,
        never = writing => match never {},
        never = stderr.follow() => match never {},
    }
}

/// The answer by a complete response, and the release of its process.
fn decode<P: ChannelProcess>(
    mut process: LeasedProcess<P>,
    response: ResponseReader,
    body_bytes_max: u64,
) -> Outcome {
    let (message, holding, channel) = response.into_message();
    let outcome = answer::decode(&message, holding, body_bytes_max);
    let is_invalid = matches!(outcome, Err(Failure::InvalidResponse(_)));
    process.release(if is_invalid { Leave::Invalid } else { Leave::Answered }, Some(channel));
    outcome
}

/// The answer when the process ended before the host had read a complete response.
fn after_end<P: ChannelProcess>(
    mut process: LeasedProcess<P>,
    mut response: ResponseReader,
    end: ProcessEnd,
    body_bytes_max: u64,
) -> Outcome {
    // First, so that the log has the function's last lines before the host's line about it.
    if let Some(lease) = &mut process.lease {
        lease.stderr.take_rest();
    }
    if response.take_rest()? == Taken::Complete {
        return decode(process, response, body_bytes_max);
    }
    match response.received_bytes() {
        bytes @ 1.. if end.is_success => Err(Failure::InvalidResponse(InvalidResponse::Incomplete { bytes })),
        _ => Err(end.failure),
    }
}

impl<P: ChannelProcess> LeasedProcess<P> {
    /// Waits for its end, as [`ChannelProcess::end`]. Its log must be read meanwhile: it may wait for that.
    async fn end(&mut self, deadline: Instant) -> Option<ProcessEnd> {
        let Self { process, lease } = self;
        tokio::select! {
            biased;
            end = process.end(deadline) => end,
            never = lease.as_mut()?.stderr.follow() => match never {},
        }
    }

    fn overdue(&mut self) -> Failure {
        self.release(Leave::GivenUp, None);
        Failure::DeadlineExceeded
    }

    fn release(&mut self, leave: Leave, channel: Option<OpenChannel>) {
        if let Some(lease) = self.lease.take() {
            self.process.release(leave, lease, channel);
        }
    }
}

impl<P: ChannelProcess> Drop for LeasedProcess<P> {
    fn drop(&mut self) {
        self.release(Leave::GivenUp, None);
    }
}
