//! Starts, watches and ends a zygote.

use super::zygote::{Next, Zygote};
use crate::catalogue::Function;
use crate::execute::command::Purpose;
use crate::execute::demand::Life;
use crate::execute::lease::EXIT_GRACE;
use crate::execute::load::LoadFailure;
use crate::execute::process::Process;
use crate::execute::start::Starter;
use crate::execute::stderr_log::{self, StderrLog, Subject};
use fezz_wire::control::{Report, Separation};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// What belongs to a zygote until its end.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) zygote: Arc<Zygote>,
    process: Process,
    stderr: StderrLog,
}

/// Why a zygote ended.
#[derive(Debug)]
pub(super) enum ZygoteEnd {
    /// It wasn't needed any more.
    Retired,
    /// It ended by itself.
    Died(io::Result<ExitStatus>),
    /// It gave no heartbeat, or sent an invalid report.
    Hung,
}

/// A zygote that is gone.
struct EndedZygote {
    status: io::Result<ExitStatus>,
    /// What it said last.
    last_line: Option<String>,
}

/// A zygote answers in microseconds. If the whole machine hangs for so long, the zygote is killed in error, which costs
/// only its requests in flight.
const HUNG_AFTER: Duration = Duration::from_secs(5);

/// How often it is asked for a heartbeat, and its children are checked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When to retry after its socket was full: it reads some orders in this time.
const SEND_AGAIN: Duration = Duration::from_millis(1);

impl ZygoteEnd {
    /// Logs it.
    pub(super) fn log(self, function: &str) {
        match self {
            Self::Retired => tracing::debug!(function, "zygote retired"),
            Self::Died(Ok(status)) => {
                tracing::warn!(function, %status, "a zygote ended by itself; the next request starts another")
            }
            Self::Died(Err(error)) => {
                tracing::warn!(function, %error, "failed to get a zygote's exit status")
            }
            Self::Hung => {
                tracing::warn!(function, "a zygote gave no heartbeat, or a false one, and was killed")
            }
        }
    }
}

impl Supervisor {
    /// Starts a zygote of `function`, which may have so many `children` of such a life at a time, and waits until its module is loaded.
    ///
    /// # Errors
    ///
    /// It couldn't be loaded; its processes are gone.
    pub(super) async fn start(
        starter: &Starter,
        function: &Arc<Function>,
        children: u64,
        life: Life,
    ) -> Result<(Self, Separation), LoadFailure> {
        let mut supervisor = Self::spawn(starter, function, Purpose::Zygote { children, life })
            .map_err(|error| LoadFailure::NotStarted(Arc::new(error)))?;
        let Self { zygote, process, stderr } = &mut supervisor;
        let report = tokio::select! {
            reports = zygote.reports() => reports.and_then(|reports| reports.first().copied()),
            () = process.exited() => None,
            () = sleep(function.release.timeout) => {
                supervisor.end(None).await;
                return Err(LoadFailure::TooSlow(function.release.timeout));
            }
            never = stderr.follow() => match never {},
        };
        match report {
            Some(Report::Ready(separation)) => Ok((supervisor, separation)),
            _ => {
                let limit_bytes = function.release.limits.memory_bytes;
                let EndedZygote { status, last_line } = supervisor.end(Some(EXIT_GRACE)).await;
                Err(LoadFailure::of_end(status, last_line, limit_bytes))
            }
        }
    }

    fn spawn(starter: &Starter, function: &Arc<Function>, purpose: Purpose) -> io::Result<Self> {
        let (control, its_stdin) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let (stderr, its_stderr) = stderr_log::pipe()?;
        let (mut command, cgroup) = starter.command(function, purpose)?;
        command.stdin(its_stdin).stdout(Stdio::null()).stderr(its_stderr);
        let zygote = Zygote::new(control, cgroup)?;
        let stderr = StderrLog::new(stderr.into(), function, Subject::Process, starter.stderr_bytes_max)?;
        let process = Process::start(&starter.children, command)?;
        Ok(Self { zygote, process, stderr })
    }

    /// Supervises it until it ends or isn't needed any more. When this returns, it and all of its children are gone.
    pub(super) async fn supervise(mut self) -> ZygoteEnd {
        let Self { zygote, process, stderr } = &mut self;
        let end = tokio::select! {
            end = watch(zygote, process) => end,
            never = stderr.follow() => match never {},
        };
        match end {
            ZygoteEnd::Retired => {
                self.end(Some(EXIT_GRACE)).await;
                end
            }
            ZygoteEnd::Died(_) => {
                // Reports that it sent before its end still count.
                self.zygote.hang_up();
                while let Ok(Some(reports)) = timeout(Duration::ZERO, self.zygote.reports()).await {
                    if self.zygote.handle_all(reports).is_err() {
                        break;
                    }
                }
                ZygoteEnd::Died(self.end(Some(EXIT_GRACE)).await.status)
            }
            ZygoteEnd::Hung => {
                self.end(None).await;
                end
            }
        }
    }

    async fn end(self, grace: Option<Duration>) -> EndedZygote {
        self.zygote.hang_up();
        let ended = self.process.end(grace).await;
        let last_line = self.stderr.finish();
        self.zygote.mark_dead();
        EndedZygote { status: ended.map(|ended| ended.status), last_line }
    }
}

async fn watch(zygote: &Zygote, process: &Process) -> ZygoteEnd {
    let mut asked: Option<Instant> = None;
    loop {
        let pause = match zygote.look() {
            Next::End => return ZygoteEnd::Retired,
            Next::Lost => return ZygoteEnd::Hung,
            Next::Rest => None,
            Next::Send => Some(SEND_AGAIN),
            Next::Watch => Some(LOOK_EVERY),
        };
        if asked.is_some_and(|since| since.elapsed() > HUNG_AFTER) {
            // If this host itself hung, the answer has been waiting.
            let answer = timeout(Duration::ZERO, zygote.reports()).await.ok().flatten();
            if answer.is_none_or(|reports| zygote.handle_all(reports).is_err()) {
                return ZygoteEnd::Hung;
            }
            asked = None;
        }
        // Resolves to whether nothing changed for so long.
        let silence = async {
            match pause {
                Some(pause) => timeout(pause, zygote.changed()).await.is_err(),
                None => {
                    zygote.changed().await;
                    false
                }
            }
        };
        tokio::select! {
            reports = zygote.reports() => match reports {
                Some(reports) => {
                    asked = None;
                    if zygote.handle_all(reports).is_err() {
                        return ZygoteEnd::Hung;
                    }
                }
                None => return ZygoteEnd::Died(Err(io::ErrorKind::UnexpectedEof.into())),
            },
            () = process.exited() => return ZygoteEnd::Died(Err(io::ErrorKind::UnexpectedEof.into())),
            is_silent = silence => if is_silent && asked.is_none() {
                zygote.probe();
                asked = Some(Instant::now());
            }
        }
    }
}
