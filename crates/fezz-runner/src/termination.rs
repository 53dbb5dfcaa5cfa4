//! Terminates this process from inside: when its time is up, and when the host is gone.
//!
//! When the host ends, the kernel closes the host's ends of a runner's pipes and sockets; wrappers have no copies of
//! those. In strict mode the runner's supervisor polls for that ([`crate::jail::processes`]). In other modes there is
//! no second process, and the module occupies this one. So the kernel is asked for a signal, which needs no thread. A
//! worker has threads anyway, and uses one.

use crate::syscalls;
use nix::sys::signal::{SaFlags, SigSet, Signal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, BorrowedFd, RawFd};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// Kills this process after `time`, by SIGKILL, which no module can block. Some wrappers start the runner as the first
/// process of a PID namespace. That one ignores SIGKILL from inside and handles only signals that it has a handler for
/// (pid_namespaces(7)): there, a signal is used that Linux itself doesn't use (signal(7)).
///
/// # Errors
///
/// Those of sigaction(2), timer_create(2) and timer_settime(2).
pub(crate) fn kill_after(time: Duration) -> Result<(), Errno> {
    if !rustix::process::getpid().is_init() {
        return syscalls::signal_after(time, Signal::SIGKILL);
    }
    syscalls::on_signal(Signal::SIGSTKFLT, end, HANDLED)?;
    syscalls::signal_after(time, Signal::SIGSTKFLT)
}

/// Terminates this process when the host is gone; holds the descriptor's former flags.
#[derive(Debug)]
pub(crate) struct HostWatch(Option<OFlags>);

/// The descriptor whose other end is the host's.
static WATCHED: AtomicI32 = AtomicI32::new(-1);

impl HostWatch {
    /// No watch: the supervisor does it.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Terminates this process by SIGIO (fcntl(2), F_SETOWN) when the other end of `channel`, a pipe or a socket, is
    /// gone. It doesn't terminate a module that handles or blocks that signal; programs rarely use it.
    ///
    /// Call it after the last change of this process's user: the kernel checks the right to signal by that user.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2) and sigaction(2).
    pub(crate) fn start(channel: BorrowedFd<'_>) -> Result<Self, Errno> {
        if !matches!(FileType::from_raw_mode(fstat(channel)?.st_mode), FileType::Fifo | FileType::Socket) {
            // A regular file, as when a person replays a request, has no other end.
            return Ok(Self::none());
        }
        WATCHED.store(channel.as_raw_fd(), Ordering::Relaxed);
        syscalls::on_signal(Signal::SIGIO, end_if_host_is_gone, HANDLED)?;
        SigSet::from(Signal::SIGIO).thread_unblock().map_err(syscalls::of_nix)?;
        let flags = fcntl_getfl(channel)?;
        syscalls::signal_this_process(channel)?;
        fcntl_setfl(channel, flags | OFlags::ASYNC)?;
        // The kernel sends no signal for a host that was gone before.
        end_if_host_is_gone(libc::SIGIO);
        Ok(Self(Some(flags)))
    }

    /// Stops the watch, before this process uses the channel: the kernel would signal that too.
    pub(crate) fn stop(self, channel: BorrowedFd<'_>) {
        if let Some(flags) = self.0 {
            // It fails if the module has closed the channel, and then no signal comes either.
            fcntl_setfl(channel, flags).ok();
        }
    }
}

/// Terminates this process when the other end of `channel`, a socket, is gone: by a thread that waits for nothing else.
/// For a process that serves request after request, which would get a signal of [`HostWatch`] for most of them.
///
/// # Errors
///
/// The system refuses the descriptor or the thread.
pub(crate) fn end_with_host(channel: BorrowedFd<'_>) -> Result<(), std::io::Error> {
    /// It makes two system calls.
    const STACK_BYTES: usize = 64 * 1024;
    let channel = channel.try_clone_to_owned()?;
    let wait = move || {
        // No events: the kernel reports a hang-up in any case, and wakes the thread for nothing else.
        while poll(&mut [PollFd::new(&channel, PollFlags::empty())], None) == Err(Errno::INTR) {}
        syscalls::exit_now(STATUS_OF_SIGKILL)
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(wait).map(drop)
}

/// For handlers of signals that may come at any time: an interrupted call is restarted.
const HANDLED: SaFlags = SaFlags::SA_RESTART.union(SaFlags::SA_ONSTACK);

/// The status that a shell reports for SIGKILL.
const STATUS_OF_SIGKILL: u8 = 128 + 9;

extern "C" fn end(_signal: libc::c_int) {
    syscalls::exit_now(STATUS_OF_SIGKILL);
}

/// The signal means that the channel has changed, not how: a reader that empties it causes one too. Async-signal-safe.
extern "C" fn end_if_host_is_gone(_signal: libc::c_int) {
    let watched: RawFd = WATCHED.load(Ordering::Relaxed);
    if syscalls::has_hung_up(watched) {
        syscalls::exit_now(STATUS_OF_SIGKILL);
    }
}
