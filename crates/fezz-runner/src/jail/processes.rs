//! The processes of a jail. This one stays outside and waits:
//!
//! ```text
//! supervisor           in the host's PID namespace: ends as the module's process ends
//! |- first (PID 1)     in the new one: reaps; with it, the kernel ends all that is in its namespace
//! `- module's (PID 2)  in the new one: goes on
//! ```
//!
//! The module isn't PID 1 itself, because that one ignores what has no handler: its abort(3) would look like a
//! segfault, its SIGSTOP and its limit of processor time do nothing (pid_namespaces(7)).

use super::{capabilities, syscalls};
use crate::channel;
use crate::syscalls::{close_all_but_stdin_and_stderr, exit_now};
use fezz_wire::ExitCode;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, waitpid};
use rustix::stdio::{dup2_stdin, stdin};

/// A process of the jail can't be started or tied to the others.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}")]
pub struct ProcessError {
    step: &'static str,
    source: Errno,
}

/// Tells the supervisor that the module's code begins, which then believes no exit status any more that says it never
/// ran.
#[derive(Debug)]
pub struct Mark(OwnedFd);

impl Mark {
    /// Sets it, for good.
    ///
    /// # Errors
    ///
    /// The supervisor is gone.
    pub fn set(self) -> Result<(), ProcessError> {
        let failed =
            |source| ProcessError { step: "tell the jail's supervisor that the module begins", source };
        rustix::io::write(&self.0, &[1]).map(drop).map_err(failed)
    }
}

/// Splits this process. Returns in the module's process alone; the one that called stays outside, and ends as that one
/// ends.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`: the system has no more processes to give.
pub fn split() -> Result<Mark, ProcessError> {
    let failed = |step| move |source| ProcessError { step, source };
    let supervisor = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(failed("watch the jail's supervisor"))?;
    let first = syscalls::start_first_process(supervisor.as_fd())
        .map_err(failed("start the jail's first process"))?;
    let (marks, mark) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("make a pipe"))?;
    match syscalls::fork().map_err(failed("start the module's process"))? {
        Some(module) => supervise(module, first, &marks),
        // A host that is killed by SIGKILL takes the supervisor with it, and that one this process.
        None => {
            syscalls::tie_to(supervisor.as_fd())
                .map_err(failed("tie the module's process to its supervisor"))?;
            Ok(Mark(mark))
        }
    }
}

/// Waits for the end of the module's process, ends the jail, and then itself in the same way.
fn supervise(module: Pid, first: Pid, marks: &OwnedFd) -> ! {
    // The module's descriptors are its own business now: its response would not end with it, else.
    // Nor is there anything more to do that needs a right.
    if dup2_stdin(marks).is_err() || capabilities::drop_all().is_err() {
        exit_now(1);
    }
    close_all_but_stdin_and_stderr();
    let ended = wait(module);
    kill_process(first, Signal::KILL).ok();
    // When it is reaped, all that was in the namespace is gone.
    wait(first);
    let Some(ended) = ended else { exit_now(1) };
    if let Some(signal) = ended.terminating_signal() {
        syscalls::end_by(signal);
    }
    exit_now(ended.exit_status().map_or(1, believed))
}

/// The exit status, unless it says of a module that ran that it never did: by the runner's codes, or by those of a
/// shell that can't execute it.
fn believed(status: i32) -> u8 {
    let says_never_ran = [126, 127].contains(&status)
        || ExitCode::from_status(status).is_some_and(ExitCode::is_before_the_module);
    // Its other end is closed: this doesn't wait.
    let has_run = || rustix::io::read(stdin(), &mut [0; 1]) != Ok(0);
    if says_never_ran && has_run() {
        channel::log(b"fezz-runner: the module exited by a number that says it never ran: it becomes 1\n");
        return 1;
    }
    status.try_into().unwrap_or(1)
}

fn wait(process: Pid) -> Option<WaitStatus> {
    loop {
        match waitpid(Some(process), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            ended => return ended.ok().flatten().map(|(_, status)| status),
        }
    }
}
