//! Memory that bodies may take, of all requests together.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A budget in bytes. A quarter is for small bodies alone, so that a few large ones can't refuse everybody's.
#[derive(Debug)]
pub struct Memory {
    small: Share,
    large: Share,
}

#[derive(Debug)]
struct Share {
    free: Arc<Semaphore>,
    bytes: usize,
}

/// What a small body is, request's or response's: nearly all are.
const SMALL_BODY_BYTES: usize = 64 * 1024;

impl Memory {
    /// A budget of `bytes`, all of it free.
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        let small = bytes / 4;
        Self { small: Share::new(small), large: Share::new(bytes - small) }
    }

    /// Takes `bytes` for a body that then has `total`, until the permit is dropped; `None` when there are not so many
    /// left.
    pub fn take(&self, bytes: usize, total: usize) -> Option<OwnedSemaphorePermit> {
        let share = if total <= SMALL_BODY_BYTES { &self.small } else { &self.large };
        Arc::clone(&share.free).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    /// How much is taken: of small bodies' share, and of the rest.
    pub fn taken_bytes(&self) -> [usize; 2] {
        [&self.small, &self.large].map(|share| share.bytes - share.free.available_permits())
    }
}

impl Share {
    fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_leave_a_quarter_to_small_ones_and_all_comes_back() {
        let memory = Memory::new(400_000);
        let large = memory.take(300_000, 300_000).unwrap();
        assert!(memory.take(1, 100_000).is_none());
        let small = memory.take(1000, 1000).unwrap();
        assert_eq!(memory.taken_bytes(), [1000, 300_000]);
        drop((large, small));
        assert_eq!(memory.taken_bytes(), [0, 0]);
    }
}
