//! Brings what a function writes on stderr into the log, line by line, tagged and bounded, and never lets it wait.

use crate::catalogue::Function;
use crate::log::harmless;
use std::io::{self, PipeReader};
use tokio::net::unix::pipe::Receiver;

/// A function's stderr, for one request.
#[derive(Debug)]
pub struct StderrLog {
    pipe: Receiver,
    /// `<id>@<version>`.
    function: String,
    request_id: String,
    line: Vec<u8>,
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

impl StderrLog {
    /// Reads from `pipe`; logs up to `bytes_max`, counts the rest.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub fn new(
        pipe: PipeReader,
        function: &Function,
        request_id: String,
        bytes_max: usize,
    ) -> io::Result<Self> {
        let pipe = Receiver::from_owned_fd(pipe.into())?;
        Ok(Self {
            pipe,
            function: function.name(),
            request_id,
            line: Vec::new(),
            bytes_left: bytes_max,
            dropped_bytes: 0,
        })
    }

    /// Takes what comes, for ever: so that the function never waits for the log. In turns, so that a function which
    /// writes faster than this reads is still met by its deadline.
    pub async fn follow(&mut self) -> std::convert::Infallible {
        loop {
            match self.take_turn() {
                Pipe::Ended => std::future::pending().await,
                Pipe::HasMore => tokio::task::yield_now().await,
                // An error would be the runtime's own; then there is nothing more to hear of this pipe.
                Pipe::Empty => match self.pipe.readable().await {
                    Ok(()) => {}
                    Err(_) => std::future::pending().await,
                },
            }
        }
    }

    /// Takes what an ended process left in the pipe. Asks the kernel itself: the runtime may have heard of the end
    /// before it hears of the last bytes.
    pub fn take_rest(&mut self) {
        let mut buffer = [0; LINE_BYTES_MAX];
        for _ in 0..REST_BYTES_MAX / LINE_BYTES_MAX {
            match rustix::io::read(&self.pipe, &mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => self.take(&buffer[..read]),
            }
        }
        if !self.line.is_empty() {
            self.log_line();
        }
    }

    /// Takes the rest, and says how much of all wasn't logged.
    pub fn finish(mut self) {
        self.take_rest();
        if self.dropped_bytes > 0 {
            tracing::warn!(
                function = self.function,
                request_id = self.request_id,
                dropped_bytes = self.dropped_bytes,
                "the function wrote more to stderr than is logged for one request"
            );
        }
    }

    fn take_turn(&mut self) -> Pipe {
        let mut buffer = [0; LINE_BYTES_MAX];
        for _ in 0..TURN_BYTES / LINE_BYTES_MAX {
            match self.pipe.try_read(&mut buffer) {
                Ok(0) => return Pipe::Ended,
                Ok(read) => self.take(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Pipe::Empty,
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
            function = self.function,
            request_id = self.request_id,
            line = harmless(line),
            "stderr"
        );
        self.line.clear();
    }
}

enum Pipe {
    Empty,
    HasMore,
    Ended,
}
