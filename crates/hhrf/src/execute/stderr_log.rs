//! Brings what a function writes on stderr into the log, line by line, tagged and bounded, and never lets it wait.

use super::watch::watch;
use crate::catalogue::Function;
use crate::log::harmless;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use std::io::{self, PipeReader, PipeWriter};
use std::sync::Arc;
use tokio::io::Interest;

/// A function's stderr, for one request; or a zygote's own.
#[derive(Debug)]
pub struct StderrLog {
    pipe: OwnedFd,
    lines: Lines,
}

/// What has been read of it.
#[derive(Debug)]
struct Lines {
    function: Arc<Function>,
    /// The request's, where there is one.
    request_id: Option<String>,
    line: Vec<u8>,
    /// The last line, where there is no request to look under for it.
    last_line: Option<String>,
    bytes_left: usize,
    dropped_bytes: u64,
}

/// A longer line is logged in pieces.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// What is taken in one turn, before others have theirs: what a pipe holds unless somebody makes it larger (pipe(7)).
const TURN_BYTES: usize = 64 * 1024;

/// What is taken at the end, when nobody writes any more: the largest buffer that an ordinary user can give a pipe
/// (/proc/sys/fs/pipe-max-size).
const REST_BYTES_MAX: usize = 1024 * 1024;

/// Makes a pipe for a log: its two ends. By its name in /proc, which a wrapper may show, a process of the host's own user
/// could open it again, to take lines out that the host should see; neither Landlock nor the filter of system calls refuses
/// that of a pipe. So its permissions do. Writing is left, for those who know it as /dev/stderr.
///
/// # Errors
///
/// What pipe(2) says.
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    fchmod(&writer, Mode::WUSR)?;
    Ok((reader, writer))
}

impl StderrLog {
    /// Reads from `pipe`; logs up to `bytes_max`, counts the rest.
    ///
    /// # Errors
    ///
    /// What ioctl(2) says.
    pub fn new(
        pipe: OwnedFd,
        function: &Arc<Function>,
        request_id: Option<String>,
        bytes_max: usize,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let function = Arc::clone(function);
        let lines = Lines {
            function,
            request_id,
            line: Vec::new(),
            last_line: None,
            bytes_left: bytes_max,
            dropped_bytes: 0,
        };
        Ok(Self { pipe, lines })
    }

    /// Takes what comes, for ever: so that the function never waits for the log. In turns, so that a function which
    /// writes faster than this reads is still met by its deadline.
    pub async fn follow(&mut self) -> std::convert::Infallible {
        let Self { pipe, lines } = self;
        // An error here or below would be the runtime's own; then what is taken at the end has to do.
        let Ok(watched) = watch(pipe.as_fd(), Interest::READABLE) else {
            return std::future::pending().await;
        };
        loop {
            let Ok(mut ready) = watched.readable().await else { return std::future::pending().await };
            match lines.take_up_to(TURN_BYTES, *ready.get_inner()) {
                Pipe::Ended => std::future::pending().await,
                Pipe::HasMore => tokio::task::yield_now().await,
                Pipe::Empty => ready.clear_ready(),
            }
        }
    }

    /// Takes what an ended process left in the pipe.
    pub fn take_rest(&mut self) {
        self.lines.take_up_to(REST_BYTES_MAX, self.pipe.as_fd());
        if !self.lines.line.is_empty() {
            self.lines.log_line();
        }
    }

    /// Takes the rest, and says how much of all wasn't logged. Returns the last line of one that is no request's.
    pub fn finish(mut self) -> Option<String> {
        self.take_rest();
        let Lines { function, request_id, dropped_bytes, last_line, .. } = self.lines;
        if dropped_bytes > 0 {
            tracing::warn!(
                function = function.name(),
                request_id,
                dropped_bytes,
                "the function wrote more to stderr than is logged for one request"
            );
        }
        last_line
    }
}

impl Lines {
    fn take_up_to(&mut self, bytes: usize, pipe: BorrowedFd<'_>) -> Pipe {
        let mut buffer = [0; LINE_BYTES_MAX];
        for _ in 0..bytes / LINE_BYTES_MAX {
            match rustix::io::read(pipe, &mut buffer) {
                Ok(0) => return Pipe::Ended,
                Ok(read) => self.take(&buffer[..read]),
                Err(Errno::AGAIN) => return Pipe::Empty,
                Err(Errno::INTR) => {}
                Err(_) => return Pipe::Ended,
            }
        }
        Pipe::HasMore
    }

    fn take(&mut self, bytes: &[u8]) {
        let logged = bytes.len().min(self.bytes_left);
        self.bytes_left -= logged;
        self.dropped_bytes += (bytes.len() - logged) as u64;
        for piece in bytes[..logged].split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE_BYTES_MAX {
                self.log_line();
            }
        }
    }

    fn log_line(&mut self) {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        tracing::info!(
            function = self.function.name(),
            request_id = self.request_id,
            line = harmless(line),
            "stderr"
        );
        if self.request_id.is_none() {
            self.last_line = Some(harmless(line));
        }
        self.line.clear();
    }
}

enum Pipe {
    Empty,
    HasMore,
    Ended,
}
