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
    /// As far as it ever will: whoever could write has closed the pipe.
    Ended,
}

/// What a message holds beside its body: headers up to the limit in `respond.rs`, keys and lengths, an error's text.
const BESIDE_BODY_BYTES: usize = 256 * 1024;

/// What is taken in one turn, before others have theirs.
const TURN_BYTES: usize = 1024 * 1024;

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
            body_bytes_max,
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
            match self.take_available()? {
                Taken::Complete => return Ok(()),
                Taken::Ended => std::future::pending().await,
                Taken::InPart => tokio::task::yield_now().await,
                Taken::NotYet => drop(self.pipe.readable().await),
            }
        }
    }

    /// Takes what an ended process left in the pipe. Asks the kernel itself: the runtime may have heard of the end
    /// before it hears of the last bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::complete`].
    pub fn take_rest(&mut self) -> Result<Taken, InvalidResponse> {
        loop {
            let taken = self.take(|pipe, received| {
                received.reserve(FIRST_BYTES);
                Ok(rustix::io::read(pipe, rustix::buffer::spare_capacity(received))?)
            })?;
            if taken != Taken::InPart {
                return Ok(taken);
            }
        }
    }

    fn take_available(&mut self) -> Result<Taken, InvalidResponse> {
        self.take(|pipe, received| pipe.try_read_buf(received))
    }

    fn take(
        &mut self,
        read: impl Fn(&Receiver, &mut Vec<u8>) -> io::Result<usize>,
    ) -> Result<Taken, InvalidResponse> {
        let turn_ends = self.received.len().saturating_add(TURN_BYTES);
        while self.received.len() < turn_ends {
            match read(&self.pipe, &mut self.received) {
                Ok(0) => return Ok(Taken::Ended),
                Ok(_) if self.is_complete()? => return Ok(Taken::Complete),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Taken::NotYet),
                Err(_) => return Ok(Taken::Ended),
            }
        }
        Ok(Taken::InPart)
    }

    /// How much of a response has come.
    pub fn received_bytes(&self) -> usize {
        self.received.len()
    }

    /// The message.
    pub fn into_message(self) -> Vec<u8> {
        self.received
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
