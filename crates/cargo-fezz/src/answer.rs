//! What a runner has made of a request: a response, or why there is none, with the status that a host would answer.

use fezz_wire::{ErrorKind, ExitCode, FezzWireResponse, WireError};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// The function gave no response.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the function panicked, a host answers 500: {0}")]
    Panicked(String),
    #[error("the function returned an error, a host answers 500: {0}")]
    Returned(String),
    #[error(
        "the deadline of {timeout_ms} ms passed, a host answers 504: is there an endless loop, or is `timeout` too short?"
    )]
    DeadlineExceeded { timeout_ms: u128 },
    #[error(
        "the process crashed ({status}), a host answers 502: its last words are above; run it under a debugger with --jail off"
    )]
    Crashed { status: String },
    #[error("{code}, a host answers 503: the runner's reason is above")]
    NotLoaded { code: ExitCode },
    #[error("{code}, a host answers 502: {fix}")]
    Module { code: ExitCode, fix: &'static str },
    #[error(
        "the runner can't serve ({code}): its reason is above; `hhrf check-jail` tells what this machine lacks"
    )]
    NotConfined { code: ExitCode },
    #[error("the response is invalid, a host answers 502: {0}")]
    Invalid(WireError),
    #[error(
        "the header `{name}` has a name or value that HTTP doesn't allow, a host answers 502: leave out line breaks and \
         other control characters"
    )]
    Header { name: String },
    #[error(
        "the response's body is {bytes} bytes, the limit is {limit} (`limits.response_body_bytes`): a host answers 502"
    )]
    TooLarge { bytes: usize, limit: u64 },
}

impl Fault {
    /// Whether it is the machine's or the command line's, so that the function wasn't tried.
    pub(crate) fn is_before_the_function(&self) -> bool {
        matches!(self, Self::NotConfined { .. })
    }
}

/// How the process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    pub(crate) timeout: Duration,
}

/// Reads the response, or finds out why there is none.
pub(crate) fn read<'a>(
    message: &'a [u8],
    ended: &Ended,
    body_bytes_max: u64,
) -> Result<FezzWireResponse<'a>, Fault> {
    if message.is_empty() || !ended.status.success() {
        return Err(without_response(ended));
    }
    let response = FezzWireResponse::decode(message).map_err(Fault::Invalid)?;
    if let Some(error) = &response.error {
        return Err(match error.kind {
            ErrorKind::Panicked => Fault::Panicked(error.message.to_owned()),
            ErrorKind::Returned => Fault::Returned(error.message.to_owned()),
        });
    }
    if let Some((name, _)) = response.headers.iter().find(|(name, value)| !is_header(name, value)) {
        return Err(Fault::Header { name: name.escape_default().to_string() });
    }
    if response.body.len() as u64 > body_bytes_max {
        return Err(Fault::TooLarge { bytes: response.body.len(), limit: body_bytes_max });
    }
    Ok(response)
}

/// Whether HTTP allows the header (RFC 9110, sections 5.1 and 5.5), as a host checks.
fn is_header(name: &str, value: &[u8]) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
    !name.is_empty() && name.bytes().all(is_token) && value.iter().copied().all(is_text)
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
        Some(code @ ExitCode::OutOfMemory) => {
            Fault::Module { code, fix: "raise `limits.memory_bytes`, or use less" }
        }
        Some(code) => Fault::Module { code, fix: "the runner's reason is above" },
        None => Fault::Crashed { status: ended.status.to_string() },
    }
}
