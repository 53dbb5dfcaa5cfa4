//! Other processes' memory: the victim's, which has the same user where nothing else was arranged.

use crate::attempt::Attempt;
use crate::files;
use crate::signals::to;
use crate::sys::{self, NO_FD, NOWHERE};
use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("trace-victim", "attach to another process as a debugger", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_ptrace, &[libc::PTRACE_ATTACH as usize, pid]))
    }),
    Attempt::new("seize-victim", "attach to another process without stopping it", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as usize, pid]))
    }),
    Attempt::new("be-traced-by-host", "make the host its debugger", |_| {
        crate::probe::judge("ptrace", sys::call(libc::SYS_ptrace, &[libc::PTRACE_TRACEME as usize]))
    }),
    Attempt::new("read-victims-memory", "read another process's memory", |params| {
        to("victim", params, |pid| transfer(pid, libc::SYS_process_vm_readv))
    }),
    Attempt::new("write-victims-memory", "write another process's memory", |params| {
        to("victim", params, |pid| transfer(pid, libc::SYS_process_vm_writev))
    }),
    Attempt::new("open-victims-memory", "open another process's memory as a file", |params| {
        to("victim", params, |pid| open_memory(pid, libc::O_RDWR))
    }),
    Attempt::new("open-hosts-memory", "open the host's memory as a file", |params| {
        to("host", params, |pid| open_memory(pid, libc::O_RDONLY))
    }),
    Attempt::new("compare-victims-memory", "compare kernel objects with another process", |params| {
        const KCMP_VM: usize = 1;
        to("victim", params, |pid| sys::call(libc::SYS_kcmp, &[std::process::id() as usize, pid, KCMP_VM]))
    }),
    Attempt::new("take-victims-descriptor", "take an open file of another process", |params| {
        to("victim", params, |pid| {
            let victim = sys::open(libc::SYS_pidfd_open, &[pid, 0])?;
            sys::call(libc::SYS_pidfd_getfd, &[victim.as_raw_fd() as usize, 0, 0])
        })
    }),
    Attempt::new("advise-victims-memory", "have another process's memory swapped out", |params| {
        to("victim", params, advise)
    }),
    Attempt::new("move-victims-memory", "ask where another process's memory lies", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_move_pages, &[pid, 0, 0, 0, 0, 0]))
    }),
    Attempt::new("read-victims-robust-list", "read an address of another process", |params| {
        let mut found = [0_usize; 2];
        let head = sys::at_mut(&mut found[0]);
        let length = sys::at_mut(&mut found[1]);
        to("victim", params, |pid| sys::call(libc::SYS_get_robust_list, &[pid, head, length]))
    }),
    Attempt::new("call-pidfd-getfd", "call pidfd_getfd", |_| {
        crate::probe::judge("pidfd_getfd", sys::call(libc::SYS_pidfd_getfd, &[NO_FD, 0, 0]))
    }),
    Attempt::new("call-process-madvise", "call process_madvise", |_| {
        crate::probe::judge(
            "process_madvise",
            sys::call(libc::SYS_process_madvise, &[NO_FD, NOWHERE, 1, 0, 0]),
        )
    }),
    Attempt::new("call-process-mrelease", "call process_mrelease", |_| {
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
