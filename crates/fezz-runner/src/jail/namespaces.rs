//! Namespaces: what the process doesn't share with any other (namespaces(7)).

use super::syscalls;
use rustix::io::Errno;
use rustix::thread::UnshareFlags;

/// The system makes no namespaces.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to make namespaces: {mend}, or let FEZZ_RUNNER name a wrapper that makes them, with --jail inner"
)]
pub struct NamespaceError {
    mend: &'static str,
    source: Errno,
}

/// The name that the host has inside.
const HOST_NAME: &[u8] = b"fezz";

/// Leaves every namespace of the host's for a new one, in which this process has all capabilities and nothing exists.
/// The process itself stays in its PID namespace: its children will be in the new one.
///
/// A function with a network keeps the host's network namespace: Landlock and the filter hold it to its ports.
///
/// # Errors
///
/// The system is set up not to give namespaces to this user, or is too old for one of them.
pub fn leave(has_network: bool) -> Result<(), NamespaceError> {
    let mut flags = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    if !has_network {
        flags |= UnshareFlags::NEWNET;
    }
    syscalls::unshare(flags).map_err(refused)?;
    rustix::system::sethostname(HOST_NAME).map_err(refused)
}

fn refused(source: Errno) -> NamespaceError {
    let mend = match source {
        Errno::PERM | Errno::ACCESS => {
            "allow user namespaces to this user (sysctl kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0; in a container, its own seccomp profile may forbid them)"
        }
        Errno::NOSPC | Errno::USERS => "raise the limits /proc/sys/user/max_*_namespaces",
        Errno::INVAL => "use a kernel that is built with all of them (CONFIG_USER_NS, CONFIG_PID_NS, ...)",
        _ => "see namespaces(7)",
    };
    NamespaceError { mend, source }
}
