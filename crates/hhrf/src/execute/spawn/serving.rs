//! One request and the runner that serves it, from the request's bytes to the runner's end.

use super::started::Started;
use crate::admit::AdmittedRequest;
use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::execute::Outcome;
use crate::execute::command::Purpose;
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::process::{Process, Streams};
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::{Arrived, ResponseReader, Taken, watch_for_response};
use crate::execute::start::Starter;
use crate::execute::stderr_log::StderrLog;
use rustix::fd::OwnedFd;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// What ended the wait for the response.
enum ProcessEnd {
    /// Its response is complete, or can't become one.
    Answered(Result<(), Failure>),
    /// The process exited first.
    Exited,
    DeadlineExceeded,
    ClientGone,
}

/// A request's process and its channels.
struct Opened {
    process: Process,
    cgroup: Option<Cgroup>,
    message: RequestWriter,
    channel: AsyncFd<OwnedFd>,
    stderr: StderrLog,
}

/// The function and request of a process, for the log.
#[derive(Clone, Copy)]
struct LogTags<'a> {
    function: &'a Function,
    request_id: &'a str,
}

/// Time for a process that has answered to exit, and for a wrapper to clean up.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// Serves a request by the idle runner `waiting`, or by a new one, and reaps it. Returns whether the module has
/// answered. If the receiver of `reply` is dropped, because the client went away, the process is killed.
pub(super) async fn serve(
    starter: &Starter,
    request: AdmittedRequest,
    mut reply: oneshot::Sender<Outcome>,
    waiting: Option<Started>,
) -> bool {
    let opened = match begin(starter, &request, waiting).await {
        Ok(opened) => opened,
        Err(error) => {
            answer(reply, Err(Failure::NotStarted(error)));
            return false;
        }
    };
    let Opened { process, cgroup, message, channel, mut stderr } = opened;
    let AdmittedRequest { function, identity, body, deadline, permits, response_memory, .. } = request;
    let tags = LogTags { function: &function, request_id: &identity.request_id };
    let body_bytes_max = function.release.limits.response_body_bytes;
    let mut response = ResponseReader::new(channel, body_bytes_max, response_memory);
    let end = tokio::select! {
        biased;
        answered = whole(&mut response) => ProcessEnd::Answered(answered),
        () = process.exited() => ProcessEnd::Exited,
        () = sleep_until(deadline) => ProcessEnd::DeadlineExceeded,
        () = reply.closed() => ProcessEnd::ClientGone,
        never = message.finish() => match never {},
        never = stderr.follow() => match never {},
    };
    // The body isn't needed any more.
    drop(body);
    // The client gets its answer first, and doesn't wait for the cleanup.
    let is_answered = match end {
        ProcessEnd::Answered(answered) => {
            let grace = answered.is_ok().then_some(EXIT_GRACE);
            let (outcome, _channel) = match answered.map(|()| response.into_message()) {
                Ok((message, channel)) => (Ok(message), Some(channel)),
                Err(failure) => (Err(failure), None),
            };
            answer(reply, outcome);
            clean_up(starter, process, grace, tags).await.ok();
            true
        }
        ProcessEnd::DeadlineExceeded => {
            answer(reply, Err(Failure::DeadlineExceeded));
            clean_up(starter, process, None, tags).await.ok();
            false
        }
        ProcessEnd::ClientGone => {
            clean_up(starter, process, None, tags).await.ok();
            false
        }
        ProcessEnd::Exited => {
            let status = clean_up(starter, process, None, tags).await;
            // First, so that the log has the function's last lines before the host's line about it.
            stderr.take_rest();
            let outcome = after_exit(response, status, cgroup.as_ref(), function.release.limits.memory_bytes);
            let is_answered = outcome.is_ok();
            answer(reply, outcome);
            is_answered
        }
    };
    stderr.finish();
    drop(cgroup);
    // Last: when another request gets these permits, the process and all that it started are gone.
    drop(permits);
    is_answered
}

/// Starts the request's process, or takes the idle one, and sends it the request.
async fn begin(starter: &Starter, request: &AdmittedRequest, waiting: Option<Started>) -> io::Result<Opened> {
    let timeout = request.deadline.saturating_duration_since(Instant::now());
    let start = || Started::start(starter, &request.function, Purpose::Request { timeout });
    let Started { process, streams, cgroup } = waiting.map_or_else(start, Ok)?;
    match open(starter, streams, request) {
        Ok((message, channel, stderr)) => Ok(Opened { process, cgroup, message, channel, stderr }),
        Err(error) => {
            let tags = LogTags { function: &request.function, request_id: &request.identity.request_id };
            clean_up(starter, process, None, tags).await.ok();
            Err(error)
        }
    }
}

fn open(
    starter: &Starter,
    streams: Streams,
    request: &AdmittedRequest,
) -> io::Result<(RequestWriter, AsyncFd<OwnedFd>, StderrLog)> {
    let function = &request.function;
    let request_id = Some(request.identity.request_id.clone());
    Ok((
        RequestWriter::begin(streams.stdin.into(), request)?,
        watch_for_response(streams.stdout.into())?,
        StderrLog::new(streams.stderr.into(), function, request_id, starter.stderr_bytes_max)?,
    ))
}

/// Ends the process and its orphans.
async fn clean_up(
    starter: &Starter,
    process: Process,
    grace: Option<Duration>,
    tags: LogTags<'_>,
) -> io::Result<ExitStatus> {
    let ended = process.end(grace).await?;
    starter.log_orphans(ended.orphans, Some(tags.function), Some(tags.request_id));
    Ok(ended.status)
}

/// Waits for a complete response. At end of file it keeps waiting: the process's exit decides, since a pipe can be
/// closed early, or held open by an orphan.
async fn whole(response: &mut ResponseReader) -> Result<(), Failure> {
    match response.arrive().await? {
        Arrived::Whole => Ok(()),
        Arrived::Closed => std::future::pending().await,
    }
}

/// If the client is gone, no task takes the answer; the access log records that.
fn answer(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    reply.send(outcome).ok();
}

/// The outcome when the process exited before the host had read a complete response.
fn after_exit(
    mut response: ResponseReader,
    status: io::Result<ExitStatus>,
    cgroup: Option<&Cgroup>,
    limit_bytes: u64,
) -> Outcome {
    if response.take_rest()? == Taken::Complete {
        return Ok(response.into_message().0);
    }
    let status = status.map_err(Failure::NotReaped)?;
    let failure = match cgroup.is_some_and(Cgroup::ran_out_of_memory) {
        true => Failure::OutOfMemory { limit_bytes },
        false => Failure::of_exit(status, limit_bytes),
    };
    match response.received_bytes() {
        // With exit status 0, the runner has written all that the module gave it.
        bytes @ 1.. if status.success() => {
            Err(Failure::InvalidResponse(InvalidResponse::Incomplete { bytes }))
        }
        _ => Err(failure),
    }
}
