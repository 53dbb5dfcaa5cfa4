//! Processes of the same function: the parent, which under `fork` is the zygote, and the other children of that parent.
//! The host itself is left out.
//!
//! If processes are visible, only those are tried, and get only signal 0, which just checks whether one could be sent.
//! If none is visible, as in a jail, all process ids nearby are tried.

use crate::attempt::{Attempt, Variant};
use crate::descriptors;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use crate::processes::child;
use crate::sys;
use crate::tracing::{open_memory, transfer};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("kill-siblings", "kill its parent, or another process of the same function", |params| {
        let signal = signal();
        with_any(params, |pid| sys::call(libc::SYS_kill, &[pid, signal]))
    }),
    Attempt::new("kill-siblings-groups", "kill a process group of theirs", |params| {
        let signal = signal();
        with_any(params, |pid| sys::call(libc::SYS_kill, &[pid.wrapping_neg(), signal]))
    }),
    Attempt::new("kill-siblings-threads", "kill one by its thread (tgkill)", |params| {
        let signal = signal();
        with_any(params, |pid| sys::call(libc::SYS_tgkill, &[pid, pid, signal]))
    }),
    Attempt::new("kill-siblings-by-tkill", "kill one by its thread (tkill)", |params| {
        let signal = signal();
        with_any(params, |pid| sys::call(libc::SYS_tkill, &[pid, signal]))
    }),
    Attempt::new("kill-siblings-by-pidfd", "kill one by a descriptor of it", |params| {
        with_any(params, |pid| {
            let sibling = sys::open(libc::SYS_pidfd_open, &[pid, 0])?;
            sys::call(libc::SYS_pidfd_send_signal, &[sibling.as_raw_fd() as usize, 0, 0, 0])
        })
    }),
    Attempt::new("kill-own-group", "kill the process group that it was started in", |_| kill_own_group()),
    Attempt::new("trace-siblings", "attach to one as a debugger", |params| {
        with_any(params, |pid| sys::call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as usize, pid]))
    }),
    Attempt::new("read-siblings-memory", "read one's memory", |params| {
        with_any(params, |pid| transfer(pid, libc::SYS_process_vm_readv))
    }),
    Attempt::new("write-siblings-memory", "write one's memory", |params| {
        with_any(params, |pid| transfer(pid, libc::SYS_process_vm_writev))
    }),
    Attempt::new("open-siblings-memory", "open one's memory as a file", |params| {
        with_any(params, |pid| open_memory(pid, libc::O_RDWR))
    }),
    Attempt::new("open-siblings-log", "open the pipe of one's log", |params| with_any(params, open_log)),
    Attempt::new("take-siblings-descriptor", "take an open file of one", |params| {
        with_any(params, |pid| {
            let sibling = sys::open(libc::SYS_pidfd_open, &[pid, 0])?;
            sys::open(libc::SYS_pidfd_getfd, &[sibling.as_raw_fd() as usize, 2, 0]).map(|_| 0)
        })
    }),
    Attempt::new("change-siblings-limits", "set one's limits", |params| {
        with_any(params, |pid| {
            let mut limit = [0_u64; 2];
            let kind = libc::RLIMIT_CPU as usize;
            sys::call(libc::SYS_prlimit64, &[pid, kind, 0, sys::at_mut(&mut limit)])?;
            sys::call(libc::SYS_prlimit64, &[pid, kind, sys::at(&limit), 0])
        })
    }),
    Attempt::new("change-siblings-priority", "set one's priority", |params| {
        with_any(params, |pid| {
            // What the kernel returns is 20 less the value (getpriority(2)).
            const HIGHEST: usize = 20;
            let which = libc::PRIO_PROCESS as usize;
            let same = HIGHEST.wrapping_sub(sys::call(libc::SYS_getpriority, &[which, pid])?);
            sys::call(libc::SYS_setpriority, &[which, pid, same])
        })
    }),
    // The exact flags of a zygote that can make PID namespaces, and of one that can't.
    Attempt::new("fork-as-zygote", "start a process as a zygote does, in a PID namespace", |_| {
        fork_told(libc::CLONE_NEWPID)
    }),
    Attempt::new(
        "fork-as-scoped-zygote",
        "start a process as a zygote does that can't make namespaces",
        |_| fork_told(0),
    ),
    Attempt::new("forge-reports", "report to the host, as its zygote, that a process has ended", |params| {
        match params.text("execution") {
            "worker" => Found::Untried("a worker has no zygote".to_owned()),
            _ => forge_reports(),
        }
    }),
    Attempt::again(
        "forge-reports",
        "granted-forge-reports",
        "report to the host, as its zygote, that a process has ended",
    )
    .under(Variant::Network),
];

