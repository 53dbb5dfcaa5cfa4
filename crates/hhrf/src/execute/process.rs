//! The process of a runner: starts and watches it, then kills and reaps it with all that it started.

use super::stderr_log;
use super::watch::watch;
use crate::children::Children;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

/// A runner that isn't reaped yet: until then no other process can get its process id or its group's.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    exit: AsyncFd<OwnedFd>,
    children: Arc<Children>,
}

/// The end of a process and of all that it started.
#[derive(Debug)]
pub struct EndedProcess {
    /// How it ended.
    pub status: ExitStatus,
    /// Orphans of it that had to be killed.
    pub orphans: usize,
}

/// The host's ends of a process's standard streams.
#[derive(Debug)]
pub struct Streams {
    /// Carries the request.
    pub stdin: PipeWriter,
    /// Carries the response.
    pub stdout: PipeReader,
    /// Carries the log.
    pub stderr: PipeReader,
}

impl Streams {
    /// Makes a pipe for each stream of the process that `command` starts.
    ///
    /// # Errors
    ///
    /// Those of pipe(2).
    pub fn of(command: &mut Command) -> io::Result<Self> {
        let (child_stdin, stdin) = io::pipe()?;
        let (stdout, child_stdout) = io::pipe()?;
        let (stderr, child_stderr) = stderr_log::pipe()?;
        command.stdin(child_stdin).stdout(child_stdout).stderr(child_stderr);
        Ok(Self { stdin, stdout, stderr })
    }
}

/// Time between SIGTERM and SIGKILL: wrappers use it to clean up (nsjail removes its cgroups). A runner without a
/// wrapper dies of SIGTERM at once.
const TERM_GRACE: Duration = Duration::from_millis(100);

impl Process {
    /// Starts the runner's command.
    ///
    /// # Errors
    ///
    /// Those of the exec and of pidfd_open(2).
    pub fn start(children: &Arc<Children>, mut command: Command) -> io::Result<Self> {
        command
            // A process group of its own, to be killed at once. Neither this nor `current_dir` needs code between fork and
            // exec, so std can use vfork, whose cost doesn't grow with this process.
            .process_group(0)
            .current_dir("/");
        Self::watch(children.start(&mut command)?, children)
    }

    fn watch(child: Child, children: &Arc<Children>) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        let children = Arc::clone(children);
        let open = || watch(pidfd_open(pid, PidfdFlags::NONBLOCK)?, Interest::READABLE);
        match open() {
            Ok(exit) => Ok(Self { child, pid, exit, children }),
            // Without a descriptor to watch it (EMFILE), it must not run.
            Err(error) => {
                kill_process_group(pid, Signal::KILL).ok();
                tokio::spawn(async move { reap(child, pid, &children).await });
                Err(error)
            }
        }
    }

    /// Its id, which no other process gets before it is reaped.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the end of the process itself; processes that it started may live on.
    pub async fn exited(&self) {
        // An error would come from epoll itself; then, as after the exit, the caller kills and reaps.
        self.exit.readable().await.map(drop).unwrap_or_default();
    }

    /// Whether the process itself has ended.
    pub fn has_exited(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // An error would come from poll itself: the task that waits for the end will see it.
        poll(&mut [PollFd::new(self.exit.get_ref(), PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Ends the process: waits up to `grace` for its exit, then sends SIGTERM, then kills its group; reaps it, and ends
    /// its orphans.
    ///
    /// # Errors
    ///
    /// Those of waitpid(2), which would be a bug.
    pub async fn end(self, grace: Option<Duration>) -> io::Result<EndedProcess> {
        let by_itself = match grace {
            Some(grace) => timeout(grace, self.exited()).await.is_ok(),
            None => false,
        };
        // Signals to a process that is gone fail, which is fine.
        if !by_itself {
            pidfd_send_signal(self.exit.get_ref(), Signal::TERM).ok();
            timeout(TERM_GRACE, self.exited()).await.ok();
        }
        kill_process_group(self.pid, Signal::KILL).ok();
        self.exited().await;
        reap(self.child, self.pid, &self.children).await
    }
}

/// Reaps a process that has ended or soon will. Never by a blocking wait: a traced process (ptrace(2)) can't be reaped,
/// and its tracer may be an orphan of it, which `end_orphans` kills.
async fn reap(mut child: Child, pid: Pid, children: &Children) -> io::Result<EndedProcess> {
    const PAUSE_MAX: Duration = Duration::from_millis(100);
    let mut pause = Duration::from_millis(1);
    let mut orphans = 0;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) => {}
            Err(error) => break Err(error),
        }
        orphans += children.end_orphans().await;
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    };
    children.forget(pid);
    orphans += children.end_orphans().await;
    Ok(EndedProcess { status: status?, orphans })
}
