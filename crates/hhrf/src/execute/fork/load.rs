//! Why there is no zygote of a function.

use crate::execute::Failure;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a zygote can't fork. It holds for all requests until it is tried again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadFailure {
    /// Its process can't be started.
    #[error("failed to start the zygote")]
    NotStarted(#[source] Arc<io::Error>),
    /// It left before its module was loaded.
    #[error("the function can't be loaded: {}", last_line.as_deref().unwrap_or("it says nothing"))]
    Left {
        /// What it said last.
        last_line: Option<String>,
        /// What its end means.
        #[source]
        cause: Arc<Failure>,
    },
    /// It took longer than a request may.
    #[error("the module wasn't loaded within {} ms, the time of a request", .0.as_millis())]
    TooSlow(Duration),
    /// It took longer than the request could wait, which came while it was being loaded, or before.
    #[error("the module wasn't loaded by the request's deadline")]
    TooLate,
    /// It ended again and again.
    #[error("the zygote ends again and again: its last_line stand in the function's log")]
    Unstable,
    /// Its processes crashed so often that it is left alone for a while.
    #[error("the function is paused, because its processes crash again and again")]
    Paused {
        /// When requests are served again.
        until: Instant,
    },
}

impl LoadFailure {
    /// What the end of a zygote before its first word means.
    pub(super) fn of_end(
        ended: io::Result<ExitStatus>,
        last_line: Option<String>,
        memory_limit_bytes: u64,
    ) -> Self {
        match ended {
            Ok(status) => Self::Left { last_line, cause: Arc::new(Failure::of_exit(status, memory_limit_bytes)) },
            Err(error) => Self::NotStarted(Arc::new(error)),
        }
    }
}
