//! Resource exhaustion, and processes that are left running.

use crate::check_jail::attempt::{Attempt, Expected, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("fork-bomb", "start more processes than it may have threads").expected(Expected::Bounded),
    Attempt::new(
        "thread-bomb",
        "start more threads than `limits.threads`, under `fork` times a zygote's children",
    )
    .expected(Expected::Bounded),
    Attempt::new("private-memory", "use more memory than `limits.memory_bytes`").expected(Expected::Bounded),
    Attempt::new("shared-memory", "use more memory, as shared memory").expected(Expected::Bounded),
    Attempt::new("memory-in-memory-file", "use more memory, as a file in memory").expected(Expected::Bounded),
    Attempt::new("memory-in-shared-folder", "use more memory, as a file in the folder of shared memory")
        .expected(Expected::Bounded),
    Attempt::new("memory-in-stacks", "use more memory, as stacks of threads").expected(Expected::Bounded),
    Attempt::new("memory-in-pipes", "use twice its memory, as data in pipes").expected(Expected::Bounded),
    Attempt::new("addresses", "reserve 64 GiB of addresses").expected(Expected::Bounded),
    Attempt::new("descriptor-bomb", "open more than 64 files").expected(Expected::Bounded),
    Attempt::new("signal-bomb", "queue more than 256 signals").expected(Expected::Bounded),
    Attempt::new("disk-bomb", "write 32 MiB to a disk").expected(Expected::Bounded),
    Attempt::new("scratch-bomb", "write more than `limits.scratch_bytes`")
        .under(Variant::Scratch)
        .expected(Expected::Bounded),
    Attempt::new("flood-stderr", "write 8 MiB into the host's log").expected(Expected::Cut),
    Attempt::new("flood-stdout", "write 8 MiB to its stdout, which isn't the response")
        .expected(Expected::Cut),
    Attempt::new("burn-processor", "compute for ever").under(Variant::Brief).expected(Expected::Ended),
    Attempt::new("ignore-deadline", "sleep for ever and ignore every signal")
        .under(Variant::Brief)
        .expected(Expected::Ended),
    Attempt::new("stop-itself", "stop itself for ever").under(Variant::Brief).expected(Expected::Bounded),
    Attempt::new("leave-daemon", "leave a process running, in a session of its own")
        .expected(Expected::NothingLeft),
    Attempt::new("leave-sibling", "leave a process running that is the host's child")
        .expected(Expected::NothingLeft),
    Attempt::new("leave-child", "leave a process running").expected(Expected::NothingLeft),
];
