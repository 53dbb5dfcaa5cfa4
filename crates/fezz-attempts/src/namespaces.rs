//! Mounts, roots and namespaces. Mounts are made, if at all, in a namespace of the attempt's own.

use crate::attempt::{Attempt, probes};
use crate::files;
use crate::found::Found;
use crate::params::Params;
use crate::processes;
use crate::sys::{self, HERE, NO_FD, NOWHERE};
use std::ffi::CString;
use std::os::fd::AsRawFd;

pub(crate) const PROBES: &[Attempt] = probes! {
    // An unknown file system type: ENODEV after the check of privileges.
    "mount" "mount a file system": mount SYS_mount (sys::at(c"none"), sys::at(c"/"), sys::at(c"fezz-none"), 0, 0);
    // Two flags that exclude each other: EINVAL after it.
    "unmount" "unmount a file system": umount SYS_umount2 (sys::at(c"/"), libc::MNT_EXPIRE | libc::MNT_DETACH);
    "pivot-root" "exchange the root": pivot_root SYS_pivot_root (sys::at(c"/fezz-none"), sys::at(c"/fezz-none"));
    "chroot" "change the root": chroot SYS_chroot (sys::at(c"/"));
    "open-file-system" "open a kind of file system (fsopen)": fsopen SYS_fsopen (sys::at(c"tmpfs"), 0);
    "pick-file-system" "open a mounted file system to change it (fspick)": fspick SYS_fspick (NO_FD, NOWHERE, 0);
    "make-mount" "make a mount of an open file system (fsmount)": fsmount SYS_fsmount (NO_FD, 0, 0);
    "configure-file-system" "configure a file system (fsconfig)": fsconfig SYS_fsconfig (NO_FD, 0, 0, 0, 0);
    "copy-mount" "copy a mount (open_tree)": open_tree SYS_open_tree (HERE, sys::at(c"/"), OPEN_TREE_CLONE);
    "move-mount" "move a mount": move_mount SYS_move_mount (NO_FD, NOWHERE, NO_FD, NOWHERE, 0);
    "change-mount" "change a mount's attributes": mount_setattr SYS_mount_setattr (NO_FD, sys::at(c""), AT_EMPTY_PATH, sys::at(&NO_CHANGE), size_of_val(&NO_CHANGE));
    "enter-namespace" "call setns": setns SYS_setns (NO_FD, 0);
    "set-host-name" "change the machine's name": sethostname SYS_sethostname (NOWHERE, usize::MAX);
    "set-domain-name" "change the machine's domain": setdomainname SYS_setdomainname (NOWHERE, usize::MAX);
};

/// `clone(2)`'s and `unshare(2)`'s kinds, each by both ways; then combinations.
pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("unshare-user", "make a user namespace", |_| unshare(libc::CLONE_NEWUSER)),
    Attempt::new("unshare-mount", "make a mount namespace", |_| unshare(libc::CLONE_NEWNS)),
    Attempt::new("unshare-pid", "make a PID namespace", |_| unshare(libc::CLONE_NEWPID)),
    Attempt::new("unshare-network", "make a network namespace", |_| unshare(libc::CLONE_NEWNET)),
    Attempt::new("unshare-ipc", "make an IPC namespace", |_| unshare(libc::CLONE_NEWIPC)),
    Attempt::new("unshare-uts", "make a UTS namespace", |_| unshare(libc::CLONE_NEWUTS)),
    Attempt::new("unshare-cgroup", "make a cgroup namespace", |_| unshare(libc::CLONE_NEWCGROUP)),
    Attempt::new("unshare-time", "make a time namespace", |_| unshare(CLONE_NEWTIME)),
    Attempt::new("unshare-files", "call unshare for what makes no namespace", |_| {
        unshare(libc::CLONE_FS | libc::CLONE_FILES)
    }),
    Attempt::new("unshare-user-and-network", "make a network of its own with all rights in it", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
    }),
    Attempt::new("clone-user", "start a process in a user namespace", |_| {
        processes::clone(libc::CLONE_NEWUSER)
    }),
    Attempt::new("clone-mount", "start a process in a mount namespace", |_| {
        processes::clone(libc::CLONE_NEWNS)
    }),
    Attempt::new("clone-pid", "start a process in a PID namespace", |_| processes::clone(libc::CLONE_NEWPID)),
    Attempt::new("clone-network", "start a process in a network namespace", |_| {
        processes::clone(libc::CLONE_NEWNET)
    }),
    Attempt::new("clone-ipc", "start a process in an IPC namespace", |_| {
        processes::clone(libc::CLONE_NEWIPC)
    }),
    Attempt::new("clone-uts", "start a process in a UTS namespace", |_| processes::clone(libc::CLONE_NEWUTS)),
    Attempt::new("clone-cgroup", "start a process in a cgroup namespace", |_| {
        processes::clone(libc::CLONE_NEWCGROUP)
    }),
    Attempt::new("clone3-user", "start a process in a user namespace by clone3", |_| {
        processes::clone3(libc::CLONE_NEWUSER as u64)
    }),
    Attempt::new(
        "mount-in-own-namespace",
        "mount with the rights of a user namespace of its own",
        mount_in_own_namespace,
    ),
    Attempt::new("enter-hosts-mounts", "enter the host's mount namespace", |params| {
        enter("mnt", libc::CLONE_NEWNS, params)
    }),
    Attempt::new("enter-hosts-network", "enter the host's network", |params| {
        enter("net", libc::CLONE_NEWNET, params)
    }),
    Attempt::new("enter-hosts-processes", "enter the host's PID namespace", |params| {
        enter("pid", libc::CLONE_NEWPID, params)
    }),
];

const CLONE_NEWTIME: i32 = 0x80;
const OPEN_TREE_CLONE: usize = 1;
const AT_EMPTY_PATH: usize = libc::AT_EMPTY_PATH as usize;

/// A mount_attr that asks for nothing.
static NO_CHANGE: [u64; 4] = [0; 4];

fn unshare(kinds: i32) -> Found {
    Found::achieved("unshare", sys::call(libc::SYS_unshare, &[kinds as usize]))
}

/// A user namespace gives every right in it, also the one to mount.
fn mount_in_own_namespace(_: &Params<'_>) -> Found {
    let mount = || {
        sys::call(libc::SYS_unshare, &[(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as usize])?;
        let (tmpfs, target) = (sys::at(c"tmpfs"), sys::at(c"/usr"));
        sys::call(libc::SYS_mount, &[tmpfs, target, tmpfs, 0, 0])
    };
    Found::achieved("unshare and mount", mount())
}

fn enter(kind: &str, flag: i32, params: &Params<'_>) -> Found {
    let enter = || {
        let path = CString::new(format!("/proc/{}/ns/{kind}", params.number("host")))?;
        let namespace = files::open(&path, libc::O_RDONLY)?;
        sys::call(libc::SYS_setns, &[namespace.as_raw_fd() as usize, flag as usize])
    };
    Found::achieved("setns", enter())
}
