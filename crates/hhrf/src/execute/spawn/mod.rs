//! The `spawn` executor: each request gets a process that is started for it and ends with it.

mod ahead;
mod started;

use super::Outcome;
use super::command::Purpose;
use super::failure::{Failure, InvalidResponse};
use super::per_function::PerFunction;
use super::process::{Process, Streams};
use super::request_writer::RequestWriter;
use super::response_reader::{Arrived, ResponseReader, Taken, watch_for_response};
use super::spare::Spares;
use super::start::Starter;
use super::stderr_log::StderrLog;
use crate::admit::AdmittedRequest;
use crate::catalogue::{Catalogue, Function};
use crate::cgroups::Cgroup;
use ahead::Ahead;
use rustix::fd::OwnedFd;
use started::Started;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// Starts processes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Spawn {
    starter: Arc<Starter>,
    spares: Spares,
    spare_default: u32,
    ahead: Arc<PerFunction<Ahead>>,
}

/// How a request's process came to be done with.
enum Ending {
    /// Its response is complete, or can't become one.
    Answered(Result<(), Failure>),
    /// It ended first.
    Exited,
    DeadlineExceeded,
    ClientGone,
}

/// A request's process, and what it is spoken with.
struct Opened {
    process: Process,
    cgroup: Option<Cgroup>,
    message: RequestWriter,
    channel: AsyncFd<OwnedFd>,
    stderr: StderrLog,
}

/// Whose process it is, for the log.
#[derive(Clone, Copy)]
struct Who<'a> {
    function: &'a Function,
    request_id: &'a str,
}

/// A process that has answered has nothing left to do but to exit, and a wrapper to tidy up behind it.
const EXIT_GRACE: Duration = Duration::from_millis(500);

impl Spawn {
    /// Starts a runner for each request; up to `spare_default` of them ahead for functions that don't say it themselves,
    /// as long as there are `spares`.
    pub fn new(starter: Arc<Starter>, spares: Spares, spare_default: u32) -> Self {
        Self { starter, spares, spare_default, ahead: Arc::default() }
    }