/// A function that is the first process of its PID namespace can reach only a sibling that shouldn't be visible.
fn signal() -> usize {
    if std::process::id() == 1 { libc::SIGKILL as usize } else { 0 }
}

/// Whether it works with any of them.
fn with_any(params: &Params<'_>, act: impl Fn(usize) -> io::Result<usize>) -> Found {
    let relatives = relatives(params.number("host"));
    let mut refusals = Vec::new();
    for pid in &relatives {
        match act(*pid) {
            Ok(_) => return Found::Worked(format!("process {pid}")),
            Err(error) => refusals.push(sys::name(&error)),
        }
    }
    refusals.sort_unstable();
    refusals.dedup();
    Found::Refused(format!("{} processes: {}", relatives.len(), refusals.join(", ")))
}

fn relatives(host: usize) -> Vec<usize> {
    let (own, parent) = (std::process::id() as usize, std::os::unix::process::parent_id() as usize);
    let seen: Vec<usize> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let mut relatives = match seen[..] {
        [] => {
            const MANY: usize = 1024;
            const NEAR: usize = 64;
            let near = |pid: usize| pid.saturating_sub(NEAR)..=pid + NEAR;
            (1..=MANY).chain(near(own)).chain(near(parent)).collect()
        }
        _ => seen
            .into_iter()
            .filter(|pid| *pid == parent || parent_of(*pid) == Some(parent))
            .collect::<Vec<_>>(),
    };
    relatives.sort_unstable();
    relatives.dedup();
    relatives.retain(|pid| ![0, own, host].contains(pid));
    relatives
}

/// The second field after the name, which is in parentheses (proc(5)).
fn parent_of(pid: usize) -> Option<usize> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Opens the log of another process. In a PID namespace of its own, with a /proc from outside of it, a process has
/// another number in /proc than it knows; opening its own log there is allowed.
fn open_log(pid: usize) -> io::Result<usize> {
    const OWN: RawFd = 2;
    let path = CString::new(format!("/proc/{pid}/fd/{OWN}"))?;
    let log = files::open(&path, libc::O_WRONLY | libc::O_NONBLOCK)?;
    let is_own = descriptors::identity(log.as_raw_fd()) == descriptors::identity(OWN);
    if is_own { Err(io::Error::from_raw_os_error(libc::ESRCH)) } else { Ok(0) }
}

/// Signalling the own process group takes no number, so that its members needn't be visible: it may be the group in
/// which the process was started, outside of its PID namespace.
fn kill_own_group() -> Found {
    match sys::call(libc::SYS_getpgrp, &[]) {
        // A first process ignores its own SIGKILL (pid_namespaces(7)).
        Ok(0) if std::process::id() == 1 => Found::achieved(
            "kill(0, SIGKILL), the group is another namespace's",
            sys::call(libc::SYS_kill, &[0, libc::SIGKILL as usize]),
        ),
        _ => Found::achieved("kill(0, 0)", sys::call(libc::SYS_kill, &[0, 0])),
    }
}

fn fork_told(namespace: i32) -> Found {
    let flags = namespace | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    child("clone", sys::call(libc::SYS_clone, &[flags as usize, 0, 0, 0, 0]))
}

/// A process that has a zygote's socket to the host could report that a sibling has ended (`fezz_wire::control`). It is
/// the only socket that keeps record boundaries; the one for the response is a stream.
fn forge_reports() -> Found {
    let sockets: Vec<i32> = (0..1024).filter(|at| descriptors::kind(*at) == Some(libc::S_IFSOCK)).collect();
    for socket in &sockets {
        let mut kind = [0_i32];
        let mut length = [size_of_val(&kind) as u32];
        let option = [
            *socket as usize,
            libc::SOL_SOCKET as usize,
            libc::SO_TYPE as usize,
            sys::at_mut(&mut kind),
            sys::at_mut(&mut length),
        ];
        match sys::call(libc::SYS_getsockopt, &option) {
            Ok(_) if kind != [libc::SOCK_SEQPACKET] => {}
            // It has no effect on a stream; an empty packet makes the host take the zygote for gone.
            Err(_) if sockets.len() == 1 => {
                sys::call(libc::SYS_sendto, &[*socket as usize, 0, 0, 0, 0, 0]).ok();
            }
            _ => {
                let report = fezz_wire::control::Report::Ended { child: u64::MAX, status: 0 }.encode();
                let packet = [*socket as usize, sys::at(&report), report.len(), 0, 0, 0];
                return Found::achieved(
                    &format!("send to socket {socket}"),
                    sys::call(libc::SYS_sendto, &packet),
                );
            }
        }
    }
    Found::Refused(format!("{} sockets, none takes records", sockets.len()))
}
