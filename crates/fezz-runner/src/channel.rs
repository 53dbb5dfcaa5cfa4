//! Where the request comes from and the response goes.

use crate::syscalls;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::{io, stdio};
use std::mem::ManuallyDrop;

/// Why request or response can't be moved.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Descriptors beyond the standard three can't be closed.
    #[error("failed to close inherited descriptors")]
    CloseInherited(#[source] Errno),
    /// Stdout can't be moved out of the module's reach.
    #[error("failed to move stdout: is it open?")]
    MoveStdout(#[source] Errno),
    /// Stdin can't be moved out of the module's reach.
    #[error("failed to move stdin: is it open, and is there a /dev/null?")]
    MoveStdin(#[source] Errno),
    /// Reading stdin failed.
    #[error("failed to read the request from stdin")]
    Read(#[source] Errno),
    /// Writing the response failed.
    #[error("failed to write the response")]
    Write(#[source] Errno),
}

/// What was stdout, under another number, closed on exec. Never closed here: a module may have done it, and the process
/// is about to end.
#[derive(Debug)]
pub struct ResponseChannel(ManuallyDrop<OwnedFd>);

impl AsFd for ResponseChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ResponseChannel {
    /// Closes it, for a process that answers nobody.
    pub fn close(self) {
        drop(ManuallyDrop::into_inner(self.0));
    }
}

const FIRST_BEYOND_STANDARD: u32 = 3;

/// Closes all but the standard descriptors, moves stdout to a private one, and points descriptor 1 at stderr.
///
/// # Errors
///
/// A standard descriptor that isn't open: the system then gives no way to do this.
pub(crate) fn take() -> Result<ResponseChannel, ChannelError> {
    // SAFETY: they are of whoever started this process. Nothing in it uses one: `run`'s caller promises that, and `run`
    // is done with those of `--join`, and has closed what it opened itself.
    unsafe { syscalls::close_from(FIRST_BEYOND_STANDARD) }.map_err(ChannelError::CloseInherited)?;
    let response = away(stdio::stdout()).map_err(ChannelError::MoveStdout)?;
    stdio::dup2_stdout(stdio::stderr()).map_err(ChannelError::MoveStdout)?;
    syscalls::buffer_stdout_by_line();
    Ok(ResponseChannel(ManuallyDrop::new(response)))
}

/// Moves stdin to a private descriptor, for a process that loads its module before it has read it: the module finds an
/// empty one. Behind [`take`], while there is a /dev.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn take_stdin() -> Result<OwnedFd, ChannelError> {
    let stdin = away(stdio::stdin()).map_err(ChannelError::MoveStdin)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let null = open("/dev/null", flags, Mode::empty()).map_err(ChannelError::MoveStdin)?;
    stdio::dup2_stdin(null).map_err(ChannelError::MoveStdin)?;
    Ok(stdin)
}

fn away(standard: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    io::fcntl_dupfd_cloexec(standard, FIRST_BEYOND_STANDARD.cast_signed())
}

/// Reads `channel` up to its end. Whoever started this process bounds what it sends.
///
/// # Errors
///
/// What read(2) says.
pub fn read_request(channel: impl AsFd) -> Result<Vec<u8>, ChannelError> {
    // One pipe buffer (pipe(7)): a request without a large body takes one read, and one more that finds the end.
    const STEP_BYTES: usize = 64 * 1024;
    let mut request = Vec::with_capacity(STEP_BYTES);
    loop {
        if request.capacity() == request.len() {
            request.reserve(request.len());
        }
        match io::read(&channel, rustix::buffer::spare_capacity(&mut request)) {
            Ok(0) => return Ok(request),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(ChannelError::Read(errno)),
        }
    }
}

/// Writes the whole response.
///
/// # Errors
///
/// What write(2) says; a reader that is gone kills this process by SIGPIPE instead.
pub fn write_response(channel: impl AsFd, mut response: &[u8]) -> Result<(), ChannelError> {
    while !response.is_empty() {
        match io::write(&channel, response) {
            Ok(written) => response = &response[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(ChannelError::Write(errno)),
        }
    }
    Ok(())
}

/// Writes to the function's log. Where stderr is gone there is nobody left to tell, and the exit status still says
/// what kind of failure it was. Async-signal-safe.
pub fn log(line: &[u8]) {
    io::write(stdio::stderr(), line).ok();
}
