//! Why a process that should stay, a zygote or a worker, can't be made ready.

use super::failure::{Failure, describe};
use super::worker::Violation;
use std::io;
use std::os::unix::process::ExitStatusExt;
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
    /// A worker's own program ended before its hello.
    #[error("{}", of_program(*status, last_line.as_deref()))]
    ProgramEnded {
        /// How.
        status: ExitStatus,
        /// What it said last.
        last_line: Option<String>,
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

    /// The same for a worker's own program: once it is executed, its end is not the runner's.
    pub(super) fn in_program(self) -> Self {
        let Self::Left { last_line, cause } = self else { return self };
        match &*cause {
            Failure::Crashed(status) => Self::ProgramEnded { status: *status, last_line },
            _ => Self::Left { last_line, cause },
        }
    }
}

fn of_program(status: ExitStatus, last_line: Option<&str>) -> String {
    let was = if status.signal().is_some() { "was " } else { "" };
    let last_line =
        last_line.map_or("it wrote nothing to stderr".into(), |line| format!("its last line: {line}"));
    format!("the program {was}{}; {last_line}", describe(status, "it said hello"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_before_its_hello_is_told_with_its_end_and_its_last_line() {
        let of = |status, line: Option<&str>| {
            let ended = Ok(ExitStatus::from_raw(status));
            LoadFailure::of_end(ended, line.map(str::to_owned), 0).in_program().to_string()
        };
        assert_eq!(
            of(1 << 8, Some("RuntimeError: no database")),
            "the program exited with status 1 before it said hello; its last line: RuntimeError: no database"
        );
        let killed = of(15, None);
        assert!(killed.starts_with("the program was killed by signal 15 (SIGTERM)"), "{killed}");
        assert!(killed.ends_with("before it said hello; it wrote nothing to stderr"), "{killed}");
    }
}
