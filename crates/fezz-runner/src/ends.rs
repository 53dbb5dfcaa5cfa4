//! Ends this process though nobody does it from outside: when its time is up, and when the host is gone.
//!
//! The host's end closes its ends of a runner's pipes and sockets, however many wrappers stand between the two, none of
//! which has a copy of those. In a jail of its own making, a runner's supervisor watches for that
//! ([`crate::jail::processes`]). Elsewhere there is no other process, and the module has this one: so the kernel is asked
//! for a signal, which costs no thread and no time.

use crate::syscalls;
use nix::sys::signal::{SaFlags, SigSet, Signal};
use rustix::fd::{AsRawFd, BorrowedFd, RawFd};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// Ends this process after `time`: by SIGKILL, which no module can hold up. The first process of a PID namespace, as some
/// wrappers start the runner, ignores that from inside and heeds only what it has a handler for (pid_namespaces(7)):
/// there, by a signal that Linux itself doesn't use (signal(7)).
///
/// # Errors
///
/// What sigaction(2), timer_create(2) or timer_settime(2) says.
pub fn after(time: Duration) -> Result<(), Errno> {
    if !rustix::process::getpid().is_init() {
        return syscalls::signal_after(time, Signal::SIGKILL);
    }
    syscalls::on_signal(Signal::SIGSTKFLT, end, HANDLED)?;
    syscalls::signal_after(time, Signal::SIGSTKFLT)
}

/// What this process is tied to its host by.
#[derive(Debug)]
pub struct Tie(Option<OFlags>);

/// Where the host is at the other end.
static LINE: AtomicI32 = AtomicI32::new(-1);

impl Tie {
    /// No tie: something else watches.
    pub fn none() -> Self {
        Self(None)
    }

    /// Ends this process when the other end of `line`, a pipe or a socket, is gone, by SIGIO (fcntl(2), F_SETOWN). A
    /// module that handles or blocks that signal is not ended; programs have no other use for it.
    ///
    /// Behind the last change of this process's user, as whom it signals itself.
    ///
    /// # Errors
    ///
    /// What fcntl(2) or sigaction(2) says.
    pub fn to_host(line: BorrowedFd<'_>) -> Result<Self, Errno> {
        if !matches!(FileType::from_raw_mode(fstat(line)?.st_mode), FileType::Fifo | FileType::Socket) {
            // A file, as of somebody who replays a request, has no other end.
            return Ok(Self::none());
        }
        LINE.store(line.as_raw_fd(), Ordering::Relaxed);
        syscalls::on_signal(Signal::SIGIO, end_if_host_is_gone, HANDLED)?;
        SigSet::from(Signal::SIGIO).thread_unblock().map_err(syscalls::of_nix)?;
        let flags = fcntl_getfl(line)?;
        syscalls::signal_this_process(line)?;
        fcntl_setfl(line, flags | OFlags::ASYNC)?;
        // Of who was gone before, no signal tells.
        end_if_host_is_gone(libc::SIGIO);
        Ok(Self(Some(flags)))
    }

    /// Takes it back, before anything goes over the line: the kernel tells of that, too.
    pub fn take_back(self, line: BorrowedFd<'_>) {
        if let Some(flags) = self.0 {
            // It fails for a module that has closed the line, of which nothing is told any more.
            fcntl_setfl(line, flags).ok();
        }
    }
}

/// For handlers of signals that may come at any time: a call that one interrupts goes on.
const HANDLED: SaFlags = SaFlags::SA_RESTART.union(SaFlags::SA_ONSTACK);

/// As a shell tells of SIGKILL.
const AS_KILLED: u8 = 128 + 9;

extern "C" fn end(_signal: libc::c_int) {
    syscalls::exit_now(AS_KILLED);
}

/// The signal tells that something has happened to the line, and not what: a reader that finds nothing there makes it,
/// too. Async-signal-safe.
extern "C" fn end_if_host_is_gone(_signal: libc::c_int) {
    let line: RawFd = LINE.load(Ordering::Relaxed);
    if syscalls::has_hung_up(line) {
        syscalls::exit_now(AS_KILLED);
    }
}
