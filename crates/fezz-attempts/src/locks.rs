//! Locks on files: they affect all users of the file, and each is kernel memory that no limit of the process counts.
//!
//! A filter may also answer that a lock is granted without making the call. So each attempt checks that its lock is
//! held, by a second open file of its own, with which a real lock would conflict (flock(2), fcntl(2)).

use crate::attempt::{Attempt, Variant};
use crate::found::Found;
use crate::sys;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("hold-lock-of-library", "hold a lock on the host's C library", |_| {
        hold("flock", Lock::Whole, 1)
    }),
    Attempt::new("hold-record-lock-of-library", "hold a lock on a part of it", |_| {
        hold("fcntl(F_SETLK)", Lock::Record, 1)
    }),
    Attempt::new("hold-open-file-lock-of-library", "hold such a lock by an open file", |_| {
        hold("fcntl(F_OFD_SETLK)", Lock::OpenFile, 1)
    }),
    Attempt::new("memory-in-locks", "hold 4096 locks, which are the kernel's memory", |_| {
        hold("fcntl(F_SETLK)", Lock::Record, MANY)
    }),
    Attempt::again(
        "hold-lock-of-library",
        "granted-hold-lock-of-library",
        "hold a lock on the host's C library",
    )
    .under(Variant::Scratch),
    Attempt::again(
        "hold-record-lock-of-library",
        "granted-hold-record-lock-of-library",
        "hold a lock on a part of it",
    )
    .under(Variant::Scratch),
    Attempt::again(
        "hold-open-file-lock-of-library",
        "granted-hold-open-file-lock-of-library",
        "hold such a lock by an open file",
    )
    .under(Variant::Scratch),
    Attempt::again(
        "memory-in-locks",
        "granted-memory-in-locks",
        "hold 4096 locks, which are the kernel's memory",
    )
    .under(Variant::Scratch),
];

/// A megabyte of the kernel's memory, which the end of the process frees.
const MANY: i64 = 4096;

#[derive(Clone, Copy)]
enum Lock {
    /// The whole file, held by an open file.
    Whole,
    /// A byte of it, held by the process.
    Record,
    /// A byte of it, held by an open file.
    OpenFile,
}

fn hold(call: &str, lock: Lock, count: i64) -> Found {
    let (Ok(library), Ok(other)) = (library(), library()) else {
        return Found::Untried("the C library's file can't be opened".to_owned());
    };
    // Not adjacent, or the kernel would merge them.
    for at in (0..count).map(|lock| lock * 2) {
        match lock.take(&library, at).and_then(|()| lock.is_held(&other, at)) {
            Ok(true) => {}
            Ok(false) => return Found::Refused(format!("{call}: granted, but not held")),
            Err(error) => return Found::Refused(format!("{call}: {}", sys::name(&error))),
        }
    }
    Found::Worked(format!("{call}: {count} held"))
}

/// The C library's path, as the loader knows it: every process of the machine uses that file.
pub(crate) fn library() -> io::Result<File> {
    let path = crate::files::origin(libc::getpid as *const libc::c_void);
    File::open(path.ok_or(io::ErrorKind::NotFound)?)
}

impl Lock {
    /// Shared, so that it conflicts only with exclusive locks of other processes.
    fn take(self, file: &File, at: i64) -> io::Result<()> {
        match self {
            Self::Whole => flock(file, libc::LOCK_SH),
            Self::Record => record_lock(file, libc::F_SETLK, libc::F_RDLCK, at).map(drop),
            Self::OpenFile => record_lock(file, libc::F_OFD_SETLK, libc::F_RDLCK, at).map(drop),
        }
    }

    /// Whether an exclusive lock is refused.
    fn is_held(self, other: &File, at: i64) -> io::Result<bool> {
        match self {
            Self::Whole => match flock(other, libc::LOCK_EX) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
                answer => answer.map(|()| false),
            },
            Self::Record | Self::OpenFile => {
                let found = record_lock(other, libc::F_OFD_GETLK, libc::F_WRLCK, at)?;
                Ok(found != libc::F_UNLCK)
            }
        }
    }
}

/// A lock on a whole file, without waiting for it.
pub(crate) fn flock(file: &File, how: i32) -> io::Result<()> {
    let how = (how | libc::LOCK_NB) as usize;
    sys::call(libc::SYS_flock, &[file.as_raw_fd() as usize, how]).map(drop)
}

/// Returns the kind of lock that the kernel has written over `kind`.
fn record_lock(file: &File, command: i32, kind: i32, at: i64) -> io::Result<i32> {
    let mut lock =
        libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: at, l_len: 1, l_pid: 0 };
    sys::call(libc::SYS_fcntl, &[file.as_raw_fd() as usize, command as usize, sys::at_mut(&mut lock)])?;
    Ok(lock.l_type.into())
}
