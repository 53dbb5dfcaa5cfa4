//! The host's environment, which contains a secret of the check.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("secret-in-environment", "find a variable of the host in its own environment"),
    Attempt::new("secret-in-own-proc-environ", "find it in /proc/self/environ"),
    Attempt::new("secret-in-parents-environ", "find it in its parent's environment"),
    Attempt::new("secret-in-hosts-environ", "find it in the host's environment"),
    Attempt::new(
        "secret-in-victims-environ",
        "find it in the environment of another process of the host's user",
    ),
    Attempt::new("secret-on-stack", "find it in memory, where the kernel put its initial environment"),
];
