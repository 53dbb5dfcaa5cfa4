//! Why a function gave no response, with what a host would answer.

use fezz_wire::{ErrorKind, ExitCode, FezzWireResponse, WireError};
use http::{HeaderName, HeaderValue};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// The function gave no response. The text says what a host would answer, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It panicked, with this text.
    #[error("the function panicked, a host answers 500: {0}")]
    Panicked(String),
    /// It returned an error, with this text.
    #[error("the function returned an error, a host answers 500: {0}")]
    Returned(String),
    /// It didn't answer in time.
    #[error(
        "the deadline of {timeout_ms} ms passed, a host answers 504: is there an endless loop, or is `timeout` too short?"
    )]
    DeadlineExceeded {
        /// The function's deadline.
        timeout_ms: u128,
    },
    /// The process died.
    #[error(
        "the process crashed ({status}), a host answers 502: the log has its last words; `cargo fezz invoke --gdb` runs it under a debugger"
    )]
    Crashed {
        /// The signal, or the exit status.
        status: String,
    },
    /// The module can't be loaded.
    #[error("{code}, a host answers 503: the log has the reason")]
    NotLoaded {
        /// What the runner says.
        code: ExitCode,
    },
    /// The program of a worker can't be executed.
    #[error(
        "the program can't be executed, a host answers 503: the log has the reason; its file must be executable for every \
         user and made for this machine, and a script must name an interpreter of the system"
    )]
    NotExecuted,
    /// The process ended without a response.
    #[error("{code}, a host answers 502: {fix}")]
    Module {
        /// What the runner says.
        code: ExitCode,
        /// What to do.
        fix: &'static str,
    },
    /// The runner couldn't serve: the function wasn't tried.
    #[error(
        "the runner can't serve ({code}): the log has the reason; `hhrf check-jail` tells what this machine lacks"
    )]
    NotConfined {
        /// What the runner says.
        code: ExitCode,
    },
    /// What it returned is no response.
    #[error("the response is invalid, a host answers 502: {0}")]
    Invalid(WireError),
    /// A worker broke the protocol of its socket.
    #[error("the program broke the protocol of a worker, a host answers 502: {cause}")]
    BrokeProtocol {
        /// How.
        cause: String,
    },
    /// One of its headers is none.
    #[error(
        "the header `{name}` has a name or value that HTTP doesn't allow, a host answers 502: leave out line breaks and \
         other control characters"
    )]
    Header {
        /// Its name.
        name: String,
    },
    /// The response is larger than its limit.
    #[error(
        "the response's body is {bytes} bytes, the limit is {limit} (`limits.response_body_bytes`): a host answers 502"
    )]
    TooLarge {
        /// The body's length.
        bytes: usize,
        /// `limits.response_body_bytes`.
        limit: u64,
    },
}

impl Fault {
    /// Whether it is the machine's or the command line's, so that the function wasn't tried.
    pub fn is_before_the_function(&self) -> bool {
        matches!(self, Self::NotConfined { .. })
    }

    /// The status that a host would answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Panicked(_) | Self::Returned(_) => 500,
            Self::DeadlineExceeded { .. } => 504,
            Self::NotLoaded { .. } | Self::NotExecuted | Self::NotConfined { .. } => 503,
            Self::Crashed { .. }
            | Self::Module { .. }
            | Self::Invalid(_)
            | Self::BrokeProtocol { .. }
            | Self::Header { .. }
            | Self::TooLarge { .. } => 502,
        }
    }

    /// The kind that a host would name in the header `fezz-error`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Panicked(_) => ErrorKind::Panicked.as_str(),
            Self::Returned(_) => ErrorKind::Returned.as_str(),
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::NotLoaded { .. } | Self::NotExecuted => "module_failed",
            Self::NotConfined { .. } => "jail_failed",
            Self::Module { code: ExitCode::OutOfMemory, .. } => "out_of_memory",
            Self::Crashed { .. } => "function_crashed",
            Self::Module { .. }
            | Self::Invalid(_)
            | Self::BrokeProtocol { .. }
            | Self::Header { .. }
            | Self::TooLarge { .. } => "invalid_response",
        }
    }

    /// Reads the response, by the host's rules, or finds out why there is none.
    pub fn or_response(message: &[u8], body_bytes_max: u64) -> Result<FezzWireResponse<'_>, Self> {
        let response = FezzWireResponse::decode(message).map_err(Self::Invalid)?;
        if let Some(error) = &response.error {
            return Err(match error.kind {
                ErrorKind::Panicked => Self::Panicked(error.message.to_owned()),
                ErrorKind::Returned => Self::Returned(error.message.to_owned()),
            });
        }
        if response.body.len() as u64 > body_bytes_max {
            return Err(Self::TooLarge { bytes: response.body.len(), limit: body_bytes_max });
        }
        let is_valid = |name: &str, value: &[u8]| {
            HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(value).is_ok()
        };
        match response.headers.iter().find(|(name, value)| !is_valid(name, value)) {
            Some((name, _)) => Err(Self::Header { name: name.escape_debug().to_string() }),
            None => Ok(response),
        }
    }

    /// Reads the response of a runner that has ended, or finds out why there is none.
    pub(crate) fn or_response_of<'a>(
        ended: &Ended,
        message: &'a [u8],
        body_bytes_max: u64,
    ) -> Result<FezzWireResponse<'a>, Self> {
        if message.is_empty() || !(ended.status.success() || ended.is_program) {
            return Err(without_response(ended));
        }
        Self::or_response(message, body_bytes_max)
    }
}

/// How the process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    pub(crate) timeout: Duration,
    /// Whether it is a program of its own, whose response counts however it ends.
    pub(crate) is_program: bool,
}

fn without_response(ended: &Ended) -> Fault {
    if ended.took >= ended.timeout && ended.status.signal().is_some() {
        return Fault::DeadlineExceeded { timeout_ms: ended.timeout.as_millis() };
    }
    match ended.status.code().and_then(ExitCode::from_status) {
        Some(code) if code.is_before_the_module() => Fault::NotConfined { code },
        Some(code @ (ExitCode::ModuleNotLoaded | ExitCode::MissingSymbol | ExitCode::OnLoadFailed)) => {
            Fault::NotLoaded { code }
        }
        Some(ExitCode::ProgramNotExecuted) => Fault::NotExecuted,
        Some(code @ ExitCode::OutOfMemory) => {
            Fault::Module { code, fix: "raise `limits.memory_bytes`, or use less" }
        }
        Some(code) => Fault::Module { code, fix: "the log has the reason" },
        None => Fault::Crashed { status: ended.status.to_string() },
    }
}
