//! One worker: starts its process, supervises it, and ends it.

use super::connection::{Connection, Next};
use super::end::{Drain, End, Kill, Violation};
use super::in_flight::{InFlight, Reply};
use super::inbox::Inbox;
use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::execute::command::Purpose;
use crate::execute::failure::Failure;
use crate::execute::lease::EXIT_GRACE;
use crate::execute::load::LoadFailure;
use crate::execute::process::Process;
use crate::execute::start::Starter;
use crate::execute::stderr_log::{self, StderrLog, Subject};
use crate::release::Code;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};

/// What belongs to a worker until its end.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) connection: Arc<Connection>,
    function: Arc<Function>,
    process: Process,
    stderr: StderrLog,
    inbox: Inbox,
    cgroup: Option<Cgroup>,
}

/// A worker whose process and all that it started are gone.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: io::Result<ExitStatus>,
    /// What it wrote last to stderr.
    pub(super) last_line: Option<String>,
    /// Requests that it had and didn't answer.
    pub(super) lost: usize,
}

/// How often a worker that is silent and has no requests is asked for a heartbeat, and how soon it must answer. If the whole
/// machine hangs for so long, it is killed in error, which costs no request.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// Time for a worker without requests to exit: a module's `on_unload`, or the end of a program's connections.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

impl Instance {
    /// Starts its process.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2) and of the exec; or its cgroup can't be made.
    pub(super) fn start(
        starter: &Starter,
        function: &Arc<Function>,
        number: u64,
        threads: u32,
    ) -> io::Result<Self> {
        let (socket, its_stdin) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let (stderr, its_stderr) = stderr_log::pipe()?;
        let (mut command, cgroup) = starter.command(function, Purpose::Worker { threads })?;
        command.stdin(its_stdin).stdout(Stdio::null()).stderr(its_stderr);
        let connection = Connection::new(number, socket)?;
        let subject = Subject::Worker(Arc::clone(&connection));
        let stderr = StderrLog::new(stderr.into(), function, subject, starter.stderr_bytes_max)?;
        let process = Process::start(&starter.children, command)?;
        let inbox = Inbox::new(Arc::clone(&connection), function.release.limits.response_body_bytes);
        Ok(Self { connection, function: Arc::clone(function), process, stderr, inbox, cgroup })
    }

    pub(super) fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Waits until it is ready: it has said hello.
    ///
    /// # Errors
    ///
    /// It didn't within the time of a request. Its processes are gone.
    pub(super) async fn ready(mut self) -> Result<Self, LoadFailure> {
        let Self { process, stderr, inbox, function, .. } = &mut self;
        let failure = tokio::select! {
            biased;
            never = stderr.follow() => match never {},
            hello = inbox.hello() => match hello {
                Ok(Some(())) => return Ok(self),
                Ok(None) => None,
                Err(failure) => Some(failure),
            },
            () = process.exited() => None,
            () = sleep(function.release.timeout) => Some(LoadFailure::TooSlow(function.release.timeout)),
        };
        let limit_bytes = self.function.release.limits.memory_bytes;
        let grace = failure.is_none().then_some(EXIT_GRACE);
        let ended = self.process.end(grace).await;
        let last_line = self.stderr.finish();
        Err(failure.unwrap_or_else(|| {
            let ended = LoadFailure::of_end(ended.map(|ended| ended.status), last_line, limit_bytes);
            match self.function.release.code {
                Code::Program { .. } => ended.in_program(),
                _ => ended,
            }
        }))
    }

    /// Supervises it, until it ends or is to be ended.
    pub(super) async fn supervise(&mut self) -> End {
        let Self { connection, process, stderr, inbox, .. } = self;
        tokio::select! {
            // The log first: so a line is there before the response of its request, and has the request's id.
            biased;
            never = stderr.follow() => match never {},
            end = watch(connection, inbox, process) => end,
        }
    }

