//! Why a process that should stay, a zygote or a worker, can't be made ready.

use super::failure::Failure;
use super::worker::Violation;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why such a process can't be made ready. All requests get this error until the next try.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadFailure {
    /// Its process can't be started.
    #[error("failed to start the process that loads the function")]
    NotStarted(#[source] Arc<io::Error>),
    /// It exited before it was ready.
    #[error("failed to load the function: {}", last_line.as_deref().unwrap_or("the runner wrote nothing to stderr"))]
    Left {
        /// What it said last.
        last_line: Option<String>,
        /// The failure that its exit means.
        #[source]
        cause: Arc<Failure>,
    },
    /// It took longer than a request may.
    #[error("the function wasn't ready within {} ms, the time of a request", .0.as_millis())]
    TooSlow(Duration),
    /// It took longer than this request could wait.
    #[error("the function wasn't ready by the request's deadline")]
    TooLate,
    /// It keeps ending.
    #[error("the zygote keeps ending: see the function's lines in the log")]
    Unstable,
    /// A worker's first frame was none that begins the protocol.
    #[error("the worker broke the protocol before it was ready: {0}")]
    NoHello(Violation),
    /// Its processes crashed so often that the function is paused.
    #[error("the function is paused, because its processes keep crashing")]
    Paused {
        /// When requests are served again.
        until: Instant,
    },
}

impl LoadFailure {
    /// The failure that a zygote's end before its first report means.
    pub(super) fn of_end(
        ended: io::Result<ExitStatus>,
        last_line: Option<String>,
        memory_limit_bytes: u64,
    ) -> Self {
        match ended {
            Ok(status) => {
                Self::Left { last_line, cause: Arc::new(Failure::of_exit(status, memory_limit_bytes)) }
            }
            Err(error) => Self::NotStarted(Arc::new(error)),
        }
    }
}
