//! How the program ends, for scripts. `docs/cargo-fezz.md` has the same table.

use std::process::ExitCode;

/// The exit status. clap itself ends the program with 2 where the command line is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It is done, and nothing is wrong.
    Done = 0,
    /// It can't be done; stderr says why, and the fix.
    Failed = 1,
    /// It is done, and found a fault of the function: `check` an error, `invoke` a crash.
    Faulty = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
