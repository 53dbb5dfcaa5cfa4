//! Locks on files that stay held.

use crate::check_jail::attempt::{Attempt, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("hold-lock-of-library", "hold a lock on the host's C library"),
    Attempt::new("hold-record-lock-of-library", "hold a lock on a part of it"),
    Attempt::new("hold-open-file-lock-of-library", "hold such a lock by an open file"),
    Attempt::new("memory-in-locks", "hold 4096 locks, which are the kernel's memory"),
    Attempt::new("granted-hold-lock-of-library", "hold a lock on the host's C library")
        .under(Variant::Scratch)
        .call("hold-lock-of-library"),
    Attempt::new("granted-hold-record-lock-of-library", "hold a lock on a part of it")
        .under(Variant::Scratch)
        .call("hold-record-lock-of-library"),
    Attempt::new("granted-hold-open-file-lock-of-library", "hold such a lock by an open file")
        .under(Variant::Scratch)
        .call("hold-open-file-lock-of-library"),
    Attempt::new("granted-memory-in-locks", "hold 4096 locks, which are the kernel's memory")
        .under(Variant::Scratch)
        .call("memory-in-locks"),
];
