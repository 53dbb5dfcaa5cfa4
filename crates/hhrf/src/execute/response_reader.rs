//! Reads a response from a pipe or a socket up to its end, and charges its memory as it grows.

use super::failure::{Failure, InvalidResponse};
use super::watch::watch;
use crate::memory::{Full, Holding, SMALL_BYTES, Use};
use bytes::Bytes;
use fezz_wire::{Framer, Progress};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

/// A response that is arriving.
#[derive(Debug)]
pub struct ResponseReader {
    channel: AsyncFd<OwnedFd>,
    message: Message,
}

/// The channel of a complete response. If it is closed, the runner takes the host for gone and ends itself: so it is
/// kept until the runner has written its log and exited.
#[derive(Debug)]
pub struct OpenChannel(#[expect(dead_code, reason = "held for its drop")] AsyncFd<OwnedFd>);

/// What has arrived.
#[derive(Debug)]
struct Message {
    received: Vec<u8>,
    framer: Framer,
    /// What the message announces of its length so far.
    at_least: usize,
    body_bytes_max: usize,
    holding: Holding,
    /// Cancelled when others need the memory.
    stop: CancellationToken,
}

/// How much of a response was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// All of it.
    Complete,
    /// As much as one read turn allows; there is more.
    InPart,
    /// All that was written so far.
    NotYet,
    /// All that will ever arrive: every writer has closed the channel.
    Ended,
}

/// How the wait for a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// It is complete.
    Whole,
    /// The channel is closed, and the response is incomplete.
    Closed,
}

/// The most that a message holds besides its body: headers up to the limit in `respond.rs`, keys and lengths, an
/// error's text.
pub(super) const BESIDE_BODY_BYTES: usize = 256 * 1024;

/// The most that is read before other tasks get a turn.
const TURN_BYTES: usize = 1024 * 1024;

/// Most responses fit; a larger one grows to what it announces, but not faster than it arrives: a function could announce
/// anything.
const FIRST_BYTES: usize = 8 * 1024;
const GROWTH: usize = 4;

/// Has the runtime watch the channel of a response.
///
/// # Errors
///
/// Those of ioctl(2) and of registering a descriptor.
pub fn watch_for_response(channel: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&channel, true)?;
    watch(channel, Interest::READABLE)
}

impl ResponseReader {
    /// Reads from `channel`, up to a body of `body_bytes_max` and what stands beside it. `holding` has room for a small
    /// response, and grows with a larger one.
    pub fn new(channel: AsyncFd<OwnedFd>, body_bytes_max: u64, holding: Holding) -> Self {
        let message = Message {
            received: Vec::with_capacity(FIRST_BYTES),
            framer: Framer::default(),
            at_least: 0,
            body_bytes_max: usize::try_from(body_bytes_max).unwrap_or(usize::MAX),
            holding,
            stop: CancellationToken::new(),
        };
        Self { channel, message }
    }

    /// Waits until the response is complete, or the channel is closed. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// The response is invalid, as soon as that is certain; or there is no memory for it.
    pub async fn arrive(&mut self) -> Result<Arrived, Failure> {
        loop {
            let ready = tokio::select! {
                biased;
                ready = self.channel.readable() => ready,
                () = self.message.stop.cancelled() => {
                    return Err(Failure::ResponseDropped(Full { r#use: Use::Responses }));
                }
            };
            // An error would come from the runtime itself; then nothing more arrives on this channel.
            let Ok(mut ready) = ready else { return Ok(Arrived::Closed) };
            match self.message.take(ready.get_inner())? {
                Taken::Complete => return Ok(Arrived::Whole),
                Taken::Ended => return Ok(Arrived::Closed),
                Taken::InPart => tokio::task::yield_now().await,
                Taken::NotYet => ready.clear_ready(),
            }
        }
    }

    /// Reads what an ended process left in the channel.
    ///
    /// # Errors
    ///
    /// As [`Self::arrive`].
    pub fn take_rest(&mut self) -> Result<Taken, Failure> {
        loop {
            let taken = self.message.take(self.channel.get_ref())?;
            if taken != Taken::InPart {
                return Ok(taken);
            }
        }
    }

    /// How many bytes have arrived.
    pub fn received_bytes(&self) -> usize {
        self.message.received.len()
    }

    /// The message, its memory, and its channel.
    pub fn into_message(self) -> (Bytes, Holding, OpenChannel) {
        let Message { mut received, holding, .. } = self.message;
        // It may wait long for its client, and is charged by its length.
        received.shrink_to_fit();
        // If it was evicted, the next resize reports that.
        holding.settle().unwrap_or_default();
        (received.into(), holding, OpenChannel(self.channel))
    }
}

impl Message {
    fn take(&mut self, channel: &OwnedFd) -> Result<Taken, Failure> {
        let turn_ends = self.received.len().saturating_add(TURN_BYTES);
        while self.received.len() < turn_ends {
            if self.received.capacity() == self.received.len() {
                self.make_room()?;
            }
            match rustix::io::read(channel, rustix::buffer::spare_capacity(&mut self.received)) {
                Ok(0) => return Ok(Taken::Ended),
                Ok(_) if self.is_complete().map_err(Failure::InvalidResponse)? => return Ok(Taken::Complete),
                Ok(read) => self.holding.moved(read),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Taken::NotYet),
                Err(_) => return Ok(Taken::Ended),
            }
        }
        Ok(Taken::InPart)
    }

    /// Makes the buffer larger, and charges it first.
    fn make_room(&mut self) -> Result<(), Failure> {
        let received = self.received.len();
        let capacity = self.at_least.min(received * GROWTH).max(received + FIRST_BYTES);
        if capacity > SMALL_BYTES {
            self.holding.resize(capacity).map_err(Failure::ResponseDropped)?;
            self.holding.wait_for_function(&self.stop);
        }
        self.received.reserve_exact(capacity - received);
        Ok(())
    }

    fn is_complete(&mut self) -> Result<bool, InvalidResponse> {
        let (body_bytes_max, beside_bytes_max) = (self.body_bytes_max, BESIDE_BODY_BYTES);
        match self.framer.advance(&self.received)? {
            // What follows the message is an error, too, which decoding names.
            Progress::Complete { .. } => Ok(true),
            Progress::Partial { at_least } if at_least > body_bytes_max.saturating_add(beside_bytes_max) => {
                Err(InvalidResponse::TooLarge { bytes: at_least, body_bytes_max, beside_bytes_max })
            }
            Progress::Partial { at_least } => {
                self.at_least = at_least;
                Ok(false)
            }
        }
    }
}
