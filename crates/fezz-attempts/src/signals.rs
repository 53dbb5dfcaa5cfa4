//! Signals to the check's victim, and other ways to affect a process from outside. The host itself gets only signal 0,
//! which just checks whether one could be sent.

use crate::attempt::Attempt;
use crate::found::Found;
use crate::params::Params;
use crate::sys;
use std::io;
use std::os::fd::AsRawFd;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("kill-victim", "kill another process", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_kill, &[pid, KILL]))
    }),
    Attempt::new("kill-victims-thread", "kill another process by its thread (tgkill)", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_tgkill, &[pid, pid, KILL]))
    }),
    Attempt::new("kill-by-tkill", "kill another process by its thread (tkill)", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_tkill, &[pid, KILL]))
    }),
    Attempt::new("kill-by-queue", "kill another process by a queued signal", |params| {
        to("victim", params, |pid| queue(pid, &[], libc::SYS_rt_sigqueueinfo))
    }),
    Attempt::new(
        "kill-by-thread-queue",
        "kill another process by a signal queued for its thread",
        |params| to("victim", params, |pid| queue(pid, &[pid], libc::SYS_rt_tgsigqueueinfo)),
    ),
    Attempt::new("kill-by-pidfd", "kill another process by a descriptor of it", |params| {
        to("victim", params, |pid| {
            let victim = sys::open(libc::SYS_pidfd_open, &[pid, 0])?;
            sys::call(libc::SYS_pidfd_send_signal, &[victim.as_raw_fd() as usize, KILL, 0, 0])
        })
    }),
    Attempt::new(
        "kill-by-descriptor-owner",
        "make the kernel kill another process, as the owner of a pipe",
        |params| to("victim", params, by_descriptor_owner),
    ),
    Attempt::new("signal-host", "send the host a signal", |params| {
        to("host", params, |pid| sys::call(libc::SYS_kill, &[pid, 0]))
    }),
    Attempt::new("signal-parent", "send its parent a signal", signal_parent),
    Attempt::new("signal-all", "send all processes a signal", |_| {
        Found::achieved("kill(-1, 0)", sys::call(libc::SYS_kill, &[usize::MAX, 0]))
    }),
    Attempt::new("change-victims-priority", "lower another process's processor priority", |params| {
        to("victim", params, |pid| sys::call(libc::SYS_setpriority, &[libc::PRIO_PROCESS as usize, pid, 19]))
    }),
    Attempt::new("change-victims-limits", "change another process's limits", |params| {
        let limit = [1024_u64, 1024];
        to("victim", params, |pid| {
            sys::call(libc::SYS_prlimit64, &[pid, libc::RLIMIT_NOFILE as usize, sys::at(&limit), 0])
        })
    }),
    Attempt::new("change-victims-scheduling", "change another process's scheduling", |params| {
        let plain = 0_i32;
        to("victim", params, |pid| {
            sys::call(libc::SYS_sched_setscheduler, &[pid, libc::SCHED_OTHER as usize, sys::at(&plain)])
        })
    }),
    Attempt::new("change-victims-input-priority", "lower another process's disk priority", |params| {
        const BEST_EFFORT_LOWEST: usize = 2 << 13 | 7;
        to("victim", params, |pid| sys::call(libc::SYS_ioprio_set, &[1, pid, BEST_EFFORT_LOWEST]))
    }),
];

const KILL: usize = libc::SIGKILL as usize;

/// Does something to a process of the check. In another PID namespace no process may have its number, or this one
/// itself, which would prove nothing.
pub(crate) fn to(who: &str, params: &Params<'_>, act: impl FnOnce(usize) -> io::Result<usize>) -> Found {
    let pid = params.number(who);
    if pid == 0 {
        return Found::Untried(format!("the check has no {who}"));
    }
    if pid == std::process::id() as usize {
        return Found::Refused("the number is this process's own: another PID namespace".to_owned());
    }
    Found::achieved(who, act(pid))
}

fn queue(pid: usize, thread: &[usize], number: libc::c_long) -> io::Result<usize> {
    // A siginfo_t of 128 bytes, whose third word is the code: SI_QUEUE is what an ordinary user may claim.
    let mut info = [0_i32; 32];
    info[0] = libc::SIGKILL;
    info[2] = libc::SI_QUEUE;
    let arguments: Vec<usize> = [&[pid], thread, &[KILL, sys::at(&info)]].concat();
    sys::call(number, &arguments)
}

/// The kernel sends a pipe's owner a chosen signal when there is something to read (fcntl(2), `F_SETOWN`).
fn by_descriptor_owner(pid: usize) -> io::Result<usize> {
    let (reader, mut writer) = io::pipe()?;
    let at = reader.as_raw_fd() as usize;
    sys::call(libc::SYS_fcntl, &[at, libc::F_SETOWN as usize, pid])?;
    const F_SETSIG: usize = 10;
    sys::call(libc::SYS_fcntl, &[at, F_SETSIG, KILL])?;
    sys::call(libc::SYS_fcntl, &[at, libc::F_SETFL as usize, libc::O_ASYNC as usize])?;
    io::Write::write(&mut writer, b"x")
}

/// The parent, if it is outside: the first process of a PID namespace is part of the jail.
fn signal_parent(params: &Params<'_>) -> Found {
    let parent = std::os::unix::process::parent_id() as usize;
    match parent {
        0 => Found::Refused("the parent is outside of this PID namespace".to_owned()),
        1 if params.number("host") != 1 => {
            Found::Refused("the parent is this PID namespace's first".to_owned())
        }
        _ => Found::achieved("kill(parent, 0)", sys::call(libc::SYS_kill, &[parent, 0])),
    }
}
