//! Namespaces: what the process doesn't share with any other (namespaces(7)).

use super::{JailError, identity, syscalls};
use nix::sched::CloneFlags;
use rustix::io::Errno;
use rustix::thread::{SecureComputingMode, secure_computing_mode};

/// Why the process stays in the host's namespaces.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The system makes none.
    #[error("failed to make namespaces: {mend}")]
    Refused {
        /// How to fix it.
        mend: &'static str,
        /// The system's error.
        source: Errno,
    },
    /// The name stays the host's.
    #[error("failed to set the host's name inside: does a unit's ProtectHostname= forbid it? leave that out")]
    HostName(#[source] Errno),
    /// What the host made can't be entered.
    #[error("failed to enter the namespace at descriptor {descriptor}, which --join names")]
    Join {
        /// As it was given.
        descriptor: u32,
        /// The system's error.
        source: Errno,
    },
}

/// The name that the host has inside.
const HOST_NAME: &[u8] = b"fezz";

/// Makes a network namespace for others to join, and the user namespace that they need to be in for it, unless this is
/// root.
///
/// # Errors
///
/// As [`leave`], and where the ids can't be mapped.
pub fn make_network() -> Result<(), JailError> {
    let outside = identity::outside();
    if identity::is_root() {
        syscalls::unshare(CloneFlags::CLONE_NEWNET).map_err(refused)?;
        return Ok(());
    }
    syscalls::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(refused)?;
    Ok(identity::map_to_nobody(outside)?)
}

/// Enters namespaces by their descriptors, which the host opened (setns(2)).
///
/// # Errors
///
/// `EBADF`: a wrapper has closed it. `EPERM`: another user's.
pub fn join(descriptors: &[u32]) -> Result<(), NamespaceError> {
    for &descriptor in descriptors {
        syscalls::enter_namespace(descriptor)
            .map_err(|source| NamespaceError::Join { descriptor, source })?;
    }
    Ok(())
}

/// Inside a wrapper: makes a user namespace, if that can be had and this process's ids be mapped into it. A wrapper
/// that makes one itself forbids others, or hides /proc; behind one that doesn't, the limit of threads would count all
/// that this user runs. Returns whether it is made.
///
/// # Errors
///
/// It is made, and the ids can't be mapped.
pub fn leave_users() -> Result<bool, JailError> {
    let outside = identity::outside();
    let leaves = identity::can_be_mapped() && syscalls::unshare(CloneFlags::CLONE_NEWUSER).is_ok();
    if leaves {
        identity::map_to_nobody(outside)?;
    }
    Ok(leaves)
}

/// Leaves every namespace of the host's for a new one, in which this process has all capabilities and nothing exists.
/// The process itself stays in its PID namespace: its children will be in the new one.
///
/// The network namespace is an exception where `keeps_network`: it is one that was joined, or the host's, where
/// Landlock and the filter hold a function to its ports.
///
/// # Errors
///
/// The system is set up not to give namespaces to this user, or is too old for one of them.
pub fn leave(keeps_network: bool) -> Result<(), NamespaceError> {
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    if !keeps_network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    syscalls::unshare(flags).map_err(refused)?;
    rustix::system::sethostname(HOST_NAME).map_err(NamespaceError::HostName)
}

fn refused(source: Errno) -> NamespaceError {
    NamespaceError::Refused { mend: mend(source), source }
}

/// What lets this process make namespaces and mounts, which failed by `error`.
pub(super) fn mend(error: Errno) -> &'static str {
    const FILTERED: &str = "a seccomp filter forbids it. In a plain container start hhrf with --jail inner, which does \
                            without them, or start the container with the flags that jail/README.md names; in a systemd \
                            unit leave out RestrictNamespaces=, and allow unshare and mount in SystemCallFilter=";
    const NOT_PRIVILEGED: &str = "root needs CAP_SYS_ADMIN for it: start hhrf as an ordinary user, or with --jail inner, which does without";
    const NOT_ALLOWED: &str = "allow user namespaces to this user (sysctl kernel.unprivileged_userns_clone=1, \
                               kernel.apparmor_restrict_unprivileged_userns=0; in a chroot nobody gets one), or start hhrf \
                               with --jail inner, which does without";
    match error {
        Errno::PERM | Errno::ACCESS if is_filtered() => FILTERED,
        Errno::PERM | Errno::ACCESS if identity::is_root() => NOT_PRIVILEGED,
        Errno::PERM | Errno::ACCESS => NOT_ALLOWED,
        Errno::NOSPC | Errno::USERS => "raise the limits /proc/sys/user/max_*_namespaces",
        Errno::INVAL => "use a kernel that is built with all of them (CONFIG_USER_NS, CONFIG_PID_NS, ...)",
        _ => "see namespaces(7)",
    }
}

/// Whether somebody has put a filter of system calls over this process, before its own.
fn is_filtered() -> bool {
    matches!(secure_computing_mode(), Ok(SecureComputingMode::Filter))
}