    /// Ends it, and replies to the requests that it still has. Their permits are released when it is gone.
    pub(super) async fn end(mut self, end: &End) -> Ended {
        let grace = match end {
            End::Drained(_) => Some(Duration::ZERO),
            End::ByItself => Some(EXIT_GRACE),
            End::Killed(_) => None,
        };
        if !matches!(end, End::Killed(_)) {
            // Responses that it sent before its end still count.
            self.inbox.take_rest().ok();
        }
        let (unseen, seen) = self.connection.close();
        // Another worker has them while this one ends.
        unseen.into_iter().for_each(InFlight::retry);
        let stderr = &mut self.stderr;
        let ended = tokio::select! {
            biased;
            never = stderr.follow() => match never {},
            ended = self.process.end(grace) => ended,
        };
        let is_out_of_memory = self.cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory);
        let limit_bytes = self.function.release.limits.memory_bytes;
        let status = ended.map(|ended| ended.status);
        // First, so that the log has the function's last lines before the host's line about it.
        let last_line = self.stderr.finish();
        let lost = seen.iter().filter(|in_flight| in_flight.has_client()).count();
        for in_flight in seen {
            let failure = end.failure(status.as_ref().ok().copied(), is_out_of_memory, limit_bytes);
            in_flight.answer(|_| Reply::Failed(failure));
        }
        Ended { status, last_line, lost }
    }
}

async fn watch(connection: &Connection, inbox: &mut Inbox, process: &Process) -> End {
    let mut heartbeat = interval(HEARTBEAT_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.reset();
    loop {
        let (until, has_unsent) = match connection.look() {
            Next::Kill(kill) => return End::Killed(kill),
            Next::End(drain) => return drained(drain, process).await,
            Next::Broken => return broken(connection, inbox, process).await,
            Next::Wait { until, has_unsent } => (until, has_unsent),
        };
        tokio::select! {
            biased;
            received = inbox.receive() => match received {
                Ok(()) => return ended(connection, process).await,
                Err(kill) => return End::Killed(kill),
            },
            () = process.exited() => return ended(connection, process).await,
            () = connection.changed() => {}
            () = async { sleep_until(until.expect("there is a deadline")).await }, if until.is_some() => {}
            () = connection.writable(), if has_unsent => {}
            _ = heartbeat.tick() => if is_hung(connection, inbox) {
                return End::Killed(Kill::Hung);
            },
        }
    }
}

/// Whether it has answered no ping for a whole period, in which nothing else kept it busy. Otherwise asks it, if it was
/// silent.
fn is_hung(connection: &Connection, inbox: &mut Inbox) -> bool {
    if inbox.has_heard() || connection.is_busy() {
        return false;
    }
    if inbox.is_asked() {
        return true;
    }
    inbox.ping();
    false
}

/// It, or its stream, has ended. If it was told to, this may be found together with its last response.
async fn ended(connection: &Connection, process: &Process) -> End {
    match connection.drained() {
        Some(drain) => drained(drain, process).await,
        None => End::ByItself,
    }
}

/// Nothing can be sent to it. Either it is ending at this moment, which its stream or its process shows soon, or it has closed
/// its end for reading only.
async fn broken(connection: &Connection, inbox: &mut Inbox, process: &Process) -> End {
    tokio::select! {
        biased;
        received = inbox.receive() => match received {
            Ok(()) => ended(connection, process).await,
            Err(kill) => End::Killed(kill),
        },
        () = process.exited() => ended(connection, process).await,
        () = sleep(EXIT_GRACE) => End::Killed(Kill::Violation(Violation::NotReading)),
    }
}

/// It has no requests, and has been told to end: waits until it does.
async fn drained(drain: Drain, process: &Process) -> End {
    tokio::select! {
        biased;
        () = process.exited() => End::Drained(drain),
        () = sleep(DRAIN_GRACE) => End::Killed(Kill::Lingered),
    }
}

/// The line about a worker's end, without the function's name.
pub(super) fn describe(end: &End, status: &io::Result<ExitStatus>, limit_bytes: u64) -> String {
    match (end, status) {
        (End::ByItself, Ok(status)) => Failure::of_child_exit(*status, limit_bytes).to_string(),
        (End::ByItself, Err(error)) => format!("failed to get its exit status: {error}"),
        (End::Killed(Kill::Deadline { request_id }), _) => {
            format!("killed: request {request_id} missed its deadline")
        }
        (End::Killed(Kill::Violation(violation)), _) => format!("killed: {violation}"),
        (End::Killed(Kill::Hung), _) => {
            format!("killed: it answered no ping for {} s", HEARTBEAT_EVERY.as_secs())
        }
        (End::Killed(Kill::Lingered), _) => {
            format!("killed: it went on for {} s after it was told to end", DRAIN_GRACE.as_secs())
        }
        (End::Drained(_), _) => "drained".to_owned(),
    }
}
