//! The exit status of a runner, or of its wrapper, that ends without a response.

/// The runner's exit codes, in the range of `sysexits.h`: they differ from a wrapper's ([`WrapperStatus`]) and from the
/// usual `exit(1)` of a module. A module that calls `exit(3)` with one of them exits with 1 instead. A module can still
/// fake one by `_exit(2)`, which harms its own requests only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The command line is wrong (`EX_USAGE`).
    Usage = 64,
    /// Stdin holds no request (`EX_DATAERR`).
    BadRequest = 65,
    /// The module can't be loaded: absent, not a shared library, a library that it needs is missing (`EX_NOINPUT`).
    ModuleNotLoaded = 66,
    /// The program can't be executed: not executable, for another processor, its interpreter is missing. None of the
    /// names of `sysexits.h` fits.
    ProgramNotExecuted = 67,
    /// The module's `fezz_on_load_v2` failed (`EX_UNAVAILABLE`).
    OnLoadFailed = 69,
    /// The module broke the ABI: it returned a null buffer (`EX_SOFTWARE`).
    AbiViolation = 70,
    /// The process was at its memory limit when it crashed (`EX_OSERR`).
    OutOfMemory = 71,
    /// The module lacks a required symbol (`EX_OSFILE`).
    MissingSymbol = 72,
    /// The response can't be written: what the module did can't be undone (`EX_CANTCREAT`).
    ResponseNotWritten = 73,
    /// The request can't be read, before any module code ran (`EX_IOERR`).
    Io = 74,
    /// A restriction can't be put in force (`EX_NOPERM`).
    NotConfined = 77,
    /// An environment variable of the manifest is missing (`EX_CONFIG`).
    EnvironmentIncomplete = 78,
}

impl std::fmt::Display for ExitCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Usage => "the runner's command line is wrong",
            Self::BadRequest => "the runner got no valid request",
            Self::ModuleNotLoaded => "the module can't be loaded",
            Self::ProgramNotExecuted => "the program can't be executed",
            Self::OnLoadFailed => "the module's fezz_on_load_v2 failed",
            Self::AbiViolation => "the module broke the ABI",
            Self::OutOfMemory => "the process was out of memory",
            Self::MissingSymbol => "the module lacks a required symbol",
            Self::ResponseNotWritten => "the response can't be written",
            Self::Io => "the runner can't read the request",
            Self::NotConfined => "the runner can't put the jail or a limit in force",
            Self::EnvironmentIncomplete => "an environment variable of the manifest is missing",
        })
    }
}

impl ExitCode {
    const ALL: [Self; 12] = [
        Self::Usage,
        Self::BadRequest,
        Self::ModuleNotLoaded,
        Self::ProgramNotExecuted,
        Self::OnLoadFailed,
        Self::AbiViolation,
        Self::OutOfMemory,
        Self::MissingSymbol,
        Self::ResponseNotWritten,
        Self::Io,
        Self::NotConfined,
        Self::EnvironmentIncomplete,
    ];

    /// The code of an exit status, if it is one of these.
    pub fn from_status(status: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| i32::from(code.as_u8()) == status)
    }

    /// Whether it means that no module code has run, so that the request may be retried.
    pub fn is_before_the_module(self) -> bool {
        match self {
            Self::Usage | Self::BadRequest | Self::Io | Self::NotConfined | Self::EnvironmentIncomplete => {
                true
            }
            Self::ModuleNotLoaded
            | Self::ProgramNotExecuted
            | Self::OnLoadFailed
            | Self::AbiViolation
            | Self::OutOfMemory
            | Self::MissingSymbol
            | Self::ResponseNotWritten => false,
        }
    }

    /// The number for `_exit(2)`.
    pub fn as_u8(self) -> u8 {
        self as u8
    }
}

/// The exit status by which a wrapper reports that the runner never ran. The host then answers that a retry is safe. So
/// the runner uses none of them, and lets no module exit by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WrapperStatus {
    /// A shell found the runner and can't execute it (sh(1)).
    NotExecutable = 126,
    /// A shell didn't find the runner (sh(1)).
    NotFound = 127,
    /// nsjail can't make its jail.
    NotConfined = 255,
}

impl WrapperStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NotExecutable, Self::NotFound, Self::NotConfined];

    /// The meaning of an exit status, if it is one of these.
    pub fn from_status(status: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as i32 == status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_exit_status_is_both_the_runners_and_a_wrappers() {
        for status in 0..=255 {
            let (runner, wrapper) = (ExitCode::from_status(status), WrapperStatus::from_status(status));
            assert!(runner.is_none() || wrapper.is_none(), "{status}: {runner:?}, {wrapper:?}");
        }
    }
}
