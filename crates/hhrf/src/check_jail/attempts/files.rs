//! Files of the host: reading, writing, and ways out of a root.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("read-bait-0600", "read a file of the host's user that only this user may read"),
    Attempt::new("read-bait-0644", "read a file of the host that all users may read"),
    Attempt::new("read-etc-passwd", "read the system's list of users"),
    Attempt::new("read-etc-shadow", "read the system's passwords").needs("/etc/shadow"),
    Attempt::new("read-other-function", "read the manifest of another function"),
    Attempt::new("read-through-proc-root", "read a file through /proc/1/root"),
    Attempt::new("read-by-dots", "read a file by a path with `..` out of the working folder"),
    Attempt::new("read-by-symbolic-link", "read a file through a symbolic link that it made"),
    Attempt::new("read-by-hard-link", "link to a file that only the host's user may read"),
    Attempt::new("read-by-handle", "open a file by its inode number, bypassing the folders above it"),
    Attempt::new("list-host-folder", "list a folder of the host"),
    Attempt::new("see-host-root", "find itself in the host's root"),
    Attempt::new("leave-root-by-chroot", "leave its root by a chroot into a folder of it"),
    Attempt::new("write-root", "create a file in /"),
    Attempt::new("write-tmp", "create a file in /tmp"),
    Attempt::new("write-var-tmp", "create a file in /var/tmp"),
    Attempt::new("write-usr-lib", "create a file among the system's libraries"),
    Attempt::new("write-dev-shm", "create a file in the folder of shared memory"),
    Attempt::new("write-host-folder", "create a file in a folder of the host that all users may write to"),
    Attempt::new("write-module-folder", "create a file beside its own module"),
    Attempt::new("write-module", "open its own module for writing"),
    Attempt::new("change-mode-of-bait", "change the mode of a file of the host"),
];
