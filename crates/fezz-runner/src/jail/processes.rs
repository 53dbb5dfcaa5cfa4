//! The processes of a jail. The calling process becomes the supervisor:
//!
//! ```text
//! supervisor           in the host's PID namespace: ends as the module's process ends, and when the host is gone
//! |- first (PID 1)     in the new one: reaps; when it ends, the kernel kills all processes of its namespace
//! `- module's (PID 2)  in the new one: loads the module
//! ```
//!
//! The module isn't PID 1 itself, because PID 1 ignores signals without a handler: its abort(3) would look like a
//! segfault, its SIGSTOP and its limit of processor time would do nothing (pid_namespaces(7)).

use super::{capabilities, syscalls};
use crate::channel;
use crate::syscalls::{close_from, exit_now};
use fezz_wire::{ExitCode, WrapperStatus};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, waitpid};
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};

/// A process of the jail can't be started, or can't watch the others.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}")]
pub struct ProcessError {
    step: &'static str,
    source: Errno,
}

/// Tells the supervisor that the function's code is about to run. From then on, the supervisor reports no exit status
/// that means that it never ran.
#[derive(Debug)]
pub(crate) struct Mark(OwnedFd);

/// What a mark says.
const MODULE_STARTS: u8 = 1;
const PROGRAM_STARTS: u8 = 2;
/// After the second: execve(2) has failed.
const NOT_EXECUTED: u8 = 3;

impl Mark {
    /// Sets it, for good.
    ///
    /// # Errors
    ///
    /// The supervisor is gone.
    pub(crate) fn set(self) -> Result<(), ProcessError> {
        self.write(MODULE_STARTS)
    }

    /// Sets it before an execve(2), which closes it.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub(crate) fn set_for_program(&self) -> Result<(), ProcessError> {
        self.write(PROGRAM_STARTS)
    }

    /// Takes it back, since execve(2) has failed.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub(crate) fn withdraw(self) -> Result<(), ProcessError> {
        self.write(NOT_EXECUTED)
    }

    fn write(&self, what: u8) -> Result<(), ProcessError> {
        let failed =
            |source| ProcessError { step: "tell the jail's supervisor that the function starts", source };
        rustix::io::write(&self.0, &[what]).map(drop).map_err(failed)
    }
}

/// Splits this process. It returns in the module's process only; the calling one becomes the supervisor, and ends as
/// the module's process ends, or when the other end of `host` is gone.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`: the system has no more processes to give.
pub(super) fn split(host: BorrowedFd<'_>) -> Result<Mark, ProcessError> {
    let failed = |step| move |source| ProcessError { step, source };
    let supervisor = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(failed("watch the jail's supervisor"))?;
    let first = syscalls::start_first_process(supervisor.as_fd())
        .map_err(failed("start the jail's first process"))?;
    let (marks, mark) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("make a pipe"))?;
    match syscalls::fork().map_err(failed("start the module's process"))? {
        Some(module) => supervise(module, first, &marks, host),
        // If the host is killed by SIGKILL, the kernel kills the supervisor, and then this process.
        None => {
            syscalls::die_with_supervisor(supervisor.as_fd())
                .map_err(failed("make the module's process end with its supervisor"))?;
            Ok(Mark(mark))
        }
    }
}

/// Waits for the end of the module's process, ends the jail, and then itself in the same way.
fn supervise(module: Pid, first: Pid, marks: &OwnedFd, host: BorrowedFd<'_>) -> ! {
    // In this order: `host` may be stdin. No later step needs a capability.
    if dup2_stdout(host).is_err() || dup2_stdin(marks).is_err() || capabilities::drop_all().is_err() {
        exit_now(1);
    }
    // The module's process has its own copies. If they can't be closed here, they stay open, which does no harm.
    // SAFETY: this process must not use or close a descriptor from 3 on later: the code below opens its own, and this
    // function never returns to the owners of the others.
    unsafe { close_from(3) }.unwrap_or_default();
    wait_for_either(module, stdout());
    kill_process(first, Signal::KILL).ok();
    // In this order: PID 1 ends only when all others of its namespace are reaped, the module's process by this one.
    // When PID 1 itself is reaped, the namespace is empty.
    let ended = wait(module);
    wait(first);
    let Some(ended) = ended else { exit_now(1) };
    if let Some(signal) = ended.terminating_signal() {
        syscalls::end_by(signal);
    }
    exit_now(ended.exit_status().map_or(1, reported_status))
}

/// Waits for the end of the module's process, or for the host's, which closes the other end of `host`. The module can't
/// interfere: it closes only its own copy of a descriptor.
fn wait_for_either(module: Pid, host: BorrowedFd<'_>) {
    // An error of one of these calls ends the jail too.
    let Ok(module) = pidfd_open(module, PidfdFlags::empty()) else { return };
    let mut either =
        [PollFd::new(&module, PollFlags::IN), PollFd::from_borrowed_fd(host, PollFlags::empty())];
    while poll(&mut either, None) == Err(Errno::INTR) {}
}

/// The exit status to report. A module that has run may exit with a status that means that it never ran: one of the
/// runner's own, or of a wrapper. Then 1 is reported. A program that has run may exit with any of the runner's: the
/// runner itself, which uses them for other ends of a module, is gone.
fn reported_status(status: i32) -> u8 {
    let code = ExitCode::from_status(status);
    let means_never_ran =
        WrapperStatus::from_status(status).is_some() || code.is_some_and(ExitCode::is_before_the_module);
    let is_reserved = match read_marks()[..] {
        [MODULE_STARTS] => means_never_ran,
        [PROGRAM_STARTS] => means_never_ran || code.is_some(),
        _ => false,
    };
    if is_reserved {
        channel::log(
            b"fezz-runner: the function exited with a status reserved for one that never ran, or for the runner: exiting with 1\n",
        );
        return 1;
    }
    status.try_into().unwrap_or(1)
}

/// What the module's process has written. The other end of the pipe is closed: this doesn't block.
fn read_marks() -> Vec<u8> {
    const MARKS: usize = 2;
    let mut marks = Vec::with_capacity(MARKS);
    rustix::io::read(stdin(), rustix::buffer::spare_capacity(&mut marks)).ok();
    marks
}

fn wait(process: Pid) -> Option<WaitStatus> {
    loop {
        match waitpid(Some(process), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            ended => return ended.ok().flatten().map(|(_, status)| status),
        }
    }
}
