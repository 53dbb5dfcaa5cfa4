//! Attempts that are one system call with invalid arguments, as bubblewrap's tests make them: EPERM means that the call
//! was stopped, EFAULT, EBADF and EINVAL that the kernel has checked its arguments.

use crate::found::Found;
use crate::sys;

/// One system call.
pub(crate) struct Probe {
    /// The call's name, as in /proc/kallsyms.
    pub(crate) call: &'static str,
    pub(crate) number: libc::c_long,
    pub(crate) arguments: fn() -> Vec<usize>,
}

impl Probe {
    /// Makes the call.
    pub(crate) fn run(&self) -> Found {
        judge(self.call, sys::call(self.number, &(self.arguments)()))
    }
}

/// What the answer to a call with invalid arguments means.
pub(crate) fn judge(call: &'static str, answer: std::io::Result<usize>) -> Found {
    match answer {
        Ok(value) => Found::Worked(format!("{call} returned {value}")),
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Found::NoSuchCall(call),
        Err(error) if sys::is_denial(&error) => Found::Refused(format!("{call}: {}", sys::name(&error))),
        Err(error) => Found::Worked(format!("{call}: {}, so the kernel took it", sys::name(&error))),
    }
}
