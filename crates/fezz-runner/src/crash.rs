//! Tells a crash at the memory limit from any other crash.
//!
//! An allocation that fails leaves `ENOMEM` in the thread's errno. What follows is an abort (Rust, C++) or the use of
//! a null pointer (C), on the same thread and with errno as it was. So the signal's handler reads errno: `ENOMEM` ends
//! the process by [`ExitCode::OutOfMemory`]; anything else lets the signal take its course, and debuggers and exit
//! statuses see what they always see. A module that installs handlers of its own loses only this distinction.

use crate::limits::LimitError;
use crate::{channel, syscalls};
use fezz_wire::ExitCode;

/// Installs the handler.
///
/// # Errors
///
/// What sigaction(2) or sigaltstack(2) says.
pub fn watch_for_memory() -> Result<(), LimitError> {
    syscalls::on_fatal_signal(exit_if_out_of_memory).map_err(LimitError::CrashHandler)
}

/// Async-signal-safe (signal-safety(7)): reads a thread-local integer, writes, exits.
extern "C" fn exit_if_out_of_memory(_signal: libc::c_int) {
    if syscalls::errno() == libc::ENOMEM {
        channel::log(b"fezz-runner: out of memory\n");
        syscalls::exit_now(ExitCode::OutOfMemory.as_u8());
    }
}
