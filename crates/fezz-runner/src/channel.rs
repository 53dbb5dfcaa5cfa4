//! Where the request comes from and the response goes.

use crate::syscalls;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::{io, stdio};
use std::mem::ManuallyDrop;

/// Why the request can't be read or the response written.
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
    #[error("failed to read the request from stdin")]
    Read(#[source] Errno),
    #[error("failed to write the response")]
    Write(#[source] Errno),
}

/// The original stdout, under another number and closed on exec. Dropping it doesn't close it: the module may have
/// closed it already, and the process is about to end.
#[derive(Debug)]
pub(crate) struct ResponseChannel(ManuallyDrop<OwnedFd>);

impl AsFd for ResponseChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ResponseChannel {
    /// Closes it, for a process that writes no response.
    pub(crate) fn close(self) {
        drop(ManuallyDrop::into_inner(self.0));
    }
}

const FIRST_BEYOND_STANDARD: u32 = 3;

/// Closes all but the standard descriptors, moves stdout to a private one, and points descriptor 1 at stderr.
///
/// # Errors
///
/// A standard descriptor isn't open.
pub(crate) fn take() -> Result<ResponseChannel, ChannelError> {
    // SAFETY: this process must hold no descriptor from 3 on that it uses or closes later. They come from the process
    // that started this one, and nothing here uses one: `run`'s caller promises that. `run` is done with those of
    // `--join`, and has closed what it opened itself.
    unsafe { syscalls::close_from(FIRST_BEYOND_STANDARD) }.map_err(ChannelError::CloseInherited)?;
    let response = duplicate(stdio::stdout()).map_err(ChannelError::MoveStdout)?;
    stdio::dup2_stdout(stdio::stderr()).map_err(ChannelError::MoveStdout)?;
    syscalls::buffer_stdout_by_line();
    Ok(ResponseChannel(ManuallyDrop::new(response)))
}

/// Moves stdin to a private descriptor, for a process that loads its module before it reads the request: the module
/// finds an empty stdin. Call it after [`take`], while there is a /dev.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn take_stdin() -> Result<OwnedFd, ChannelError> {
    let stdin = duplicate(stdio::stdin()).map_err(ChannelError::MoveStdin)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let null = open("/dev/null", flags, Mode::empty()).map_err(ChannelError::MoveStdin)?;
    stdio::dup2_stdin(null).map_err(ChannelError::MoveStdin)?;
    Ok(stdin)
}

fn duplicate(standard: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    io::fcntl_dupfd_cloexec(standard, FIRST_BEYOND_STANDARD.cast_signed())
}

/// Reads `channel` up to its end. The host limits the length of what it sends.
///
/// # Errors
///
/// Those of read(2).
pub(crate) fn read_request(channel: impl AsFd) -> Result<Vec<u8>, ChannelError> {
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
/// Those of write(2); if the reader is gone, SIGPIPE kills this process instead.
pub(crate) fn write_response(channel: impl AsFd, mut response: &[u8]) -> Result<(), ChannelError> {
    while !response.is_empty() {
        match io::write(&channel, response) {
            Ok(written) => response = &response[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(ChannelError::Write(errno)),
        }
    }
    Ok(())
}

/// Writes to the function's log. Errors are ignored: if stderr is gone, the exit status still tells the kind of
/// failure. Async-signal-safe.
pub(crate) fn log(line: &[u8]) {
    io::write(stdio::stderr(), line).ok();
}
