//! Who the process is: never root, neither outside nor inside.

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io;

/// The user nobody and the group nogroup: the only ones inside the jail.
const NOBODY: u32 = 65534;

/// Where the ids of a new user namespace are mapped.
const UID_MAP: &str = "/proc/self/uid_map";

/// Why the process keeps its user.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of the calls that give up root.
    #[error("failed to give up root for uid {uid}: {fix}")]
    GiveUpRoot {
        /// The user that it should have become.
        uid: u32,
        fix: &'static str,
        source: Errno,
    },
    /// One of the files that map ids into a user namespace.
    #[error("failed to write `{file}`: {fix}")]
    Map {
        /// The file.
        file: &'static str,
        fix: &'static str,
        source: io::Error,
    },
}

/// Whether the process is root, perhaps only of a user namespace.
pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// Gives up root, its groups and with them its capabilities: for `uid` and the group of the same number, or for nobody.
///
/// # Errors
///
/// `EINVAL`: the id isn't mapped, as in a container that has only some. `EPERM`: root without its capabilities.
pub(super) fn give_up_root(uid: Option<u32>) -> Result<(), IdentityError> {
    let uid = uid.unwrap_or(NOBODY);
    let failed = |source| IdentityError::GiveUpRoot { uid, fix: fix(source), source };
    // The groups first: without root they can't be given up. These system calls change the calling thread only, which
    // here is the whole process.
    set_thread_groups(&[]).map_err(failed)?;
    let gid = Gid::from_raw(uid);
    set_thread_res_gid(gid, gid, gid).map_err(failed)?;
    let user = Uid::from_raw(uid);
    set_thread_res_uid(user, user, user).map_err(failed)?;
    // After a change of uid, /proc/self/uid_map belongs to root (proc(5), PR_SET_DUMPABLE). Undone before the module
    // runs.
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(failed)
}

/// The fix for root of a user namespace that `unshare -r` made: it may neither mount in the machine's mount namespace
/// nor become another user.
pub(super) const LEAVE_NAMESPACE: &str = "this root is the only user of its user namespace, as under `unshare -r`: start \
                                          hhrf outside of it, as an ordinary user";

fn fix(error: Errno) -> &'static str {
    match error {
        _ if is_root_of_one_user() => LEAVE_NAMESPACE,
        Errno::INVAL => {
            "it isn't mapped in this user namespace: choose 65536 mapped uids by --uid-base of hhrf, or start hhrf as an \
             ordinary user"
        }
        Errno::PERM => {
            "root needs CAP_SETUID and CAP_SETGID for it: let the container keep them, or start hhrf as an ordinary user"
        }
        _ => "see setresuid(2)",
    }
}

/// Whether this user namespace has a single uid, which is root.
pub(super) fn is_root_of_one_user() -> bool {
    let Ok(map) = std::fs::read_to_string(UID_MAP) else { return false };
    let words: Vec<&str> = map.split_whitespace().collect();
    matches!(words[..], ["0", _, "1"])
}

/// Whether /proc is mounted, through which ids are mapped.
pub(super) fn can_be_mapped() -> bool {
    rustix::fs::access(UID_MAP, rustix::fs::Access::EXISTS).is_ok()
}

/// Maps the user and the group that made a new user namespace to nobody and nogroup (user_namespaces(7)).
///
/// # Errors
///
/// See [`IdentityError::Map`].
pub(super) fn map_to_nobody(outside: (Uid, Gid)) -> Result<(), IdentityError> {
    let (uid, gid) = outside;
    // Without this, an unprivileged user may map no group: it could otherwise drop a group that denies it access.
    const FIX: &str =
        "allow the runner user namespaces with their capabilities (usually AppArmor removes them)";
    write("/proc/self/setgroups", "deny", FIX)?;
    write(UID_MAP, &format!("{NOBODY} {uid} 1"), FIX)?;
    write("/proc/self/gid_map", &format!("{NOBODY} {gid} 1"), FIX)
}

/// The ids that [`map_to_nobody`] takes. They are read before the new user namespace is made, in which no id is mapped.
pub(super) fn outside() -> (Uid, Gid) {
    (geteuid(), getegid())
}

/// Forbids all processes in this user namespace to make another one. There, they would have every capability, and with
/// it most of the kernel's attack surface again.
///
/// # Errors
///
/// See [`IdentityError::Map`].
pub(super) fn forbid_user_namespaces() -> Result<(), IdentityError> {
    const FIX: &str =
        "/proc/sys must be there and writable (in systemd leave out ProtectKernelTunables= and ProcSubset=)";
    write("/proc/sys/user/max_user_namespaces", "0", FIX)
}

fn write(file: &'static str, text: &str, fix: &'static str) -> Result<(), IdentityError> {
    std::fs::write(file, text).map_err(|source| IdentityError::Map { file, fix, source })
}