    /// Executes the request in a task of its own, which outlives the caller: when the caller is dropped, because the
    /// client went away, the process is killed at once; and in any case the places are given back when the process
    /// and all that it started are gone, not before.
    pub async fn execute(&self, request: AdmittedRequest) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        tokio::spawn(self.clone().run(request, reply));
        outcome.await.unwrap_or(Err(Failure::Host))
    }

    async fn run(self, request: AdmittedRequest, reply: oneshot::Sender<Outcome>) {
        let ahead = self.ahead(&request.function);
        let waiting = ahead.begin();
        if waiting.is_none() {
            // More requests at a time than before: more are to wait.
            tokio::spawn(Arc::clone(&ahead).fill());
        }
        let is_answered = self.serve(request, reply, waiting).await;
        ahead.end(is_answered);
        ahead.fill().await;
    }

    /// Returns whether the module has answered.
    async fn serve(
        self,
        request: AdmittedRequest,
        mut reply: oneshot::Sender<Outcome>,
        waiting: Option<Started>,
    ) -> bool {
        let opened = match self.begin(&request, waiting).await {
            Ok(opened) => opened,
            Err(error) => {
                answer(reply, Err(Failure::NotStarted(error)));
                return false;
            }
        };
        let Opened { process, cgroup, message, channel, mut stderr } = opened;
        let AdmittedRequest { function, identity, body, deadline, places, response_memory, .. } = request;
        let who = Who { function: &function, request_id: &identity.request_id };
        let body_bytes_max = function.limits.response_body_bytes;
        let mut response = ResponseReader::new(channel, body_bytes_max, response_memory);
        let ending = tokio::select! {
            biased;
            answered = whole(&mut response) => Ending::Answered(answered),
            () = process.exited() => Ending::Exited,
            () = sleep_until(deadline) => Ending::DeadlineExceeded,
            () = reply.closed() => Ending::ClientGone,
            never = message.finish() => match never {},
            never = stderr.follow() => match never {},
        };
        // Whatever came of it, the body has done its work.
        drop(body);
        // Whoever can be answered is answered first; what is left to do needs nobody's patience but this task's.
        let is_answered = match ending {
            Ending::Answered(answered) => {
                let grace = answered.is_ok().then_some(EXIT_GRACE);
                let (outcome, _channel) = match answered.map(|()| response.into_message()) {
                    Ok((message, channel)) => (Ok(message), Some(channel)),
                    Err(failure) => (Err(failure), None),
                };
                answer(reply, outcome);
                self.clean_up(process, grace, who).await.ok();
                true
            }
            Ending::DeadlineExceeded => {
                answer(reply, Err(Failure::DeadlineExceeded));
                self.clean_up(process, None, who).await.ok();
                false
            }
            Ending::ClientGone => {
                self.clean_up(process, None, who).await.ok();
                false
            }
            Ending::Exited => {
                let status = self.clean_up(process, None, who).await;
                // In the log, a function's last words stand before what the host says of it.
                stderr.take_rest();
                let outcome = after_exit(response, status, cgroup.as_ref(), function.limits.memory_bytes);
                let is_answered = outcome.is_ok();
                answer(reply, outcome);
                is_answered
            }
        };
        stderr.finish();
        drop(cgroup);
        // The last thing: whoever gets these places finds the process and all that it started gone.
        drop(places);
        is_answered
    }

    /// Starts the request's process, or takes the one that waited for it, and sends it the request.
    async fn begin(&self, request: &AdmittedRequest, waiting: Option<Started>) -> io::Result<Opened> {
        let timeout = request.deadline.saturating_duration_since(Instant::now());
        let start = || Started::start(&self.starter, &request.function, Purpose::Request { timeout });
        let Started { process, streams, cgroup } = waiting.map_or_else(start, Ok)?;
        match self.open(streams, request) {
            Ok((message, channel, stderr)) => Ok(Opened { process, cgroup, message, channel, stderr }),
            Err(error) => {
                let who = Who { function: &request.function, request_id: &request.identity.request_id };
                self.clean_up(process, None, who).await.ok();
                Err(error)
            }
        }
    }

    fn open(
        &self,
        streams: Streams,
        request: &AdmittedRequest,
    ) -> io::Result<(RequestWriter, AsyncFd<OwnedFd>, StderrLog)> {
        let function = &request.function;
        let request_id = Some(request.identity.request_id.clone());
        Ok((
            RequestWriter::begin(streams.stdin.into(), request)?,
            watch_for_response(streams.stdout.into())?,
            StderrLog::new(streams.stderr.into(), function, request_id, self.starter.stderr_bytes_max)?,
        ))
    }

    /// Ends the process, and what it left behind.
    async fn clean_up(
        &self,
        process: Process,
        grace: Option<Duration>,
        who: Who<'_>,
    ) -> io::Result<ExitStatus> {
        let ended = process.end(grace).await?;
        self.starter.tell_of_strays(ended.strays, Some(who.function), Some(who.request_id));
        Ok(ended.status)
    }

    /// Gives up what isn't needed any more.
    pub fn tidy(&self) {
        self.ahead.retain(Ahead::tidy);
    }

    /// Has functions that aren't served any more end what waits for their requests.
    pub fn retain(&self, catalogue: &Catalogue) {
        self.ahead.gone_from(catalogue).iter().for_each(Ahead::retire);
    }

    /// Has all end that waits.
    pub fn retire(&self) {
        self.ahead.all().iter().for_each(Ahead::retire);
    }

    /// How many runners of a function wait.
    pub fn count(&self, function: &Arc<Function>) -> usize {
        self.ahead.get(function).map_or(0, |ahead| ahead.count())
    }

    fn ahead(&self, function: &Arc<Function>) -> Arc<Ahead> {
        self.ahead.of(function, || {
            let spare_max = function.spare.unwrap_or(self.spare_default);
            Ahead::new(Arc::clone(function), Arc::clone(&self.starter), self.spares.clone(), spare_max)
        })
    }
}

/// Waits for a whole response. At the end of file it goes on waiting: the end of the process decides then, for a pipe can
/// be closed early, or held open by what is left behind.
async fn whole(response: &mut ResponseReader) -> Result<(), Failure> {
    match response.arrive().await? {
        Arrived::Whole => Ok(()),
        Arrived::Closed => std::future::pending().await,
    }
}

/// A client that is gone takes no answer; its end is logged where it was served.
fn answer(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    reply.send(outcome).ok();
}

/// What it means that the process ended before its response was complete: as far as the host had read.
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
        // Exit status 0 says that the runner wrote all that the module gave it.
        bytes @ 1.. if status.success() => {
            Err(Failure::InvalidResponse(InvalidResponse::Incomplete { bytes }))
        }
        _ => Err(failure),
    }
}
