//! Takes a response off a pipe, as far as it goes and no further.

use super::failure::InvalidResponse;
use fezz_wire::{Framer, Progress};
use std::io::{self, PipeReader};
use tokio::net::unix::pipe::Receiver;

/// A response that arrives.
#[derive(Debug)]
pub struct ResponseReader {
    pipe: Receiver,
    received: Vec<u8>,
    framer: Framer,
    bytes_max: usize,
    is_at_end: bool,
}

/// What a message holds beside its body: headers up to the limit in `respond.rs`, keys and lengths, an error's text.
const BESIDE_BODY_BYTES: usize = 256 * 1024;

/// Most responses fit; a larger one grows by doubling.
const FIRST_BYTES: usize = 8 * 1024;

impl ResponseReader {
    /// Reads from `pipe`, up to a body of `body_bytes_max` and what stands beside it.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub fn new(pipe: PipeReader, body_bytes_max: u64) -> io::Result<Self> {
        let body_bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
        Ok(Self {
            pipe: Receiver::from_owned_fd(pipe.into())?,
            received: Vec::with_capacity(FIRST_BYTES),
            framer: Framer::default(),
            bytes_max: body_bytes_max.saturating_add(BESIDE_BODY_BYTES),
            is_at_end: false,
        })
    }

    /// Waits until the response is complete. At the end of file it goes on waiting: the end of the process decides
    /// then, for a pipe can be closed early, or held open by what is left behind. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// What can't become a response, as soon as that is certain.
    pub async fn complete(&mut self) -> Result<(), InvalidResponse> {
        loop {
            if self.take_available()? {
                return Ok(());
            }
            // At its end a pipe is readable for ever: to wait for that would spin, and starve the deadline.
            if self.is_at_end || self.pipe.readable().await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// Takes what is in the pipe now, and says whether the response is complete.
    ///
    /// # Errors
    ///
    /// As [`Self::complete`].
    pub fn take_available(&mut self) -> Result<bool, InvalidResponse> {
        loop {
            match self.pipe.try_read_buf(&mut self.received) {
                Ok(0) => {
                    self.is_at_end = true;
                    return Ok(false);
                }
                Ok(_) => {
                    if self.check()? {
                        return Ok(true);
                    }
                }
                Err(_) => return Ok(false),
            }
        }
    }

    /// How much of a response has come.
    pub fn received_bytes(&self) -> usize {
        self.received.len()
    }

    /// The message.
    pub fn into_message(self) -> Vec<u8> {
        self.received
    }

    fn check(&mut self) -> Result<bool, InvalidResponse> {
        let bytes_max = self.bytes_max;
        match self.framer.advance(&self.received)? {
            // What follows the message is an error, too, which decoding names.
            Progress::Complete { .. } => Ok(true),
            Progress::Partial { at_least } if at_least > bytes_max => {
                Err(InvalidResponse::TooLarge { bytes: at_least, bytes_max })
            }
            Progress::Partial { .. } => Ok(false),
        }
    }
}
