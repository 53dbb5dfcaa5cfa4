//! Descriptors that the runtime watches.

use rustix::fd::{AsFd, AsRawFd};
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the runtime watch a descriptor.
///
/// # Errors
///
/// Those of epoll_ctl(2): out of memory, or of watches.
#[expect(
    deprecated,
    reason = "its unsafe successor asks for a descriptor that stays open and the same, as an OwnedFd's does and a BorrowedFd's"
)]
pub fn watch<D: AsFd + AsRawFd>(descriptor: D, interest: Interest) -> io::Result<AsyncFd<D>> {
    AsyncFd::with_interest(descriptor, interest)
}
