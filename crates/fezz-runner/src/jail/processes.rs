//! The processes of a jail. This one stays outside and waits:
//!
//! ```text
//! supervisor           in the host's PID namespace: ends as the module's process ends, and when the host is gone
//! |- first (PID 1)     in the new one: reaps; with it, the kernel ends all that is in its namespace
//! `- module's (PID 2)  in the new one: goes on
//! ```
//!
//! The module isn't PID 1 itself, because that one ignores what has no handler: its abort(3) would look like a
//! segfault, its SIGSTOP and its limit of processor time do nothing (pid_namespaces(7)).

use super::{capabilities, syscalls};
use crate::channel;
use crate::syscalls::{close_from, exit_now};
use fezz_wire::ExitCode;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, waitpid};
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};

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
/// ends, or when the other end of `host` is gone.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`: the system has no more processes to give.
pub fn split(host: BorrowedFd<'_>) -> Result<Mark, ProcessError> {
    let failed = |step| move |source| ProcessError { step, source };
    let supervisor = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(failed("watch the jail's supervisor"))?;
    let first = syscalls::start_first_process(supervisor.as_fd())
        .map_err(failed("start the jail's first process"))?;
    let (marks, mark) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("make a pipe"))?;
    match syscalls::fork().map_err(failed("start the module's process"))? {
        Some(module) => supervise(module, first, &marks, host),
        // A host that is killed by SIGKILL takes the supervisor with it, and that one this process.
        None => {
            syscalls::tie_to(supervisor.as_fd())
                .map_err(failed("tie the module's process to its supervisor"))?;
            Ok(Mark(mark))
        }
    }
}

/// Waits for the end of the module's process, ends the jail, and then itself in the same way.
fn supervise(module: Pid, first: Pid, marks: &OwnedFd, host: BorrowedFd<'_>) -> ! {
    // Nor is there anything more to do that needs a right.
    // In this order: `host` may be stdin.
    if dup2_stdout(host).is_err() || dup2_stdin(marks).is_err() || capabilities::drop_all().is_err() {
        exit_now(1);
    }
    // The module's descriptors are its own business now. Where that can't be done, they stay open, which does no harm.
    // SAFETY: behind this, what this process opened before isn't used, and this function never returns to where it is
    // owned.
    unsafe { close_from(3) }.unwrap_or_default();
    wait_for_either(module, stdout());
    kill_process(first, Signal::KILL).ok();
    // In this order: the end of the first process lasts until all others of its namespace are reaped, this one by its
    // parent. When it is reaped itself, all that was in the namespace is gone.
    let ended = wait(module);
    wait(first);
    let Some(ended) = ended else { exit_now(1) };
    if let Some(signal) = ended.terminating_signal() {
        syscalls::end_by(signal);
    }
    exit_now(ended.exit_status().map_or(1, believed))
}

/// Waits for the end of the module's process, or of the host, after which `host` has no other end. The module can't be in
/// the way: a descriptor that it closes is its own.
fn wait_for_either(module: Pid, host: BorrowedFd<'_>) {
    // An error would be one of these calls' own, and ends the jail.
    let Ok(module) = pidfd_open(module, PidfdFlags::empty()) else { return };
    let mut either =
        [PollFd::new(&module, PollFlags::IN), PollFd::from_borrowed_fd(host, PollFlags::empty())];
    while poll(&mut either, None) == Err(Errno::INTR) {}
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
