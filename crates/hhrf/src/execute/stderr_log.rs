//! Logs what a function writes to stderr, line by line, tagged and limited, without ever blocking the function.

use super::log_event::LogEvent;
use super::watch::watch;
use super::worker::Connection;
use crate::catalogue::Function;
use crate::log::harmless;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use std::io::{self, PipeReader, PipeWriter};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;

/// A function's stderr, for one request; or that of a process that stays: a zygote or a worker.
#[derive(Debug)]
pub struct StderrLog {
    pipe: OwnedFd,
    lines: Lines,
}

/// What has been read from it.
#[derive(Debug)]
struct Lines {
    function: Arc<Function>,
    subject: Subject,
    line: Vec<u8>,
    /// The last line of a process that stays: for the error that its end reports.
    last_line: Option<String>,
    bytes_max: usize,
    bytes_left: usize,
    dropped_bytes: u64,
    /// When `bytes_left` was `bytes_max`.
    since: Instant,
}

/// Whose lines they are.
#[derive(Debug)]
pub enum Subject {
    /// A request's, by its id.
    Request(String),
    /// A zygote's own, or a prewarmed runner's.
    Process,
    /// A worker's: of all its requests, and of itself.
    Worker(Arc<Connection>),
}

/// A longer line is logged in pieces.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// What a worker may write is limited for each of these periods, since it lives on.
const WORKER_PERIOD: Duration = Duration::from_secs(1);

/// The most that is read before other tasks get a turn: a pipe's default capacity (pipe(7)).
const TURN_BYTES: usize = 64 * 1024;

/// The most that is read at the end, when no process writes any more: the largest capacity that an ordinary user can
/// give a pipe (/proc/sys/fs/pipe-max-size).
const REST_BYTES_MAX: usize = 1024 * 1024;

/// Makes a pipe for a log: its two ends. If a wrapper shows /proc, a process of the host's own user could reopen the
/// pipe there and read lines that are meant for the host. Neither Landlock nor the seccomp filter prevents that for a
/// pipe, so its permissions do. Writing stays allowed, for programs that open /dev/stderr.
///
/// # Errors
///
/// Those of pipe(2).
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    fchmod(&writer, Mode::WUSR)?;
    Ok((reader, writer))
}

impl StderrLog {
    /// Reads from `pipe`; logs up to `bytes_max`, of a worker so many each second, and counts the rest.
    ///
    /// # Errors
    ///
    /// Those of ioctl(2).
    pub fn new(
        pipe: OwnedFd,
        function: &Arc<Function>,
        subject: Subject,
        bytes_max: usize,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self::of_nonblocking(pipe, function, subject, bytes_max))
    }

    /// The same for a pipe of which reading doesn't block, as [`Self::into_pipe`] returns it.
    pub fn of_nonblocking(
        pipe: OwnedFd,
        function: &Arc<Function>,
        subject: Subject,
        bytes_max: usize,
    ) -> Self {
        let function = Arc::clone(function);
        let lines = Lines {
            function,
            subject,
            line: Vec::new(),
            last_line: None,
            bytes_max,
            bytes_left: bytes_max,
            dropped_bytes: 0,
            since: Instant::now(),
        };
        Self { pipe, lines }
    }

    /// Reads what arrives, for ever, so that the function never waits for the log. It yields in between, so that the
    /// deadline also holds for a function that writes faster than this reads.
    pub async fn follow(&mut self) -> std::convert::Infallible {
        let Self { pipe, lines } = self;
        // An error here or below would come from the runtime itself; then only `take_rest` reads.
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

    /// Reads what an ended process left in the pipe.
    pub fn take_rest(&mut self) {
        self.lines.take_up_to(REST_BYTES_MAX, self.pipe.as_fd());
        if !self.lines.line.is_empty() {
            self.lines.log_line();
        }
    }

    /// The id of the request whose process writes it.
    pub fn request_id(&self) -> Option<String> {
        self.lines.subject.request_id()
    }

    /// The same as [`Self::finish`] for a process that goes on to serve another request: returns its pipe.
    pub fn into_pipe(mut self) -> OwnedFd {
        self.take_rest();
        self.lines.log_dropped();
        self.pipe
    }

    /// Reads the rest, and logs how many bytes were dropped. Returns the last line of a process that stays.
    pub fn finish(mut self) -> Option<String> {
        self.take_rest();
        self.lines.log_dropped();
        self.lines.last_line
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
        self.begin_period();
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

    fn begin_period(&mut self) {
        if let Subject::Worker(_) = self.subject
            && self.since.elapsed() >= WORKER_PERIOD
        {
            self.log_dropped();
            (self.bytes_left, self.dropped_bytes, self.since) = (self.bytes_max, 0, Instant::now());
        }
    }

    fn log_dropped(&self) {
        let of = match self.subject {
            _ if self.dropped_bytes == 0 => return,
            Subject::Worker(_) => "for a worker in a second",
            Subject::Request(_) | Subject::Process => "for one request",
        };
        tracing::warn!(
            function = self.function.name(),
            request_id = self.subject.request_id(),
            worker = self.subject.worker(),
            dropped_bytes = self.dropped_bytes,
            "the function wrote more to stderr than is logged {of}"
        );
    }

    fn log_line(&mut self) {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        match LogEvent::of(line) {
            Some(event) => self.log_event(event),
            None => tracing::info!(
                function = self.function.name(),
                request_id = self.subject.request_id(),
                worker = self.subject.worker(),
                line = harmless(line),
                "stderr"
            ),
        }
        if !matches!(self.subject, Subject::Request(_)) {
            self.last_line = Some(harmless(line));
        }
        self.line.clear();
    }

    /// Always on the same level, which the function can't raise: its own stands beside it.
    fn log_event(&self, event: LogEvent) {
        let shown = |text: &str| harmless(text.as_bytes());
        tracing::info!(
            function = self.function.name(),
            request_id = self.subject.request_id(),
            worker = self.subject.worker(),
            event_level = shown(&event.level),
            event_target = shown(&event.target),
            event_spans = event.spans.as_deref().map(shown),
            line = shown(event.message()),
            fields = event.other_fields().as_deref().map(shown),
            "event"
        );
    }
}

impl Subject {
    /// Of the request, where there is one and it is certain which.
    fn request_id(&self) -> Option<String> {
        match self {
            Self::Request(id) => Some(id.clone()),
            Self::Process => None,
            Self::Worker(connection) => connection.only_request_id(),
        }
    }

    fn worker(&self) -> Option<u64> {
        match self {
            Self::Worker(connection) => Some(connection.number()),
            Self::Request(_) | Self::Process => None,
        }
    }
}

enum Pipe {
    Empty,
    HasMore,
    Ended,
}
