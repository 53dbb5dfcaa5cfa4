//! Mounts, roots and namespaces. Mounts are made, if at all, in a namespace of the attempt's own.

use crate::attempt::Attempt;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use crate::probe::{Probe, probes};
use crate::processes;
use crate::sys::{self, HERE, NO_FD, NOWHERE};
use std::ffi::CString;
use std::os::fd::AsRawFd;

pub(crate) const PROBES: &[Probe] = probes! {
    // An unknown file system type: ENODEV after the check of privileges.
    "mount" mount SYS_mount (sys::at(c"none"), sys::at(c"/"), sys::at(c"fezz-none"), 0, 0);
    // Two flags that exclude each other: EINVAL after it.
    "unmount" umount SYS_umount2 (sys::at(c"/"), libc::MNT_EXPIRE | libc::MNT_DETACH);
    "pivot-root" pivot_root SYS_pivot_root (sys::at(c"/fezz-none"), sys::at(c"/fezz-none"));
    "chroot" chroot SYS_chroot (sys::at(c"/"));
    "open-file-system" fsopen SYS_fsopen (sys::at(c"tmpfs"), 0);
    "pick-file-system" fspick SYS_fspick (NO_FD, NOWHERE, 0);
    "make-mount" fsmount SYS_fsmount (NO_FD, 0, 0);
    "configure-file-system" fsconfig SYS_fsconfig (NO_FD, 0, 0, 0, 0);
    "copy-mount" open_tree SYS_open_tree (HERE, sys::at(c"/"), OPEN_TREE_CLONE);
    "move-mount" move_mount SYS_move_mount (NO_FD, NOWHERE, NO_FD, NOWHERE, 0);
    "change-mount" mount_setattr SYS_mount_setattr (NO_FD, sys::at(c""), AT_EMPTY_PATH, sys::at(&NO_CHANGE), size_of_val(&NO_CHANGE));
    "enter-namespace" setns SYS_setns (NO_FD, 0);
    "set-host-name" sethostname SYS_sethostname (NOWHERE, usize::MAX);
    "set-domain-name" setdomainname SYS_setdomainname (NOWHERE, usize::MAX);
};

/// `clone(2)`'s and `unshare(2)`'s kinds, each by both ways; then combinations.
pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("unshare-user", |_| unshare(libc::CLONE_NEWUSER)),
    ("unshare-mount", |_| unshare(libc::CLONE_NEWNS)),
    ("unshare-pid", |_| unshare(libc::CLONE_NEWPID)),
    ("unshare-network", |_| unshare(libc::CLONE_NEWNET)),
    ("unshare-ipc", |_| unshare(libc::CLONE_NEWIPC)),
    ("unshare-uts", |_| unshare(libc::CLONE_NEWUTS)),
    ("unshare-cgroup", |_| unshare(libc::CLONE_NEWCGROUP)),
    ("unshare-time", |_| unshare(CLONE_NEWTIME)),
    ("unshare-files", |_| unshare(libc::CLONE_FS | libc::CLONE_FILES)),
    ("unshare-user-and-network", |_| unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)),
    ("clone-user", |_| processes::clone(libc::CLONE_NEWUSER)),
    ("clone-mount", |_| processes::clone(libc::CLONE_NEWNS)),
    ("clone-pid", |_| processes::clone(libc::CLONE_NEWPID)),
    ("clone-network", |_| processes::clone(libc::CLONE_NEWNET)),
    ("clone-ipc", |_| processes::clone(libc::CLONE_NEWIPC)),
    ("clone-uts", |_| processes::clone(libc::CLONE_NEWUTS)),
    ("clone-cgroup", |_| processes::clone(libc::CLONE_NEWCGROUP)),
    ("clone3-user", |_| processes::clone3(libc::CLONE_NEWUSER as u64)),
    ("mount-in-own-namespace", mount_in_own_namespace),
    ("enter-hosts-mounts", |params| enter("mnt", libc::CLONE_NEWNS, params)),
    ("enter-hosts-network", |params| enter("net", libc::CLONE_NEWNET, params)),
    ("enter-hosts-processes", |params| enter("pid", libc::CLONE_NEWPID, params)),
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
