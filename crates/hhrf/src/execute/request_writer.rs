//! Brings a request to its process: what fits into the channel at once, the rest as the process reads.

use super::message;
use super::watch::watch;
use crate::admit::AdmittedRequest;
use bytes::{Buf, Bytes};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A request on its way.
#[derive(Debug)]
pub struct RequestWriter {
    unsent: Option<(AsyncFd<OwnedFd>, Message)>,
}

/// The head, then the body's own bytes.
type Message = bytes::buf::Chain<Bytes, Bytes>;

impl RequestWriter {
    /// Writes what the pipe takes now, which for nearly every request is all of it: an empty one holds 64 KiB
    /// (pipe(7)). Such a request needs no registration with the runtime, and no worker is woken only to learn
    /// that an empty pipe can be written to. The pipe is closed behind the request's last byte.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub fn begin(pipe: OwnedFd, request: &AdmittedRequest) -> io::Result<Self> {
        let mut message = message(request);
        let unsent = match write(pipe.as_fd(), &mut message) {
            Ok(()) if message.has_remaining() => Some((watch(pipe, Interest::WRITABLE)?, message)),
            // A process that doesn't read is judged by what it answers and how it ends.
            Ok(()) | Err(_) => None,
        };
        Ok(Self { unsent })
    }

    /// The same for a socket, which stays open for the response.
    ///
    /// # Errors
    ///
    /// `EPIPE`: whoever should read it is gone; nobody has read anything. And those of registering a descriptor.
    pub fn begin_over(socket: &OwnedFd, request: &AdmittedRequest) -> io::Result<Self> {
        let mut message = message(request);
        write(socket.as_fd(), &mut message)?;
        let unsent = match message.has_remaining() {
            // By a descriptor of its own: the runtime watches the other one for the response.
            true => Some((watch(socket.try_clone()?, Interest::WRITABLE)?, message)),
            false => None,
        };
        Ok(Self { unsent })
    }

    /// Writes the rest, then waits for ever: what comes of it is for others to see.
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

fn message(request: &AdmittedRequest) -> Message {
    message::encode_head(request).chain(request.body.bytes.clone())
}

/// Writes what fits.
fn write(channel: BorrowedFd<'_>, message: &mut Message) -> io::Result<()> {
    rustix::io::ioctl_fionbio(channel, true)?;
    while message.has_remaining() {
        let mut pieces = [IoSlice::new(&[]); 2];
        let count = message.chunks_vectored(&mut pieces);
        match rustix::io::writev(channel, &pieces[..count]) {
            Ok(written) => message.advance(written),
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
