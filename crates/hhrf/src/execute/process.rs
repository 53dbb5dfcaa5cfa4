//! The process of one request: started, watched, and with all that it started killed and reaped.

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

/// A runner, not yet reaped: until then nothing else can have its process id or its group's.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    exit: AsyncFd<OwnedFd>,
    children: Arc<Children>,
}

/// A process that is gone, and all that it had started.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Processes that it had left behind and that had to be killed.
    pub orphans: usize,
}

/// The host's ends of a process's standard streams.
#[derive(Debug)]
pub struct Streams {
    /// The request's way.
    pub stdin: PipeWriter,
    /// The response's way.
    pub stdout: PipeReader,
    /// The log's way.
    pub stderr: PipeReader,
}

impl Streams {
    /// Makes a pipe for each stream of the process that `command` starts.
    ///
    /// # Errors
    ///
    /// What pipe(2) says.
    pub fn of(command: &mut Command) -> io::Result<Self> {
        let (child_stdin, stdin) = io::pipe()?;
        let (stdout, child_stdout) = io::pipe()?;
        let (stderr, child_stderr) = stderr_log::pipe()?;
        command.stdin(child_stdin).stdout(child_stdout).stderr(child_stderr);
        Ok(Self { stdin, stdout, stderr })
    }
}

/// How long a process that has to go may take to go by itself: wrappers use it to remove what they made (nsjail its
/// cgroups). A runner that isn't wrapped dies of the first signal at once.
const TERM_GRACE: Duration = Duration::from_millis(100);

impl Process {
    /// Starts the runner's command.
    ///
    /// # Errors
    ///
    /// What the exec or pidfd_open(2) says.
    pub fn start(children: &Arc<Children>, mut command: Command) -> io::Result<Self> {
        command
            // A group of its own, to be killed as one. Neither this nor the folder needs code between fork and exec,
            // so that std can spawn by vfork, whose price doesn't grow with this process.
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
            // Without descriptors to watch it (EMFILE), it can't be let run.
            Err(error) => {
                kill_process_group(pid, Signal::KILL).ok();
                tokio::spawn(async move { reap(child, pid, &children).await });
                Err(error)
            }
        }
    }

    /// Waits for the end of the process itself; whatever it started may live on.
    pub async fn exited(&self) {
        // An error would be one of epoll's own; then, as at the exit, the next step is to kill and reap.
        self.exit.readable().await.map(drop).unwrap_or_default();
    }

    /// Whether the process itself has ended.
    pub fn has_exited(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // An error would be one of poll's own: whoever waits for the end will learn more.
        poll(&mut [PollFd::new(self.exit.get_ref(), PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Gives the process a moment to end by itself, if `grace` says so, then asks it, then kills it and its group;
    /// then reaps it, and whatever it left behind.
    ///
    /// # Errors
    ///
    /// What waitpid(2) says, which with a child of our own is a bug.
    pub async fn end(self, grace: Option<Duration>) -> io::Result<Ended> {
        let by_itself = match grace {
            Some(grace) => timeout(grace, self.exited()).await.is_ok(),
            None => false,
        };
        // Signals to a process that is gone already fail, and need not arrive.
        if !by_itself {
            pidfd_send_signal(self.exit.get_ref(), Signal::TERM).ok();
            timeout(TERM_GRACE, self.exited()).await.ok();
        }
        kill_process_group(self.pid, Signal::KILL).ok();
        self.exited().await;
        reap(self.child, self.pid, &self.children).await
    }
}

/// Reaps a process that has ended or soon will. Never by a wait that blocks: while it is traced (ptrace(2)) it can't be
/// reaped, and its tracer may be a process that it has left behind, which the sweep ends.
async fn reap(mut child: Child, pid: Pid, children: &Children) -> io::Result<Ended> {
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
    Ok(Ended { status: status?, orphans })
}
