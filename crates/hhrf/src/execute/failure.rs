//! Why a function gave no answer. The text is for the log; `problem.rs` has what the client is told.

use crate::memory::Full;
use fezz_wire::{ExitCode, WireError, WrapperStatus};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Why a request got no response from its function.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The runner, or the wrapper, couldn't be started.
    #[error("failed to start the runner")]
    NotStarted(#[source] std::io::Error),
    /// The runner exited before the module ran.
    #[error("{0}: see the function's lines in the log")]
    RunnerGaveUp(ExitCode),
    /// The process couldn't be confined, so that the module wasn't loaded.
    #[error(
        "failed to set up the jail: see the function's lines in the log for the reason, and try `hhrf check-jail`"
    )]
    NotConfined,
    /// A wrapper couldn't run the runner: it exits as a shell does then.
    #[error(
        "exited with status {code}, as a wrapper does that can't execute the runner: see the function's lines in the log"
    )]
    RunnerNotExecuted {
        /// Its exit status.
        code: i32,
    },
    /// The module can't be loaded, or its `on_load` failed.
    #[error("{0}: see the function's lines in the log")]
    Module(ExitCode),
    /// The function panicked; the text is its message.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The function returned an error; the text is its message.
    #[error("returned an error: {0}")]
    Returned(String),
    /// The process ended, by a signal or an exit, without a response.
    #[error("{}", describe(*.0, "it answered"))]
    Crashed(ExitStatus),
    /// The process was at its memory limit.
    #[error("out of memory: its limit is {limit_bytes} bytes")]
    OutOfMemory {
        /// The manifest's `limits.memory_bytes`.
        limit_bytes: u64,
    },
    /// It wrote an invalid response.
    #[error("the response is invalid: {0}")]
    InvalidResponse(InvalidResponse),
    /// There is no memory for the response.
    #[error("the response was dropped: {0}")]
    ResponseDropped(Full),
    /// The deadline passed.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// The module can't be loaded into the host's process.
    #[error(transparent)]
    InProcess(super::in_process::load::ModuleFailure),
    /// There is no memory for the message to a module in the host's process, or to a worker.
    #[error("the request was not sent to the function: {0}")]
    NoMemory(Full),
    /// Its message is longer than a frame.
    #[error(
        "the request's message is {bytes} bytes, the limit of a frame is {}: lower `limits.request_body_bytes`",
        fezz_wire::frame::PAYLOAD_BYTES_MAX
    )]
    RequestTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Earlier calls of the function go on after their deadline, in the host's own process.
    #[error(
        "{calls} earlier calls of the function still run after their deadline, and can't be ended: find out what they wait for, \
         or restart the host"
    )]
    Overdue {
        /// How many do.
        calls: usize,
    },
    /// The program that embeds the host has unregistered the function before the request got to it.
    #[error("the function was unregistered before the request got to it")]
    Unregistered,
    /// The zygote ended, and the process with it.
    #[error("its zygote ended, and the process with it: see the log for the reason")]
    ZygoteEnded,
    /// The zygote can't fork.
    #[error("failed to fork a process: are there too many, for the function or the machine?")]
    NotForked(#[source] std::io::Error),
    /// No zygote could be loaded.
    #[error(transparent)]
    NotLoaded(super::load::LoadFailure),
    /// The worker ended, or none was free.
    #[error(transparent)]
    Worker(#[from] super::worker::WorkerFailure),
    /// The process is gone without a status.
    #[error("failed to reap the process")]
    NotReaped(#[source] std::io::Error),
    /// The host itself failed: a bug.
    #[error("the host's own task failed")]
    Host,
}

/// What is wrong with a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// It violates the wire format.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its status is no final one of HTTP (RFC 9110, section 15).
    #[error("its status is {status}, outside 200 to 599")]
    Status {
        /// The status.
        status: u16,
    },
    /// The module returned an empty buffer.
    #[error("the module returned an empty buffer")]
    Empty,
    /// The runner couldn't write it: the module has closed the pipe or socket.
    #[error("the runner couldn't write it: see the function's lines in the log")]
    NotWritten,
    /// It lies where the process has no memory.
    #[error("it lies outside of the process's memory")]
    NotReadable,
    /// The function made the system call by which the runner hands over a response.
    #[error("the function itself made the system call by which only the runner hands over a response")]
    Forged,
    /// It is incomplete.
    #[error("the process ended after {bytes} bytes of an incomplete response")]
    Incomplete {
        /// How many bytes came.
        bytes: usize,
    },
    /// It is too large.
    #[error(
        "it is {bytes} bytes or more, the limit is {body_bytes_max} for its body (limits.response_body_bytes) and \
         {beside_bytes_max} for the rest"
    )]
    TooLarge {
        /// What arrived, or was announced.
        bytes: usize,
        /// The function's limit for the body.
        body_bytes_max: usize,
        /// Room for headers and keys.
        beside_bytes_max: usize,
    },
    /// Its body is too large.
    #[error("its body is {bytes} bytes, the limit is {bytes_max} (limits.response_body_bytes)")]
    BodyTooLarge {
        /// The body's length.
        bytes: usize,
        /// The function's limit.
        bytes_max: u64,
    },
    /// A header that HTTP doesn't allow.
    #[error(
        "the header `{name}` has a name or value that HTTP doesn't allow: leave out line breaks and other control characters"
    )]
    Header {
        /// The name, with control characters escaped.
        name: String,
    },
    /// A worker's payload in JSON or MessagePack is no response.
    #[error("{0}")]
    Payload(String),
    /// A worker's frames break the protocol.
    #[error("the worker broke the protocol: {0}")]
    Frames(super::worker::Violation),
    /// Its headers are too large.
    #[error("its headers are {bytes} bytes, the limit is {bytes_max}")]
    HeadersTooLarge {
        /// Names and values together.
        bytes: usize,
        /// The host's limit.
        bytes_max: usize,
    },
}

