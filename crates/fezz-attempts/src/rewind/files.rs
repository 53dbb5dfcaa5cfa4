//! Descriptors: those that a request leaves open or changes, its log, and the host's.

use super::{is_control, replaced};
use crate::attempt::Attempt;
use crate::found::Found;
use crate::locks;
use crate::state::{self, HIGH, Own};
use crate::sys;
use std::io;
use std::os::fd::AsRawFd;

pub(super) const ATTEMPTS: &[Attempt] = &[
    replaced("keep-descriptor", "keep an open descriptor", &state::DESCRIPTOR),
    replaced("keep-offset", "keep a file open at another offset", &OFFSET),
    replaced("keep-lock", "keep a lock on a file", &LOCK),
    replaced("keep-log-flags", "keep flags of its log's pipe (O_NONBLOCK, O_APPEND)", &state::FLAGS),
    replaced("keep-descriptor-flags", "keep flags of a descriptor (FD_CLOEXEC)", &DESCRIPTOR_FLAGS),
    replaced(
        "see-log-times",
        "see by its log's pipe when earlier requests wrote",
        &Own { leave: log_times, is_there: is_control },
    ),
    Attempt::new("forge-notifications", "answer, as the host, the system calls of its own process", |_| {
        on_each_descriptor(0xc018_2101)
    }),
    Attempt::new("receive-notifications", "receive the system calls that the host decides on", |_| {
        on_each_descriptor(0xc050_2100)
    }),
    Attempt::new("undo-tracking", "stop the host from seeing what it writes (userfaultfd)", |_| {
        const UFFDIO_UNREGISTER: usize = 0x8010_aa01;
        on_each_descriptor(UFFDIO_UNREGISTER)
    }),
];

const OFFSET_BYTES: usize = 7;

const OFFSET: Own = Own {
    leave: || {
        let library = locks::library()?;
        let kept = sys::call(libc::SYS_dup3, &[library.as_raw_fd() as usize, HIGH, 0])?;
        sys::call(libc::SYS_lseek, &[kept, OFFSET_BYTES, libc::SEEK_SET as usize]).map(drop)
    },
    is_there: || match sys::call(libc::SYS_lseek, &[HIGH, 0, libc::SEEK_CUR as usize]) {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(false),
        offset => offset.map(|offset| offset == OFFSET_BYTES),
    },
};

const LOCK: Own = Own {
    leave: || {
        let library = std::mem::ManuallyDrop::new(locks::library()?);
        locks::flock(&library, libc::LOCK_SH)
    },
    is_there: || match locks::flock(&locks::library()?, libc::LOCK_EX) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        lock => lock.map(|()| false),
    },
};

/// The log's.
const STDERR: usize = 2;

const DESCRIPTOR_FLAGS: Own = Own {
    leave: || {
        let flags = [STDERR, libc::F_SETFD as usize, libc::FD_CLOEXEC as usize];
        sys::call(libc::SYS_fcntl, &flags).map(drop)
    },
    is_there: || {
        let flags = sys::call(libc::SYS_fcntl, &[STDERR, libc::F_GETFD as usize])?;
        Ok(flags & libc::FD_CLOEXEC as usize != 0)
    },
};

fn log_times() -> io::Result<()> {
    let mut status = [0_u8; size_of::<libc::stat>()];
    sys::call(libc::SYS_fstat, &[STDERR, sys::at_mut(&mut status)]).map(drop)
}

/// Makes a request of ioctl(2) on each open descriptor. One that doesn't know it answers ENOTTY, or EINVAL.
fn on_each_descriptor(request: usize) -> Found {
    let mut argument = [0_u64; 16];
    let mut refusals = Vec::new();
    for descriptor in 0..1024 {
        match sys::call(libc::SYS_ioctl, &[descriptor, request, sys::at_mut(&mut argument)]) {
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
            Err(error) if sys::is_denial(&error) || is_unknown(&error) => refusals.push(sys::name(&error)),
            answer => return Found::Worked(format!("descriptor {descriptor}: {}", described(answer))),
        }
    }
    refusals.dedup();
    Found::Refused(format!("all open descriptors: {}", refusals.join(", ")))
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL))
}

fn described(answer: io::Result<usize>) -> String {
    answer.map_or_else(|error| sys::name(&error), |value| value.to_string())
}
