//! State between requests.

use crate::check_jail::attempt::{Attempt, Expected, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("leave-variable", "leave a variable's value").expected(Expected::NothingFound),
    Attempt::new("leave-environment-variable", "leave a variable of its environment")
        .expected(Expected::NothingFound),
    Attempt::new("leave-descriptor", "leave an open descriptor").expected(Expected::NothingFound),
    Attempt::new("leave-flags-of-descriptors", "leave flags of its open descriptors (O_NONBLOCK, O_APPEND)")
        .expected(Expected::NothingFound),
    Attempt::new("leave-umask", "leave another umask").expected(Expected::NothingFound),
    Attempt::new("leave-working-folder", "leave another working folder").expected(Expected::NothingFound),
    Attempt::new("leave-priority", "leave another priority").expected(Expected::NothingFound),
    Attempt::new("leave-signal-mask", "leave a signal blocked").expected(Expected::NothingFound),
    Attempt::new("leave-signal-handler", "leave a signal ignored").expected(Expected::NothingFound),
    Attempt::new("leave-file-in-tmp", "leave a file in /tmp").expected(Expected::NothingFound),
    Attempt::new("leave-file-in-scratch", "leave a file where it may write")
        .call("leave-file-in-tmp")
        .under(Variant::Scratch)
        .expected(Expected::NothingFound),
    Attempt::new("leave-file-in-shared-folder", "leave a file in the folder of shared memory")
        .expected(Expected::NothingFound),
    Attempt::new("leave-shared-memory", "leave a System V shared memory segment")
        .expected(Expected::NothingFound),
    Attempt::new("leave-message-queue", "leave a POSIX message queue").expected(Expected::NothingFound),
    Attempt::new("leave-key-of-user", "leave a key in the user's keyring").expected(Expected::NothingFound),
    Attempt::new("leave-key-of-session", "leave a key in the session's keyring")
        .expected(Expected::NothingFound),
    Attempt::new("leave-key-of-user-session", "leave a key in the user's default session keyring")
        .expected(Expected::NothingFound),
];
