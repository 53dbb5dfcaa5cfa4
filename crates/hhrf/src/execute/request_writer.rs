//! Writes a request to its process: what fits into the channel at once, the rest as the process reads.

use super::message;
use super::watch::watch;
use crate::admitted::AdmittedRequest;
use bytes::{Buf, Bytes};
use fezz_wire::control::LENGTH_BYTES;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A request that is being written.
#[derive(Debug)]
pub struct RequestWriter {
    unsent: Option<(AsyncFd<OwnedFd>, Message)>,
}

/// The length (if it is sent), the head, and the body's bytes without a copy.
#[derive(Debug)]
struct Message([Bytes; 3]);

impl RequestWriter {
    /// Writes what the pipe takes now, which for nearly every request is all of it: an empty one holds 64 KiB
    /// (pipe(7)). Such a request needs no registration with the runtime, and no worker is woken only to learn that an
    /// empty pipe can be written to. The pipe is closed after the last byte.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub fn begin(pipe: OwnedFd, request: &AdmittedRequest) -> io::Result<Self> {
        let mut message = Message::of(request);
        let unsent = match write(pipe.as_fd(), &mut message) {
            Ok(()) if message.has_remaining() => Some((watch(pipe, Interest::WRITABLE)?, message)),
            // If the process doesn't read, its response or its end decides.
            Ok(()) | Err(_) => None,
        };
        Ok(Self { unsent })
    }

    /// The same for a socket, which stays open for the response: the message's length precedes it ([`LENGTH_BYTES`]).
    ///
    /// # Errors
    ///
    /// `EPIPE`: the child is gone, and no process has read the whole request. And those of registering a descriptor.
    pub fn begin_over(socket: &OwnedFd, request: &AdmittedRequest) -> io::Result<Self> {
        let mut message = Message::with_length(request);
        write(socket.as_fd(), &mut message)?;
        let unsent = match message.has_remaining() {
            // By a second descriptor: the runtime watches the first one for the response.
            true => Some((watch(socket.try_clone()?, Interest::WRITABLE)?, message)),
            false => None,
        };
        Ok(Self { unsent })
    }

    /// Writes the rest, then waits for ever: the response or the process's end decides.
    pub async fn finish(self) -> Infallible {
        if let Some((channel, mut message)) = self.unsent {
            while message.has_remaining() {
                let Ok(mut ready) = channel.writable().await else { break };
                let before = message.remaining();
                match write(ready.get_inner().as_fd(), &mut message) {
                    Ok(()) if message.remaining() == before => ready.clear_ready(),
                    Ok(()) => {}
                    Err(_) => break,
                }
            }
        }
        std::future::pending().await
    }
}

impl Message {
    fn of(request: &AdmittedRequest) -> Self {
        Self([Bytes::new(), message::encode_head(request), request.body.bytes.clone()])
    }

    fn with_length(request: &AdmittedRequest) -> Self {
        let mut message = Self::of(request);
        let length: [u8; LENGTH_BYTES] = (message.remaining() as u64).to_le_bytes();
        message.0[0] = Bytes::copy_from_slice(&length);
        message
    }

    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn has_remaining(&self) -> bool {
        self.remaining() > 0
    }

    fn advance(&mut self, mut bytes: usize) {
        for piece in &mut self.0 {
            let of_piece = bytes.min(piece.len());
            piece.advance(of_piece);
            bytes -= of_piece;
        }
    }
}

/// Writes what fits.
fn write(channel: BorrowedFd<'_>, message: &mut Message) -> io::Result<()> {
    rustix::io::ioctl_fionbio(channel, true)?;
    while message.has_remaining() {
        let pieces = message.0.each_ref().map(|piece| IoSlice::new(piece));
        match rustix::io::writev(channel, &pieces) {
            Ok(written) => message.advance(written),
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
