//! Makes the exit status tell how the process ended, as far as the process itself can.
//!
//! # Out of memory
//!
//! After a failed allocation, Rust and C++ abort and C uses a null pointer, on the same thread. So the signal handler
//! looks up the thread's failed allocations in [`allocations`]. The process exits with [`ExitCode::OutOfMemory`] if it
//! aborts and no allocation as large has succeeded since, or if the fault's address lies within the failed allocation.
//!
//! An allocator that a module brings along isn't recorded. Its failure leaves `ENOMEM` in errno, until another call
//! fails. In all other cases the signal has its default effect, so that debuggers and exit statuses show the usual
//! picture. A module that installs handlers of its own loses only this distinction.

use crate::limits::LimitError;
use crate::{allocations, channel, syscalls};
use fezz_wire::{ExitCode, WrapperStatus};
use nix::sys::signal::{SaFlags, Signal};

/// Installs the handler that distinguishes a crash at the memory limit from any other.
///
/// # Errors
///
/// Those of sigaction(2) and sigaltstack(2).
pub(crate) fn watch_for_memory() -> Result<(), LimitError> {
    syscalls::on_fatal_signal(exit_if_out_of_memory).map_err(LimitError::CrashHandler)
}

/// Makes a module that calls `exit(3)` with a reserved status exit with 1 instead. Reserved are the runner's own codes
/// and each [`WrapperStatus`]: for these, the host answers that the function never ran, and that a retry is safe.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn keep_exit_codes_apart() -> Result<(), LimitError> {
    syscalls::on_exit(exit_by_another_code).map_err(LimitError::ExitHandler)
}

extern "C" fn exit_by_another_code(status: libc::c_int, _: *mut libc::c_void) {
    // The eight bits that the parent receives (exit(3)).
    let status = status & 0xff;
    if ExitCode::from_status(status).is_some() || WrapperStatus::from_status(status).is_some() {
        channel::log(
            b"fezz-runner: the module called exit with a reserved status (64 to 78, 126, 127, 255): exiting with 1\n",
        );
        syscalls::exit_now(1);
    }
}

/// Async-signal-safe (signal-safety(7)): reads thread-local integers, writes, exits.
extern "C" fn exit_if_out_of_memory(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: `info` must be the argument of the kernel's call of a handler: it is that of this one.
    let address = unsafe { syscalls::address_of_crash(signal, info) };
    if is_out_of_memory(address) {
        channel::log(b"fezz-runner: out of memory\n");
        syscalls::exit_now(ExitCode::OutOfMemory.as_u8());
    }
    if signal == libc::SIGABRT && rustix::process::getpid().is_init() {
        exit_with_signal_status(signal);
    }
}

/// Whether a failed allocation explains a crash; `address` is where the fault was, if the signal has one.
fn is_out_of_memory(address: Option<usize>) -> bool {
    if !allocations::have_ever_failed() {
        return syscalls::errno() == libc::ENOMEM;
    }
    address.map_or_else(allocations::explain_abort, allocations::explain_fault_at)
}

/// Exits with the status that a shell reports for a signal; [`signal_of_status`] is the inverse.
///
/// For the first process of a PID namespace: each child of a zygote, and a runner under nsjail. It ignores signals that
/// have no handler, so that abort(3) would end as a segfault, and the limit of processor time by a plain SIGKILL.
extern "C" fn exit_with_signal_status(signal: libc::c_int) {
    syscalls::exit_now(u8::try_from(SIGNAL_STATUS_BASE + signal).unwrap_or(1));
}

/// What a shell adds to a signal's number for an exit status.
const SIGNAL_STATUS_BASE: libc::c_int = 128;

/// The signal that an exit status of this file's handlers stands for.
pub(crate) fn signal_of_status(status: libc::c_int) -> Option<libc::c_int> {
    [libc::SIGABRT, libc::SIGXCPU].into_iter().find(|signal| SIGNAL_STATUS_BASE + signal == status)
}

/// Makes this process, or the children that it forks, exit when their processor time is used up. The first process of a
/// PID namespace ignores the signal otherwise.
///
/// # Errors
///
/// Those of sigaction(2).
pub(crate) fn watch_for_processor_time() -> Result<(), LimitError> {
    syscalls::on_signal(Signal::SIGXCPU, exit_with_signal_status, SaFlags::empty())
        .map_err(LimitError::CrashHandler)
}
