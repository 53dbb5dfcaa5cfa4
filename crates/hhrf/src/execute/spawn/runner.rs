//! A runner for one request, with its pipes and cgroup.

use super::shared::Shared;
use crate::admitted::AdmittedRequest;
use crate::cgroups::Cgroup;
use crate::execute::answer::Outcome;
use crate::execute::command::Purpose;
use crate::execute::demand::IdlePermit;
use crate::execute::failure::Failure;
use crate::execute::lease::{EXIT_GRACE, Lease, Leave};
use crate::execute::process::{Process, Streams};
use crate::execute::process_pool::exchange::Exchange;
use crate::execute::process_pool::factory::{ChannelProcess, Channels, PooledProcess, ProcessEnd, Unsent};
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::{OpenChannel, watch_for_response};
use crate::execute::stderr_log::{StderrLog, Subject};
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// A runner that has been started. If it is dropped, it is killed and reaped.
#[derive(Debug)]
pub(super) struct Runner {
    stage: Stage,
    /// Until the request is sent.
    streams: Option<Streams>,
    request_id: Option<String>,
    shared: Arc<Shared>,
    runtime: Handle,
}

#[derive(Debug)]
enum Stage {
    /// It isn't reaped yet.
    Living(Process, Option<Cgroup>),
    /// A task ends and reaps it, also if the request goes away meanwhile.
    Ending(JoinHandle<Reaped>),
    Reaped,
}

/// A process that was reaped, with all that it started.
#[derive(Debug)]
struct Reaped {
    status: io::Result<ExitStatus>,
    ran_out_of_memory: bool,
}

impl Runner {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Those of pipe(2) and of the exec; or its cgroup can't be made.
    pub(super) fn start(shared: &Arc<Shared>, purpose: Purpose) -> io::Result<Self> {
        let Shared { starter, function, .. } = &**shared;
        let (mut command, cgroup) = starter.command(function, purpose)?;
        let streams = Streams::of(&mut command)?;
        let process = Process::start(&starter.children, command)?;
        Ok(Self {
            stage: Stage::Living(process, cgroup),
            streams: Some(streams),
            request_id: None,
            shared: Arc::clone(shared),
            runtime: Handle::current(),
        })
    }

    /// Has a task end the process and its orphans, unless one does already.
    fn begin_end(&mut self, grace: Option<Duration>) {
        let (process, cgroup) = match std::mem::replace(&mut self.stage, Stage::Reaped) {
            Stage::Living(process, cgroup) => (process, cgroup),
            other => return self.stage = other,
        };
        let (shared, request_id) = (Arc::clone(&self.shared), self.request_id.take());
        self.stage = Stage::Ending(self.runtime.spawn(async move {
            let status = process.end(grace).await.map(|ended| {
                shared.starter.log_orphans(ended.orphans, Some(&shared.function), request_id.as_deref());
                ended.status
            });
            Reaped { status, ran_out_of_memory: cgroup.is_some_and(|cgroup| cgroup.ran_out_of_memory()) }
        }));
    }

    /// Calls `then` when the process is reaped; with `None` if that was before.
    fn when_reaped(&mut self, then: impl FnOnce(&Shared, Option<Reaped>) + Send + 'static) {
        match std::mem::replace(&mut self.stage, Stage::Reaped) {
            Stage::Ending(reaping) => {
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(async move { then(&shared, reaping.await.ok()) });
            }
            Stage::Living(..) | Stage::Reaped => then(&self.shared, None),
        }
    }
}

impl PooledProcess for Runner {
    fn assign(&self) -> bool {
        !self.has_ended()
    }

    fn has_ended(&self) -> bool {
        match &self.stage {
            Stage::Living(process, _) => process.has_exited(),
            Stage::Ending(_) | Stage::Reaped => true,
        }
    }

    fn discard(mut self, permit: IdlePermit) {
        let (has_failed, streams) = (self.has_ended(), self.streams.take());
        // The end of its stdin tells the runner that it isn't needed.
        let stderr = streams.map(|Streams { stderr, .. }| stderr);
        self.begin_end(Some(EXIT_GRACE));
        self.when_reaped(move |shared, reaped| {
            let Shared { function, starter, .. } = shared;
            let log = |stderr| StderrLog::new(stderr, function, Subject::Process, starter.stderr_bytes_max);
            if let Some(Ok(log)) = stderr.map(|stderr| log(stderr.into())) {
                log.finish();
            }
            if has_failed && let Some(Reaped { status: Ok(status), .. }) = reaped {
                shared.ended_unused(status);
            }
            drop(permit);
        });
    }

    fn begin(
        self,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<impl Future<Output = Outcome> + Send, Unsent> {
        Exchange::begin(self, request, stderr_bytes_max).map(Exchange::answer)
    }
}

impl ChannelProcess for Runner {
    fn send(&mut self, request: &AdmittedRequest) -> io::Result<Channels> {
        let streams = self.streams.take().ok_or(io::ErrorKind::NotFound)?;
        self.request_id = Some(request.facts.identity.request_id.clone());
        Ok(Channels {
            request: RequestWriter::begin(streams.stdin.into(), request)?,
            response: watch_for_response(streams.stdout.into())?,
            stderr: streams.stderr.into(),
        })
    }

    /// An orphan may hold its pipe open.
    async fn ended(&self) {
        if let Stage::Living(process, _) = &self.stage {
            process.exited().await;
        }
    }

    async fn end(&mut self, deadline: Instant) -> Option<ProcessEnd> {
        timeout_at(deadline, self.ended()).await.ok()?;
        self.begin_end(None);
        let Stage::Ending(reaping) = &mut self.stage else { return None };
        let reaped = reaping.await;
        self.stage = Stage::Reaped;
        let limit_bytes = self.shared.function.release.limits.memory_bytes;
        let (is_success, failure) = match reaped {
            Err(_) => (false, Failure::Host),
            Ok(Reaped { status: Err(error), .. }) => (false, Failure::NotReaped(error)),
            Ok(Reaped { status: Ok(status), ran_out_of_memory: true }) => {
                (status.success(), Failure::OutOfMemory { limit_bytes })
            }
            Ok(Reaped { status: Ok(status), .. }) => {
                (status.success(), Failure::of_exit(status, limit_bytes))
            }
        };
        Some(ProcessEnd { is_success, failure })
    }

    fn release(&mut self, leave: Leave, lease: Lease, channel: Option<OpenChannel>) {
        if leave == Leave::Answered {
            self.shared.has_answered();
        }
        self.begin_end((!leave.is_by_force()).then_some(EXIT_GRACE));
        self.when_reaped(move |_, _| {
            // If it were closed before, the runner would take the host for gone.
            drop(channel);
            lease.release();
        });
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.begin_end(None);
    }
}
