//! The process's privileges: those that it has, and those that it could regain.

use crate::attempt::{Attempt, probes};
use crate::found::Found;
use crate::params::Params;
use crate::probe::judge;
use crate::sys;
use std::io;

pub(crate) const PROBES: &[Attempt] = probes! {
    "change-personality" "switch off address space randomization": personality SYS_personality (libc::ADDR_NO_RANDOMIZE);
};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("become-root", "become user 0", |_| {
        Found::achieved("setuid", sys::call(libc::SYS_setuid, &[0]))
    }),
    Attempt::new("become-root-group", "become group 0", |_| {
        Found::achieved("setgid", sys::call(libc::SYS_setgid, &[0]))
    }),
    Attempt::new("set-group-list", "change its list of groups", |_| {
        Found::achieved("setgroups", sys::call(libc::SYS_setgroups, &[0, 0]))
    }),
    Attempt::new("effective-capabilities", "use a capability", |_| capabilities("effective", 0)),
    Attempt::new("permitted-capabilities", "find a capability that it may use", |_| {
        capabilities("permitted", 1)
    }),
    Attempt::new("inheritable-capabilities", "find a capability that programs inherit", |_| {
        capabilities("inheritable", 2)
    }),
    Attempt::new("bounding-capabilities", "find a capability that a program could give it", |_| {
        has_any("bounding", |which| prctl(libc::PR_CAPBSET_READ, which, 0))
    }),
    Attempt::new("ambient-capabilities", "find a capability that every program would have", |_| {
        has_any("ambient", |which| prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET as usize, which))
    }),
    Attempt::new("become-root-by-setresuid", "become user 0 by setresuid", |_| {
        Found::achieved("setresuid", sys::call(libc::SYS_setresuid, &[0, 0, 0]))
    }),
    Attempt::new("become-root-by-setfsuid", "open files as user 0", setfsuid),
    Attempt::new("new-privileges", "find itself without no_new_privs", |_| {
        match prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0) {
            Ok(1) => Found::Refused("no_new_privs is set".to_owned()),
            Ok(_) => Found::Worked("no_new_privs isn't set".to_owned()),
            // Only a filter refuses this call, and installing one takes either no_new_privs or a privilege.
            Err(error) => Found::Refused(format!("prctl: {}", sys::name(&error))),
        }
    }),
    Attempt::new("dumpable", "find itself dumpable, open to debuggers and core files", |_| {
        match prctl(libc::PR_GET_DUMPABLE, 0, 0) {
            Ok(1) => Found::Worked("it is dumpable".to_owned()),
            Ok(value) => Found::Refused(format!("PR_GET_DUMPABLE is {value}")),
            Err(error) => Found::Refused(format!("prctl: {}", sys::name(&error))),
        }
    }),
    Attempt::new("become-dumpable", "make itself dumpable, open to debuggers and core files", |_| {
        Found::achieved("prctl", prctl(libc::PR_SET_DUMPABLE, 1, 0))
    }),
    Attempt::new("regain-capability", "get the capability that a zygote keeps", |_| {
        Found::achieved("capset", regain())
    }),
    Attempt::new(
        "use-regained-capability",
        "mount, or change namespaces, by the capability that a zygote keeps",
        |_| use_regained(),
    ),
    Attempt::new("change-securebits", "change how capabilities are given", |_| {
        let bits = prctl(libc::PR_GET_SECUREBITS, 0, 0);
        Found::achieved("prctl", bits.and_then(|bits| prctl(libc::PR_SET_SECUREBITS, bits, 0)))
    }),
    Attempt::new("raise-limits-by-setrlimit", "raise a limit by setrlimit", |_| {
        raise(|kind, limit| sys::call(libc::SYS_setrlimit, &[kind, sys::at(limit)]))
    }),
    Attempt::new("raise-limits-by-prlimit", "raise a limit by prlimit", |_| {
        raise(|kind, limit| sys::call(libc::SYS_prlimit64, &[0, kind, sys::at(limit), 0]))
    }),
    Attempt::new("core-files", "be able to write a core file", |_| {
        match limit_of(libc::RLIMIT_CORE as usize) {
            // At 1 the kernel doesn't pipe one to a program of the host either (do_coredump).
            Ok([_, hard @ (0 | 1)]) => Found::Refused(format!("RLIMIT_CORE is {hard}")),
            Ok([_, hard]) => Found::Worked(format!("RLIMIT_CORE can be raised to {hard}")),
            Err(error) => Found::Untried(format!("prlimit: {}", sys::name(&error))),
        }
    }),
    Attempt::new("raise-priority", "raise its priority", |_| {
        Found::achieved("setpriority", sys::call(libc::SYS_setpriority, &[0, 0, -10_isize as usize]))
    }),
    Attempt::new("real-time-scheduling", "keep a processor for itself", |_| {
        let lowest = 1_i32;
        Found::achieved(
            "sched_setscheduler",
            sys::call(libc::SYS_sched_setscheduler, &[0, libc::SCHED_FIFO as usize, sys::at(&lowest)]),
        )
    }),
];

