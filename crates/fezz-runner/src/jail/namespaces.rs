//! Namespaces: what the process doesn't share with any other (namespaces(7)).

use super::identity::{self, IdentityError};
use super::syscalls;
use nix::sched::CloneFlags;
use rustix::io::Errno;
use rustix::thread::{SecureComputingMode, secure_computing_mode};

/// Why the process stays in the host's namespaces.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The system makes none.
    #[error("failed to make namespaces: {fix}")]
    Refused { fix: &'static str, source: Errno },
    /// The jail's host name can't be set.
    #[error("failed to set the host's name inside: does a unit's ProtectHostname= forbid it? leave that out")]
    HostName(#[source] Errno),
    /// The ids of a user namespace can't be mapped.
    #[error(transparent)]
    Ids(#[from] IdentityError),
    /// What the host made can't be entered.
    #[error("failed to enter the namespace at descriptor {descriptor}, which --join names")]
    Join {
        /// As it was given.
        descriptor: u32,
        source: Errno,
    },
}

/// The name that the host has inside.
const HOST_NAME: &[u8] = b"fezz";

/// Makes a network namespace for other runners to join. Without root, also the user namespace that owns it, which they
/// have to join first.
///
/// # Errors
///
/// As [`leave`], and where the ids can't be mapped.
pub(crate) fn make_network() -> Result<(), NamespaceError> {
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
/// `EBADF`: a wrapper has closed the descriptor. `EPERM`: the namespace belongs to another user.
pub(crate) fn join(descriptors: &[u32]) -> Result<(), NamespaceError> {
    for &descriptor in descriptors {
        syscalls::enter_namespace(descriptor)
            .map_err(|source| NamespaceError::Join { descriptor, source })?;
    }
    Ok(())
}

/// In a wrapper: makes a user namespace, if the system allows one and this process's ids can be mapped into it. A
/// wrapper that makes one itself forbids others, or hides /proc. In one that doesn't, the limit of threads would count
/// all processes of this user. Returns whether the namespace was made.
///
/// # Errors
///
/// It was made, and the ids can't be mapped.
pub(crate) fn leave_users() -> Result<bool, IdentityError> {
    let outside = identity::outside();
    let leaves = identity::can_be_mapped() && syscalls::unshare(CloneFlags::CLONE_NEWUSER).is_ok();
    if leaves {
        identity::map_to_nobody(outside)?;
    }
    Ok(leaves)
}

/// Moves this process into new, empty namespaces, in which it has all capabilities. The process itself stays in its PID
/// namespace: its children will be in the new one.
///
/// With `keeps_network` it stays in its network namespace: one that it joined, or the host's, where Landlock and the
/// filter restrict a function to its ports.
///
/// # Errors
///
/// The system doesn't allow this user namespaces, or is too old for one of them.
pub(crate) fn leave(keeps_network: bool) -> Result<(), NamespaceError> {
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
    NamespaceError::Refused { fix: fix(source), source }
}

/// How to fix that making a namespace or a mount failed by `error`.
pub(super) fn fix(error: Errno) -> &'static str {
    const FILTERED: &str = "a seccomp filter forbids it. In a plain container start hhrf with --jail inner, which needs \
                            none, or start the container with the flags that jail/README.md names; in a systemd \
                            unit leave out RestrictNamespaces=, and allow unshare and mount in SystemCallFilter=";
    const NOT_PRIVILEGED: &str = "root needs CAP_SYS_ADMIN for it: start hhrf as an ordinary user, or with --jail inner, which needs none";
    const NOT_ALLOWED: &str = "allow user namespaces to this user (sysctl kernel.unprivileged_userns_clone=1, \
                               kernel.apparmor_restrict_unprivileged_userns=0; in a chroot none can be made), or start hhrf \
                               with --jail inner, which needs none";
    match error {
        Errno::PERM | Errno::ACCESS if is_filtered() => FILTERED,
        Errno::PERM | Errno::ACCESS if identity::is_root() => NOT_PRIVILEGED,
        Errno::PERM | Errno::ACCESS => NOT_ALLOWED,
        Errno::NOSPC | Errno::USERS => "raise the limits /proc/sys/user/max_*_namespaces",
        Errno::INVAL => "use a kernel that is built with all of them (CONFIG_USER_NS, CONFIG_PID_NS, ...)",
        _ => "see namespaces(7)",
    }
}

/// Whether this process has inherited a seccomp filter.
fn is_filtered() -> bool {
    matches!(secure_computing_mode(), Ok(SecureComputingMode::Filter))
}
