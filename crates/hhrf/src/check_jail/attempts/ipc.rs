//! Objects that processes share by name, and that outlive them.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("shared-memory-segment", "make a System V shared memory segment"),
    Attempt::new("semaphore-set", "make a System V semaphore set"),
    Attempt::new("message-queue", "make a System V message queue"),
    Attempt::new("posix-message-queue", "make a POSIX message queue"),
    Attempt::new("list-shared-memory", "ask for the System V shared memory of all"),
];
