//! Brings a request to its process: what fits into the pipe at once, the rest as the process reads.

use super::message;
use crate::admit::AdmittedRequest;
use bytes::{Buf, Bytes};
use std::convert::Infallible;
use std::io::{self, ErrorKind, PipeWriter, Write};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;

/// A request on its way.
#[derive(Debug)]
pub struct RequestWriter {
    unsent: Option<(Sender, Message)>,
}

/// The head, then the body's own bytes.
type Message = bytes::buf::Chain<Bytes, Bytes>;

impl RequestWriter {
    /// Writes what the pipe takes now, which for nearly every request is all of it: an empty one holds 64 KiB
    /// (pipe(7)). Such a request needs no registration with the runtime, and no worker is woken only to learn
    /// that an empty pipe can be written to.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub fn begin(stdin: PipeWriter, request: &AdmittedRequest) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&stdin, true)?;
        let mut message = message::encode_head(request).chain(request.body.bytes.clone());
        let unsent = match write_what_fits(&stdin, &mut message) {
            Ok(()) if message.has_remaining() => Some((Sender::from_owned_fd(stdin.into())?, message)),
            // A process that doesn't read is judged by what it answers and how it ends.
            Ok(()) | Err(_) => None,
        };
        Ok(Self { unsent })
    }

    /// Writes the rest and closes the pipe, then waits for ever, for the same reason.
    pub async fn finish(self) -> Infallible {
        if let Some((mut stdin, mut message)) = self.unsent {
            stdin.write_all_buf(&mut message).await.ok();
        }
        std::future::pending().await
    }
}

fn write_what_fits(mut stdin: &PipeWriter, message: &mut Message) -> io::Result<()> {
    while message.has_remaining() {
        match stdin.write(message.chunk()) {
            Ok(written) => message.advance(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