fn prctl(option: i32, second: usize, third: usize) -> io::Result<usize> {
    sys::call(libc::SYS_prctl, &[option as usize, second, third, 0, 0])
}

/// One of the three sets of capget(2), version 3: two halves of three words.
fn capabilities(set: &str, at: usize) -> Found {
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    match sys::call(libc::SYS_capget, &[sys::at(&header), sys::at_mut(&mut sets)]) {
        Ok(_) if sets[at] == 0 && sets[at + 3] == 0 => Found::Refused(format!("no {set} capability")),
        Ok(_) => Found::Worked(format!("{set}: {:08x}{:08x}", sets[at + 3], sets[at])),
        Err(error) => Found::Refused(format!("capget: {}", sys::name(&error))),
    }
}

fn has_any(set: &str, has: impl Fn(usize) -> io::Result<usize>) -> Found {
    match (0..64).find(|which| matches!(has(*which), Ok(1))) {
        Some(which) => Found::Worked(format!("{set}: capability {which}, and perhaps more")),
        None => Found::Refused(format!("no {set} capability")),
    }
}

/// A zygote keeps CAP_SYS_ADMIN in its user namespace, to make PID namespaces.
fn regain() -> io::Result<usize> {
    const SYS_ADMIN: u32 = 1 << 21;
    let header = [0x2008_0522_u32, 0];
    let sets = [SYS_ADMIN, SYS_ADMIN, 0, 0, 0, 0];
    sys::call(libc::SYS_capset, &[sys::at(&header), sys::at(&sets)])
}

/// Uses of that capability, with effects on this process only. After the check of privileges, an unknown file system
/// type is ENODEV, and a closed descriptor EBADF.
fn use_regained() -> Found {
    if let Err(error) = regain() {
        return Found::Refused(format!("capset: {}", sys::name(&error)));
    }
    let mount = [sys::at(c"none"), sys::at(c"/"), sys::at(c"fezz-none"), 0, 0];
    let uses = [
        ("unshare", sys::call(libc::SYS_unshare, &[libc::CLONE_NEWNS as usize])),
        ("setns", sys::call(libc::SYS_setns, &[sys::NO_FD, libc::CLONE_NEWPID as usize])),
        ("mount", sys::call(libc::SYS_mount, &mount)),
    ];
    let worked = uses.into_iter().map(|(call, answer)| judge(call, answer));
    let mut worked = worked.filter(|found| matches!(found, Found::Worked(_)));
    worked.next().unwrap_or_else(|| Found::Refused("unshare, setns and mount are of no use".to_owned()))
}

/// Changes the user for file access only. It returns the previous user even if it fails: so a second call is needed.
fn setfsuid(_: &Params<'_>) -> Found {
    let set = || {
        sys::call(libc::SYS_setfsuid, &[0])?;
        sys::call(libc::SYS_setfsuid, &[usize::MAX])
    };
    match set() {
        Ok(0) => Found::Worked("files are opened as user 0".to_owned()),
        Ok(user) => Found::Refused(format!("files are opened as user {user}")),
        Err(error) => Found::Refused(format!("setfsuid: {}", sys::name(&error))),
    }
}

fn limit_of(kind: usize) -> io::Result<[u64; 2]> {
    let mut limit = [0_u64; 2];
    sys::call(libc::SYS_prlimit64, &[0, kind, 0, sys::at_mut(&mut limit)]).map(|_| limit)
}

/// Raises each hard limit by one.
fn raise(set: impl Fn(usize, &[u64; 2]) -> io::Result<usize>) -> Found {
    const KINDS: [(&str, u32); 6] = [
        ("DATA", libc::RLIMIT_DATA),
        ("AS", libc::RLIMIT_AS),
        ("NOFILE", libc::RLIMIT_NOFILE),
        ("NPROC", libc::RLIMIT_NPROC),
        ("CORE", libc::RLIMIT_CORE),
        ("CPU", libc::RLIMIT_CPU),
    ];
    let mut said = Vec::new();
    for (name, kind) in KINDS {
        match limit_of(kind as usize) {
            Ok([_, u64::MAX]) => {}
            Ok([soft, hard]) => match set(kind as usize, &[soft, hard + 1]) {
                Ok(_) => return Found::Worked(format!("RLIMIT_{name} is {}", hard + 1)),
                Err(error) => said.push(format!("{name}: {}", sys::name(&error))),
            },
            // The current value is unknown: any value then, which without the privilege gives EPERM.
            Err(_) => match set(kind as usize, &[u64::MAX - 1, u64::MAX - 1]) {
                Ok(_) => return Found::Worked(format!("RLIMIT_{name}")),
                Err(error) => said.push(format!("{name}: {}", sys::name(&error))),
            },
        }
    }
    match said.is_empty() {
        true => Found::Worked("there is no limit to raise".to_owned()),
        false => Found::Refused(said.join(", ")),
    }
}
