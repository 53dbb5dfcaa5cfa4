//! ioctl(2), with its error as a value.

use libc::{Ioctl, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Calls ioctl(2) with a pointer to `argument`, again whenever a signal interrupted it. Returns what the kernel returned.
///
/// # Safety
///
/// `request` must be one for which the kernel reads and writes at most one `T` at its argument, and leaves a valid `T`.
/// If that `T` holds an address to which the kernel writes, it must be that of memory that no one else uses meanwhile.
pub(crate) unsafe fn ioctl<T>(file: BorrowedFd<'_>, request: Ioctl, argument: &mut T) -> io::Result<c_int> {
    loop {
        // SAFETY: the pointer is that of a `T` that is borrowed exclusively until the call returns, and the caller
        // promises that the kernel uses no more than that, and what it points to.
        let returned = unsafe { libc::ioctl(file.as_raw_fd(), request, std::ptr::from_mut(argument)) };
        if returned >= 0 {
            return Ok(returned);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