impl Failure {
    /// The failure that the end of a process without a response means.
    pub fn of_exit(status: ExitStatus, memory_limit_bytes: u64) -> Self {
        let Some(number) = status.code() else { return Self::Crashed(status) };
        // A module can't exit by one of these: the runner's filter refuses them (`policy.rs`), in every mode except `off`.
        match WrapperStatus::from_status(number) {
            Some(WrapperStatus::NotExecutable | WrapperStatus::NotFound) => {
                return Self::RunnerNotExecuted { code: number };
            }
            Some(WrapperStatus::NotConfined) => return Self::NotConfined,
            None => {}
        }
        let Some(code) = ExitCode::from_status(number) else { return Self::Crashed(status) };
        match code {
            ExitCode::Usage | ExitCode::BadRequest | ExitCode::Io | ExitCode::EnvironmentIncomplete => {
                Self::RunnerGaveUp(code)
            }
            ExitCode::NotConfined => Self::NotConfined,
            ExitCode::ModuleNotLoaded
            | ExitCode::ProgramNotExecuted
            | ExitCode::MissingSymbol
            | ExitCode::OnLoadFailed => Self::Module(code),
            ExitCode::ResponseNotWritten => Self::InvalidResponse(InvalidResponse::NotWritten),
            ExitCode::AbiViolation => Self::InvalidResponse(InvalidResponse::Empty),
            ExitCode::OutOfMemory => Self::OutOfMemory { limit_bytes: memory_limit_bytes },
        }
    }

    /// The same for a process whose module is loaded: a forked one, or a worker. So no exit status can mean that it never ran.
    pub fn of_child_exit(status: ExitStatus, memory_limit_bytes: u64) -> Self {
        match Self::of_exit(status, memory_limit_bytes) {
            failure @ (Self::InvalidResponse(_) | Self::OutOfMemory { .. }) => failure,
            _ => Self::Crashed(status),
        }
    }
}

/// What the status says, of a process that ended `before` something was done.
pub(super) fn describe(status: ExitStatus, before: &str) -> String {
    // Shells, and jailers like them, exit with this plus the signal's number if their child was killed.
    const KILLED_INSIDE: i32 = 128;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by {} before {before}", signal_name(signal)),
        (_, Some(code)) if code > KILLED_INSIDE && code < KILLED_INSIDE + 64 => {
            format!(
                "exited with status {code} before {before}: {} inside a wrapper",
                signal_name(code - KILLED_INSIDE)
            )
        }
        (_, Some(code)) => format!("exited with status {code} before {before}"),
        _ => format!("ended with {status} before {before}"),
    }
}

/// The signal's number, its name (signal(7)) and its usual cause.
fn signal_name(signal: i32) -> String {
    let name = match Signal::from_named_raw(signal) {
        Some(Signal::ILL) => "SIGILL, an illegal instruction",
        Some(Signal::ABORT) => "SIGABRT, an abort",
        Some(Signal::BUS) => "SIGBUS, a mapped file that was cut short",
        Some(Signal::FPE) => "SIGFPE, an arithmetic error",
        Some(Signal::KILL) => {
            "SIGKILL, not sent by the host: the machine's or a cgroup's memory ran out, or limits.cpu_ms was \
             used up and its SIGXCPU ignored"
        }
        Some(Signal::SEGV) => "SIGSEGV, an access to memory that isn't there, or a stack overflow",
        Some(Signal::PIPE) => "SIGPIPE",
        Some(Signal::TERM) => "SIGTERM",
        Some(Signal::XCPU) => "SIGXCPU, its processor time (limits.cpu_ms) was used up",
        Some(Signal::SYS) => "SIGSYS, a forbidden system call",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}
