//! The `spawn` executor: each request gets a process that is started for it and ends with it.

use super::Outcome;
use super::command::command;
use super::failure::{Failure, InvalidResponse};
use super::process::{Process, Streams};
use super::request_writer::RequestWriter;
use super::response_reader::{ResponseReader, Taken};
use super::stderr_log::StderrLog;
use crate::admit::{AdmittedRequest, RequestBody};
use crate::cgroups::Cgroup;
use crate::children::Children;
use crate::jail::{Jail, JailMode};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

/// Starts processes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Spawn {
    runner: Arc<PathBuf>,
    stderr_bytes_max: usize,
    children: Arc<Children>,
    jail: Arc<Jail>,
}

/// How a request's process came to be done with.
enum Ending {
    /// Its response is complete, or can't become one.
    Answered(Result<(), InvalidResponse>),
    /// It ended first.
    Exited,
    DeadlineExceeded,
    ClientGone,
}

/// A process that has answered has nothing left to do but to exit, and a wrapper to tidy up behind it.
const EXIT_GRACE: Duration = Duration::from_millis(500);

impl Spawn {
    /// Starts `runner` for each request, confined by `jail`; logs up to `stderr_bytes_max` of what it writes to stderr.
    pub fn new(runner: PathBuf, stderr_bytes_max: usize, children: Arc<Children>, jail: Jail) -> Self {
        Self { runner: Arc::new(runner), stderr_bytes_max, children, jail: Arc::new(jail) }
    }

    /// Executes the request in a task of its own, which outlives the caller: when the caller is dropped, because the
    /// client went away, the process is killed at once; and in any case the places are given back when the process
    /// and all that it started are gone, not before.
    pub async fn execute(&self, request: AdmittedRequest) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        tokio::spawn(self.clone().run(request, reply));
        outcome.await.unwrap_or(Err(Failure::Host))
    }

    async fn run(self, mut request: AdmittedRequest, mut reply: oneshot::Sender<Outcome>) {
        let (cgroup, (process, streams)) = match self.start(&request) {
            Ok(started) => started,
            Err(error) => return answer(reply, Err(Failure::NotStarted(error))),
        };
        let (message, mut response, mut stderr) = match self.open(streams, &request) {
            Ok(opened) => opened,
            Err(error) => {
                self.clean_up(process, None, &request).await.ok();
                return answer(reply, Err(Failure::NotStarted(error)));
            }
        };
        let ending = tokio::select! {
            biased;
            answered = response.complete() => Ending::Answered(answered),
            () = process.exited() => Ending::Exited,
            () = sleep_until(request.deadline) => Ending::DeadlineExceeded,
            () = reply.closed() => Ending::ClientGone,
            never = message.finish() => match never {},
            never = stderr.follow() => match never {},
        };
        // Whatever came of it, the body has done its work.
        request.body = RequestBody::default();
        // Whoever can be answered is answered first; what is left to do needs nobody's patience but this task's.
        match ending {
            Ending::Answered(Ok(())) => {
                answer(reply, Ok(response.into_message().into()));
                self.clean_up(process, Some(EXIT_GRACE), &request).await.ok();
            }
            Ending::Answered(Err(invalid)) => {
                answer(reply, Err(Failure::InvalidResponse(invalid)));
                self.clean_up(process, None, &request).await.ok();
            }
            Ending::DeadlineExceeded => {
                answer(reply, Err(Failure::DeadlineExceeded));
                self.clean_up(process, None, &request).await.ok();
            }
            Ending::ClientGone => {
                self.clean_up(process, None, &request).await.ok();
            }
            Ending::Exited => {
                let status = self.clean_up(process, None, &request).await;
                // In the log, a function's last words stand before what the host says of it.
                stderr.take_rest();
                answer(reply, after_exit(response, status, cgroup.as_ref(), &request));
            }
        }
        stderr.finish();
        drop(cgroup);
        // The last thing: whoever gets these places finds the process and all that it started gone.
        drop(request.places);
    }

    fn start(&self, request: &AdmittedRequest) -> io::Result<(Option<Cgroup>, (Process, Streams))> {
        let cgroup = self.jail.cgroup(&request.function.limits).map_err(|error| {
            io::Error::new(error.kind(), format!("its cgroup can't be made (--cgroup): {error}"))
        })?;
        let command = command(&self.runner, &self.jail, cgroup.as_ref(), &request.function, request.deadline);
        let started = Process::start(&self.children, command)?;
        Ok((cgroup, started))
    }

    fn open(
        &self,
        streams: Streams,
        request: &AdmittedRequest,
    ) -> io::Result<(RequestWriter, ResponseReader, StderrLog)> {
        let function = &request.function;
        let request_id = request.identity.request_id.clone();
        Ok((
            RequestWriter::begin(streams.stdin, request)?,
            ResponseReader::new(streams.stdout, function.limits.response_body_bytes)?,
            StderrLog::new(streams.stderr, function, request_id, self.stderr_bytes_max)?,
        ))
    }

    /// Ends what processes leave behind, beside and between requests, for ever.
    pub async fn keep_sweeping(&self) -> std::convert::Infallible {
        self.children.keep_sweeping(|processes| self.tell_of_strays(processes, None)).await
    }

    /// Ends the process, and what it left behind.
    async fn clean_up(
        &self,
        process: Process,
        grace: Option<Duration>,
        request: &AdmittedRequest,
    ) -> io::Result<ExitStatus> {
        let ended = process.end(grace).await?;
        self.tell_of_strays(ended.strays, Some(request));
        Ok(ended.status)
    }

    /// Not of what a strict jail consists of, whose own end takes a moment once its supervisor is killed; nothing else
    /// can be left of it.
    fn tell_of_strays(&self, processes: usize, request: Option<&AdmittedRequest>) {
        if processes > 0 && self.jail.mode() != JailMode::Strict {
            tracing::warn!(
                function = request.map(|request| request.function.name()),
                request_id = request.map(|request| request.identity.request_id.as_str()),
                processes,
                "processes that functions left behind are killed"
            );
        }
    }

    /// Kills every process at once; those who wait for them go on as after any other end.
    pub async fn kill_all(&self) {
        self.children.kill_all().await;
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
    request: &AdmittedRequest,
) -> Outcome {
    if response.take_rest().map_err(Failure::InvalidResponse)? == Taken::Complete {
        return Ok(response.into_message().into());
    }
    let status = status.map_err(Failure::NotReaped)?;
    let limit_bytes = request.function.limits.memory_bytes;
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
