//! Puts a process back to an earlier state of its memory, from outside: the host's side of a rewindable process
//! (`fezz_wire::rewind` is the protocol between both).
//!
//! The process parks in a system call that a filter of seccomp(2) passes to the host, so all of its state that no system
//! call changes is in its memory. This crate remembers that memory, asks the kernel which pages were written since, and
//! writes their earlier contents back. It is Linux only, version 6.7 or later, and everything here is synchronous. The
//! host's unsafe code is in this crate and in no other: the ioctl(2)s of the listener, the
//! userfaultfd and the pagemap, and another process's clock.
//!
//! In the order in which a process meets them:
//!
//! - [`process`]: takes descriptors out of the process, and opens its files in /proc while that is allowed.
//! - [`listener`]: receives the system calls at which the process stopped, and resumes it.
//! - [`maps`]: the mappings of the process.
//! - [`tracker`]: which of its pages were written.
//! - [`pages`] and [`snapshot`]: what its pages held; what several processes have in common is stored once.
//! - [`rewindable`]: all that together: prepare, then write, read and restore for each request.
//! - [`clock`]: how much processor time it has used.
//! - [`difference`]: compares a restored process whole with its snapshot, to find out what a restore misses.

pub mod clock;
pub mod difference;
pub mod listener;
pub mod maps;
pub mod pages;
pub mod process;
pub mod rewindable;
pub mod snapshot;
pub mod tracker;

mod ioctl;
mod stickiness;
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests;
mod write_back;

pub use clock::processor_time;
pub use difference::Difference;
pub use listener::{Call, Listener};
pub use pages::Pages;
pub use process::{Files, Kind, MemoryReader, take_descriptor};
pub use rewindable::{PrepareError, RestoreError, Rewindable, Written};
pub use snapshot::SnapshotError;

/// The size of a page in bytes, on x86-64. On a machine with larger pages the kernel refuses what this crate asks for.
pub const PAGE_BYTES: usize = 4096;
