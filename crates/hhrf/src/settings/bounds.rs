//! What settings may be.

/// A message to a function holds two more than the request: its id and its traceparent, which are the host's own.
pub(super) const HEADERS_MAX: usize = fezz_wire::PAIRS_MAX - 2;

/// How many uids a host gives to functions: more than it is likely to serve in its life.
pub(crate) const UIDS: u32 = 1 << 16;

/// The first uid after those that systemd gives to containers (systemd's `UIDS-GIDS`: 1879048192 to 2147483647 are
/// unused).
pub(crate) const UID_BASE_FIRST: u32 = 0x7000_0000;

/// Each thread takes a mapping and a guard, of which a process may have 65,530 (`vm.max_map_count`), and modules take most
/// of them.
pub(super) const IN_PROCESS_THREADS_MAX: u32 = 4096;
