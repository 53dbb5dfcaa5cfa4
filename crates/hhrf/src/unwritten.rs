//! Memory of responses without a body, while their client doesn't read. A body knows when its bytes are written. A head
//! goes to h2 at once, which takes further requests meanwhile, up to its limit of streams. (hyper's HTTP/1 takes none.)
//! So these heads stay charged until as many bytes are written as can be queued before them.

use crate::memory::{Accounts, Full, Holding, Memory};
use crate::watched::Writes;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What one connection has written, and what it hasn't.
#[derive(Debug)]
pub(crate) struct UnwrittenHeads {
    memory: Arc<Memory>,
    accounts: Accounts,
    /// Bytes written since the connection began, as of hyper's last poll.
    written_bytes: u64,
    /// Whether bytes were waiting then for the client to read.
    is_blocked: bool,
    heads: VecDeque<Head>,
    heads_bytes: usize,
    /// The memory of all of them, where there are any.
    holding: Option<Holding>,
}

#[derive(Debug)]
struct Head {
    bytes: usize,
    /// The head is written once this many bytes are.
    written_at: u64,
}

/// The most that can be queued before a head, not counting other heads: 16 KiB for each of 128 streams, and hyper's own
/// write buffer. Doubled, to be sure.
const BEFORE_HEAD_BYTES: u64 = 4 * 1024 * 1024;

impl UnwrittenHeads {
    pub(crate) fn new(memory: Arc<Memory>, accounts: Accounts) -> Self {
        Self {
            memory,
            accounts,
            written_bytes: 0,
            is_blocked: false,
            heads: VecDeque::new(),
            heads_bytes: 0,
            holding: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// hyper has taken a head of `bytes`. `stop` is cancelled when others need its memory.
    ///
    /// # Errors
    ///
    /// [`Full`]: it couldn't be charged.
    pub(crate) fn add(&mut self, bytes: usize, stop: &CancellationToken) -> Result<(), Full> {
        if !self.is_blocked {
            return Ok(());
        }
        let before_bytes = self.heads_bytes as u64 + BEFORE_HEAD_BYTES;
        match &mut self.holding {
            Some(holding) => holding.resize(self.heads_bytes + bytes)?,
            None => {
                let holding = self.memory.hold(self.accounts.clone(), bytes)?;
                holding.wait_for_connection(stop);
                self.holding = Some(holding);
            }
        }
        self.heads_bytes += bytes;
        self.heads.push_back(Head { bytes, written_at: self.written_bytes + before_bytes });
        Ok(())
    }

    /// To be called after hyper was polled: releases the heads that are written by now.
    pub(crate) fn update(&mut self, writes: &Writes) {
        (self.is_blocked, self.written_bytes) = (writes.is_blocked(), writes.written_bytes());
        let is_written = |head: &Head| !self.is_blocked || head.written_at <= self.written_bytes;
        let mut is_any = false;
        while let Some(head) = self.heads.pop_front_if(|head| is_written(head)) {
            self.heads_bytes -= head.bytes;
            is_any = true;
        }
        match &mut self.holding {
            Some(holding) if is_any && self.heads_bytes > 0 => {
                // Any progress counts alike: no rate is demanded here.
                holding.moved(1);
                // Shrinking fails only after an eviction, and then the connection ends.
                holding.resize(self.heads_bytes).unwrap_or_default();
            }
            Some(_) if self.heads.is_empty() => self.holding = None,
            _ => {}
        }
    }
}
