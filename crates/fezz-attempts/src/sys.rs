//! System calls by number, and the names of what they answer.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// An address that no process has: after its check of privileges the kernel answers EFAULT.
pub(crate) const NOWHERE: usize = 1;

/// A descriptor that isn't open.
pub(crate) const NO_FD: usize = usize::MAX;

/// `AT_FDCWD`.
pub(crate) const HERE: usize = libc::AT_FDCWD as usize;

/// Makes a system call.
pub(crate) fn call(number: libc::c_long, arguments: &[usize]) -> io::Result<usize> {
    let a: [usize; 6] = std::array::from_fn(|at| arguments.get(at).copied().unwrap_or_default());
    // SAFETY: harm to the process is the purpose. Pointers among the arguments are `NOWHERE`, null, or of this crate's
    // own values that outlive the call.
    let result = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as usize) }
}

/// The same for calls that return a descriptor.
pub(crate) fn open(number: libc::c_long, arguments: &[usize]) -> io::Result<OwnedFd> {
    let descriptor = call(number, arguments)?;
    // SAFETY: the descriptor must be open and have no other owner: the kernel has just opened it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// A value's address, for the kernel.
pub(crate) fn at<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<u8>() as usize
}

/// The address of a value for the kernel to fill.
pub(crate) fn at_mut<T: ?Sized>(value: &mut T) -> usize {
    std::ptr::from_mut(value).cast::<u8>() as usize
}

/// Whether it means that permission is denied.
pub(crate) fn is_denial(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
}

/// The error's name in errno(3).
pub(crate) fn name(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else { return error.to_string() };
    match NAMES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("errno {number}"),
    }
}

macro_rules! names {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

const NAMES: &[(i32, &str)] = names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV
    ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE ERANGE ENOSYS
    ENOTEMPTY ELOOP ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EAFNOSUPPORT
    EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ECONNRESET ENOBUFS EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED
    EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT ENOKEY EUSERS EOVERFLOW ENOTUNIQ EUCLEAN
};
