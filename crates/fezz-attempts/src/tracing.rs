//! Other processes' memory: the victim's, which has the same user where nothing else was arranged.

use crate::attempt::Attempt;
use crate::files;
use crate::signals::to;
use crate::sys::{self, NO_FD, NOWHERE};
use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("trace-victim", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_ptrace, &[libc::PTRACE_ATTACH as usize, pid]))
    }),
    ("seize-victim", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as usize, pid]))
    }),
    ("be-traced-by-host", |_| {
        crate::probe::judge("ptrace", sys::call(libc::SYS_ptrace, &[libc::PTRACE_TRACEME as usize]))
    }),
    ("read-victims-memory", |params| to("victim", params, |pid| transfer(pid, libc::SYS_process_vm_readv))),
    ("write-victims-memory", |params| to("victim", params, |pid| transfer(pid, libc::SYS_process_vm_writev))),
    ("open-victims-memory", |params| to("victim", params, |pid| open_memory(pid, libc::O_RDWR))),
    ("open-hosts-memory", |params| to("host", params, |pid| open_memory(pid, libc::O_RDONLY))),
    ("compare-victims-memory", |params| {
        const KCMP_VM: usize = 1;
        to("victim", params, |pid| sys::call(libc::SYS_kcmp, &[std::process::id() as usize, pid, KCMP_VM]))
    }),
    ("take-victims-descriptor", |params| {
        to("victim", params, |pid| {
            let victim = sys::open(libc::SYS_pidfd_open, &[pid, 0])?;
            sys::call(libc::SYS_pidfd_getfd, &[victim.as_raw_fd() as usize, 0, 0])
        })
    }),
    ("advise-victims-memory", |params| to("victim", params, advise)),
    ("move-victims-memory", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_move_pages, &[pid, 0, 0, 0, 0, 0]))
    }),
    ("read-victims-robust-list", |params| {
        let mut found = [0_usize; 2];
        let head = sys::at_mut(&mut found[0]);
        let length = sys::at_mut(&mut found[1]);
        to("victim", params, |pid| sys::call(libc::SYS_get_robust_list, &[pid, head, length]))
    }),
    ("call-pidfd-getfd", |_| {
        crate::probe::judge("pidfd_getfd", sys::call(libc::SYS_pidfd_getfd, &[NO_FD, 0, 0]))
    }),
    ("call-process-madvise", |_| {
        crate::probe::judge(
            "process_madvise",
            sys::call(libc::SYS_process_madvise, &[NO_FD, NOWHERE, 1, 0, 0]),
        )
    }),
    ("call-process-mrelease", |_| {
        crate::probe::judge("process_mrelease", sys::call(libc::SYS_process_mrelease, &[NO_FD, 0]))
    }),
];

/// Between this process and an address that no process has: after the check of privileges, the call fails by EFAULT.
pub(crate) fn transfer(pid: usize, number: libc::c_long) -> io::Result<usize> {
    let byte = [0_u8];
    let (here, there) = ([sys::at(&byte), 1], [NOWHERE, 1]);
    match sys::call(number, &[pid, sys::at(&here), 1, sys::at(&there), 1, 0]) {
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Ok(0),
        other => other,
    }
}

pub(crate) fn open_memory(pid: usize, flags: i32) -> io::Result<usize> {
    let path = CString::new(format!("/proc/{pid}/mem"))?;
    files::open(&path, flags).map(|_| 0)
}

fn advise(pid: usize) -> io::Result<usize> {
    const PAGE: usize = 4096;
    let victim = sys::open(libc::SYS_pidfd_open, &[pid, 0])?;
    let nothing = [PAGE, 0];
    let cold = libc::MADV_COLD as usize;
    sys::call(libc::SYS_process_madvise, &[victim.as_raw_fd() as usize, sys::at(&nothing), 1, cold, 0])
}
