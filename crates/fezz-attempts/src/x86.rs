//! Attempts for this processor only: 32-bit and x32 system calls, which have other numbers and pass a filter that
//! doesn't check the architecture; I/O ports, segments, and obsolete calls.

use crate::attempt::{Attempt, Expected, probes};
use crate::found::Found;
use crate::params::Params;
use crate::processes;
use crate::sys::{self, NOWHERE};
use std::io;

pub(crate) const PROBES: &[Attempt] = probes! {
    "port-rights" "get access to all I/O ports": iopl SYS_iopl (3);
    "port-right" "get access to an I/O port": ioperm SYS_ioperm (0x80, 1, 1);
    "segment-table" "read its segment table": modify_ldt SYS_modify_ldt (0, 0, 0);
    "use-library" "call uselib": uselib SYS_uselib (NOWHERE);
    "file-system-kinds" "call sysfs": sysfs SYS_sysfs (3);
    "file-system-usage" "call ustat": ustat SYS_ustat (usize::MAX, NOWHERE);
};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("fork", "call fork", |_| processes::child("fork", sys::call(libc::SYS_fork, &[]))),
    Attempt::new("32-bit-getpid", "make a system call of 32 bits", |_| {
        const GETPID: usize = 20;
        Found::achieved("int 0x80", call_32(GETPID, [0; 3]))
    })
    .expected(Expected::RefusedToOldCalls),
    Attempt::new("32-bit-open", "open a file by a system call of 32 bits", open_32)
        .expected(Expected::RefusedToOldCalls),
    Attempt::new("32-bit-socket", "open a socket by a system call of 32 bits", |_| {
        const SOCKET: usize = 359;
        Found::achieved("int 0x80", call_32(SOCKET, [libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0]))
    })
    .expected(Expected::RefusedToOldCalls),
    Attempt::new("32-bit-unshare", "make a user namespace by a system call of 32 bits", |_| {
        const UNSHARE: usize = 310;
        Found::achieved("int 0x80", call_32(UNSHARE, [libc::CLONE_NEWUSER as usize, 0, 0]))
    })
    .expected(Expected::RefusedToOldCalls),
    Attempt::new("x32-getpid", "make a system call of x32", |_| x32(libc::SYS_getpid, &[]))
        .expected(Expected::RefusedToOldCalls),
    Attempt::new("x32-socket", "open a socket by a system call of x32", |_| {
        x32(libc::SYS_socket, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0])
    })
    .expected(Expected::RefusedToOldCalls),
];

/// A system call as a program of 32 bits makes it.
fn call_32(number: usize, [first, second, third]: [usize; 3]) -> io::Result<usize> {
    let mut result = number;
    // SAFETY: harm to the process is the purpose. rbx, which the compiler reserves, is restored; the kernel touches
    // only memory that the arguments name, and those are numbers, or a page of this crate's own.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx",
            "int 0x80",
            "xchg {first}, rbx",
            first = inout(reg) first => _,
            inout("rax") result,
            in("rcx") second,
            in("rdx") third,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    let result = result as i32;
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result as usize) }
}

/// Opens a bait by a path in the low 4 GiB, which is all that 32 bits can name.
fn open_32(params: &Params<'_>) -> Found {
    const OPEN: usize = 5;
    const PAGE: usize = 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let page = match sys::call(libc::SYS_mmap, &[0, PAGE, protection as usize, flags as usize, usize::MAX, 0])
    {
        Ok(page) => page,
        Err(error) => return Found::Untried(format!("mmap: {}", sys::name(&error))),
    };
    let path = params.text("bait_0644").as_bytes();
    let path = &path[..path.len().min(PAGE - 1)];
    // SAFETY: the page was just mapped, writable and zeroed, and the path with its NUL fits in it.
    unsafe { std::ptr::copy_nonoverlapping(path.as_ptr(), page as *mut u8, path.len()) };
    Found::achieved("int 0x80", call_32(OPEN, [page, libc::O_RDONLY as usize, 0]))
}

fn x32(number: libc::c_long, arguments: &[usize]) -> Found {
    const X32: libc::c_long = 0x4000_0000;
    match sys::call(X32 | number, arguments) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Found::NoSuchCall("x32"),
        answer => Found::achieved("an x32 call", answer),
    }
}
