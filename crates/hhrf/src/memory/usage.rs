//! What memories are for, and how much of them is taken.

use std::fmt;

/// What a memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Heads and bodies, from a request's head to the end of its process.
    Requests,
    /// Responses, from before the function runs until the last byte is written.
    Responses,
}

impl fmt::Display for Use {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Requests => "requests",
            Self::Responses => "responses",
        })
    }
}

/// How much of a memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// By holdings of up to [`SMALL_BYTES`].
    pub small_bytes: usize,
    /// By larger ones.
    pub large_bytes: usize,
    /// The budget.
    pub bytes_max: usize,
    /// By holdings that could be evicted; at most a second old.
    pub evictable_bytes: usize,
    /// How many holdings were evicted since the start.
    pub evictions: u64,
    /// How many were ended because their clients were below the minimum data rate.
    pub slow: u64,
}

/// The largest small holding: nearly all requests and responses are small. Also what is reserved for a response before
/// its function runs.
pub(crate) const SMALL_BYTES: usize = 64 * 1024;

/// The smallest budget: a request with the largest head, or a reserved response, is a small part of it.
pub(crate) const MEMORY_BYTES_MIN: usize = 1024 * 1024;

/// There isn't enough memory left, and nothing can be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory for {} is full, or the half of it that one client or function may hold", .r#use)]
pub struct Full {
    /// Of which memory.
    pub r#use: Use,
}

impl Usage {
    /// Whether so much is taken that the next requests may be refused. Evictable memory doesn't count: otherwise a few
    /// stalled clients could take the host out of service.
    pub(crate) fn is_short(&self) -> bool {
        let taken_bytes = self.small_bytes + self.large_bytes;
        taken_bytes.saturating_sub(self.evictable_bytes) > self.bytes_max / 10 * 9
    }
}
