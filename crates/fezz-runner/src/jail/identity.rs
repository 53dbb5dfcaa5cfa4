//! Who the process is: never root, neither outside nor inside.

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io;

/// Nobody, and nogroup: the one user that there is inside.
const NOBODY: u32 = 65534;

/// Where the ids of a new user namespace are mapped.
const UID_MAP: &str = "/proc/self/uid_map";

/// Why the process stays who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of the calls that give up root.
    #[error("failed to give up root for uid {uid}: {mend}")]
    GiveUpRoot {
        /// Who it should have become.
        uid: u32,
        /// How to fix it.
        mend: &'static str,
        /// The system's error.
        source: Errno,
    },
    /// One of the files that map ids into a user namespace.
    #[error("failed to write `{file}`: {mend}")]
    Map {
        /// The file.
        file: &'static str,
        /// How to fix it.
        mend: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

/// Whether the process is root, perhaps only of a user namespace.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Gives up root, its groups and with them its capabilities: for `uid` and the group of the same number, or for nobody.
///
/// # Errors
///
/// `EINVAL`: the id isn't mapped, as in a container that has only some. `EPERM`: root without its capabilities.
pub fn give_up_root(uid: Option<u32>) -> Result<(), IdentityError> {
    let uid = uid.unwrap_or(NOBODY);
    let failed = |source| IdentityError::GiveUpRoot { uid, mend: mend(source), source };
    // The groups first: without root they couldn't be given up. One thread, so that the system calls, which are a
    // thread's own, do for the process.
    set_thread_groups(&[]).map_err(failed)?;
    let gid = Gid::from_raw(uid);
    set_thread_res_gid(gid, gid, gid).map_err(failed)?;
    let user = Uid::from_raw(uid);
    set_thread_res_uid(user, user, user).map_err(failed)?;
    // Another uid makes /proc/self/uid_map root's own (proc(5), PR_SET_DUMPABLE). Taken back before the module runs.
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(failed)
}

/// The fix for root of a user namespace that `unshare -r` made: it may neither mount in the machine's mount namespace nor
/// become another user.
pub(super) const LEAVE_NAMESPACE: &str = "this root is the only user of its user namespace, as behind `unshare -r`: start \
                                          hhrf without it, as the user that you are outside";

fn mend(error: Errno) -> &'static str {
    match error {
        _ if is_root_of_one_user() => LEAVE_NAMESPACE,
        Errno::INVAL => {
            "it isn't mapped in this user namespace: choose 65536 uids that are by --uid-base of hhrf, or start hhrf as \
             an ordinary user"
        }
        Errno::PERM => {
            "root needs CAP_SETUID and CAP_SETGID for it: leave them to the container, or start hhrf as an ordinary user"
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

/// Whether /proc, where ids are mapped, is in sight.
pub fn can_be_mapped() -> bool {
    rustix::fs::access(UID_MAP, rustix::fs::Access::EXISTS).is_ok()
}

/// Maps the one user and the one group of a new user namespace, which are whoever made it, to nobody and nogroup
/// (user_namespaces(7)).
///
/// # Errors
///
/// See [`IdentityError::Map`].
pub fn map_to_nobody(outside: (Uid, Gid)) -> Result<(), IdentityError> {
    let (uid, gid) = outside;
    // Without this, an unprivileged user may map no group: else it could leave one that forbids it something.
    const MEND: &str =
        "allow the runner user namespaces with their capabilities (as a rule it is AppArmor that takes them)";
    write("/proc/self/setgroups", "deny", MEND)?;
    write(UID_MAP, &format!("{NOBODY} {uid} 1"), MEND)?;
    write("/proc/self/gid_map", &format!("{NOBODY} {gid} 1"), MEND)
}

/// The ids that [`map_to_nobody`] takes; read before the new user namespace is made, in which nobody has one yet.
pub fn outside() -> (Uid, Gid) {
    (geteuid(), getegid())
}

/// Lets no process in this user namespace make another one, in which it would have every capability and with it most
/// of the kernel's attack surface again.
///
/// # Errors
///
/// See [`IdentityError::Map`].
pub fn forbid_user_namespaces() -> Result<(), IdentityError> {
    const MEND: &str =
        "/proc/sys must be there and writable (in systemd leave out ProtectKernelTunables= and ProcSubset=)";
    write("/proc/sys/user/max_user_namespaces", "0", MEND)
}

fn write(file: &'static str, text: &str, mend: &'static str) -> Result<(), IdentityError> {
    std::fs::write(file, text).map_err(|source| IdentityError::Map { file, mend, source })
}
