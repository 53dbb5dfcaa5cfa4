//! Takes a response off a pipe or a socket, as far as it goes and no further.

use super::failure::InvalidResponse;
use super::watch::watch;
use fezz_wire::{Framer, Progress};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A response that arrives.
#[derive(Debug)]
pub struct ResponseReader {
    channel: AsyncFd<OwnedFd>,
    message: Message,
}

/// What has arrived.
#[derive(Debug)]
struct Message {
    received: Vec<u8>,
    framer: Framer,
    body_bytes_max: usize,
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// To its end.
    Complete,
    /// As far as one turn goes; there is more.
    InPart,
    /// As far as it was written.
    NotYet,
    /// As far as it ever will: whoever could write has closed the channel.
    Ended,
}

/// How the wait for a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// It is complete.
    Whole,
    /// The channel is closed, and it isn't.
    Closed,
}

/// What a message holds beside its body: headers up to the limit in `respond.rs`, keys and lengths, an error's text.
const BESIDE_BODY_BYTES: usize = 256 * 1024;

/// What is taken in one turn, before others have theirs.
const TURN_BYTES: usize = 1024 * 1024;

/// Most responses fit; a larger one grows by doubling.
const FIRST_BYTES: usize = 8 * 1024;

impl ResponseReader {
    /// Reads from `channel`, up to a body of `body_bytes_max` and what stands beside it.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub fn new(channel: OwnedFd, body_bytes_max: u64) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&channel, true)?;
        let body_bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
        let received = Vec::with_capacity(FIRST_BYTES);
        Ok(Self {
            channel: watch(channel, Interest::READABLE)?,
            message: Message { received, framer: Framer::default(), body_bytes_max },
        })
    }

    /// Waits until the response is complete, or can't become so because the channel is closed. May be dropped and called
    /// again.
    ///
    /// # Errors
    ///
    /// What can't become a response, as soon as that is certain.
    pub async fn arrive(&mut self) -> Result<Arrived, InvalidResponse> {
        loop {
            // An error would be the runtime's own; then there is nothing more to hear of this channel.
            let Ok(mut ready) = self.channel.readable().await else { return Ok(Arrived::Closed) };
            match self.message.take(ready.get_inner())? {
                Taken::Complete => return Ok(Arrived::Whole),
                Taken::Ended => return Ok(Arrived::Closed),
                Taken::InPart => tokio::task::yield_now().await,
                Taken::NotYet => ready.clear_ready(),
            }
        }
    }

    /// Takes what an ended process left in the channel.
    ///
    /// # Errors
    ///
    /// As [`Self::arrive`].
    pub fn take_rest(&mut self) -> Result<Taken, InvalidResponse> {
        loop {
            let taken = self.message.take(self.channel.get_ref())?;
            if taken != Taken::InPart {
                return Ok(taken);
            }
        }
    }

    /// How much of a response has come.
    pub fn received_bytes(&self) -> usize {
        self.message.received.len()
    }

    /// Takes the message out.
    pub fn take_message(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.message.received)
    }
}

impl Message {
    fn take(&mut self, channel: &OwnedFd) -> Result<Taken, InvalidResponse> {
        let turn_ends = self.received.len().saturating_add(TURN_BYTES);
        while self.received.len() < turn_ends {
            if self.received.capacity() == self.received.len() {
                self.received.reserve(FIRST_BYTES);
            }
            match rustix::io::read(channel, rustix::buffer::spare_capacity(&mut self.received)) {
                Ok(0) => return Ok(Taken::Ended),
                Ok(_) if self.is_complete()? => return Ok(Taken::Complete),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Taken::NotYet),
                Err(_) => return Ok(Taken::Ended),
            }
        }
        Ok(Taken::InPart)
    }

    fn is_complete(&mut self) -> Result<bool, InvalidResponse> {
        let (body_bytes_max, beside_bytes_max) = (self.body_bytes_max, BESIDE_BODY_BYTES);
        match self.framer.advance(&self.received)? {
            // What follows the message is an error, too, which decoding names.
            Progress::Complete { .. } => Ok(true),
            Progress::Partial { at_least } if at_least > body_bytes_max.saturating_add(beside_bytes_max) => {
                Err(InvalidResponse::TooLarge { bytes: at_least, body_bytes_max, beside_bytes_max })
            }
            Progress::Partial { .. } => Ok(false),
        }
    }
}
