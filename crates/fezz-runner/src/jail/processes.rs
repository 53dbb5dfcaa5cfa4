//! The processes of a jail. This one stays outside and waits:
//!
//! ```text
//! supervisor           in the host's PID namespace: ends as the module's process ends
//! |- first (PID 1)     in the new one: reaps; with it, the kernel ends all that is in its namespace
//! `- module's (PID 2)  in the new one: goes on
//! ```
//!
//! The module isn't PID 1 itself, because that one ignores what has no handler: its abort(3) would look like a segfault,
//! its SIGSTOP and its limit of processor time do nothing (pid_namespaces(7)).

use super::{capabilities, syscalls};
use crate::syscalls::{close_all_but_stderr, exit_now};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, waitpid};

/// A process of the jail can't be started or tied to the others.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}")]
pub struct ProcessError {
    step: &'static str,
    source: Errno,
}

/// Splits this process. Returns in the module's process alone; the one that called stays outside, and ends as that one
/// ends.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`: the system has no more processes to give.
pub fn split() -> Result<(), ProcessError> {
    let failed = |step| move |source| ProcessError { step, source };
    let supervisor = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(failed("watch the jail's supervisor"))?;
    let first = syscalls::start_first_process(supervisor.as_fd())
        .map_err(failed("start the jail's first process"))?;
    match syscalls::fork().map_err(failed("start the module's process"))? {
        Some(module) => supervise(module, first),
        // A host that is killed by SIGKILL takes the supervisor with it, and that one this process.
        None => {
            syscalls::tie_to(supervisor.as_fd()).map_err(failed("tie the module's process to its supervisor"))
        }
    }
}

/// Waits for the end of the module's process, ends the jail, and then itself in the same way.
fn supervise(module: Pid, first: Pid) -> ! {
    // The module's descriptors are its own business now: its response would not end with it, else.
    close_all_but_stderr();
    // Nothing more to do that needs a right.
    capabilities::drop_all().unwrap_or_default();
    let ended = wait(module);
    kill_process(first, Signal::KILL).ok();
    // When it is reaped, all that was in the namespace is gone.
    wait(first);
    let Some(ended) = ended else { exit_now(1) };
    if let Some(signal) = ended.terminating_signal() {
        syscalls::end_by(signal);
    }
    exit_now(ended.exit_status().and_then(|status| status.try_into().ok()).unwrap_or(1))
}

fn wait(process: Pid) -> Option<WaitStatus> {
    loop {
        match waitpid(Some(process), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            ended => return ended.ok().flatten().map(|(_, status)| status),
        }
    }
}
