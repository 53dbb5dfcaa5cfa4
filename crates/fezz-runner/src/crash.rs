//! Tells one end of the process from another, as far as the process itself can.
//!
//! # Out of memory
//!
//! What follows a failed allocation is an abort (Rust, C++) or the use of a null pointer (C), on the same thread. So the
//! signals' handler asks what [`allocations`] remembers of the thread: an abort while as large an allocation hasn't
//! succeeded since, or the use of an address within what wasn't given, ends the process by [`ExitCode::OutOfMemory`].
//! Of an allocator that a module brings along, nothing is remembered: its failure left `ENOMEM` in errno, which stays
//! there as long as no other call fails. Anything else lets the signal take its course, and debuggers and exit statuses
//! see what they always see. A module that installs handlers of its own loses only this distinction.

use crate::jail::policy;
use crate::limits::LimitError;
use crate::{allocations, channel, syscalls};
use fezz_wire::ExitCode;
use nix::sys::signal::{SaFlags, Signal};

/// Installs the handler that tells a crash at the memory limit from any other.
///
/// # Errors
///
/// What sigaction(2) or sigaltstack(2) says.
pub fn watch_for_memory() -> Result<(), LimitError> {
    syscalls::on_fatal_signal(exit_if_out_of_memory).map_err(LimitError::CrashHandler)
}

/// Has a module that calls `exit(3)` by a code that says "the function never ran" end by status 1: those are the
/// runner's own, and those of [`policy::OF_WRAPPERS`]. Else that would be said, and believed, of one that did run.
///
/// # Errors
///
/// `ENOMEM`.
pub fn keep_exit_codes_apart() -> Result<(), LimitError> {
    syscalls::on_exit(exit_by_another_code).map_err(LimitError::ExitHandler)
}

extern "C" fn exit_by_another_code(status: libc::c_int, _: *mut libc::c_void) {
    // What the parent gets of it (exit(3)).
    let status = status & 0xff;
    let is_of_wrappers = u32::try_from(status).is_ok_and(|status| policy::OF_WRAPPERS.contains(&status));
    if ExitCode::from_status(status).is_some() || is_of_wrappers {
        channel::log(
            b"fezz-runner: the module called exit by a reserved number (64 to 78, 126, 127, 255): it becomes 1\n",
        );
        syscalls::exit_now(1);
    }
}

/// Async-signal-safe (signal-safety(7)): reads thread-local integers, writes, exits.
extern "C" fn exit_if_out_of_memory(signal: libc::c_int, told: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel calls this with it.
    let address = unsafe { syscalls::address_of_crash(signal, told) };
    if is_out_of_memory(address) {
        channel::log(b"fezz-runner: out of memory\n");
        syscalls::exit_now(ExitCode::OutOfMemory.as_u8());
    }
    if signal == libc::SIGABRT && rustix::process::getpid().is_init() {
        exit_as_by(signal);
    }
}

/// Whether a crash, at an address if it was at one, comes of a failed allocation.
fn is_out_of_memory(address: Option<usize>) -> bool {
    if !allocations::have_ever_failed() {
        return syscalls::errno() == libc::ENOMEM;
    }
    address.map_or_else(allocations::is_behind_abort, allocations::is_behind_use_of)
}

/// The first process of a PID namespace, as each of a zygote's children is, and a runner under nsjail, ignores what has no
/// handler: abort(3) would end as a segfault, and the limit of processor time by a SIGKILL that says nothing. So it exits,
/// by what a shell says of a signal; [`signal_behind`] is the way back.
extern "C" fn exit_as_by(signal: libc::c_int) {
    syscalls::exit_now(u8::try_from(AS_BY_SIGNAL + signal).unwrap_or(1));
}

/// What a shell adds to a signal's number for an exit status.
const AS_BY_SIGNAL: libc::c_int = 128;

/// The signal that the first process of a PID namespace exits for, if its exit status says that.
pub fn signal_behind(status: libc::c_int) -> Option<libc::c_int> {
    [libc::SIGABRT, libc::SIGXCPU].into_iter().find(|signal| AS_BY_SIGNAL + signal == status)
}

/// Has this process, or the children that it forks, exit at the end of their processor time: the first of its PID namespace
/// ignores the signal otherwise.
///
/// # Errors
///
/// What sigaction(2) says.
pub fn watch_for_processor_time() -> Result<(), LimitError> {
    syscalls::on_signal(Signal::SIGXCPU, exit_as_by, SaFlags::empty()).map_err(LimitError::CrashHandler)
}
