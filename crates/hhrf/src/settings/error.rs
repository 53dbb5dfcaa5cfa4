//! Why settings are refused.

use super::bounds::{HEADERS_MAX, IN_PROCESS_THREADS_MAX, UIDS};
use crate::memory::MEMORY_BYTES_MIN;
use std::path::PathBuf;

/// Builds the runner of the same profile, which Cargo puts beside this program.
const BUILD_RUNNER: &str = if cfg!(debug_assertions) {
    "cargo build -p fezz-runner"
} else {
    "cargo build --release -p fezz-runner"
};

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("failed to read the settings file `{}`", path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file has an invalid key or value.
    #[error("the settings file `{}` is wrong: its keys are the flags of hhrf --help with `_` for `-`", path.display())]
    Malformed {
        /// As given.
        path: PathBuf,
        /// The place and what was expected.
        source: Box<toml::de::Error>,
    },
    /// A text has an invalid key or value.
    #[error("the settings are wrong: their keys are the flags of hhrf --help with `_` for `-`")]
    MalformedText(#[source] Box<toml::de::Error>),
    /// No runner was found.
    #[error(
        "failed to find `fezz-runner` beside this program or on PATH: build it with `{BUILD_RUNNER}`, or name it by the setting `runner` (FEZZ_RUNNER)"
    )]
    NoRunner,
    /// The runner that was named doesn't exist.
    #[error("the runner `{}` is no executable file: correct the setting `runner` (FEZZ_RUNNER)", path.display())]
    BadRunner {
        /// As given.
        path: PathBuf,
    },
    /// The runner's or the root's path can't be made absolute.
    #[error("failed to find the folder that `{}` is relative to", path.display())]
    NoWorkingFolder {
        /// As given.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A limit that would refuse everything.
    #[error("`{name}` is 0, which would refuse every request: give it 1 or more")]
    Zero {
        /// The setting.
        name: &'static str,
    },
    /// A memory with room for hardly one request.
    #[error(
        "`{name}` is {bytes}: give it {MEMORY_BYTES_MIN} or more, or large requests and responses find no room"
    )]
    TooLittleMemory {
        /// The setting.
        name: &'static str,
        /// What was set.
        bytes: usize,
    },
    /// More threads than a process should have.
    #[error(
        "`in_process_threads` is {threads}: a process has room for {IN_PROCESS_THREADS_MAX} beside its modules"
    )]
    TooManyThreads {
        /// What was set.
        threads: u32,
    },
    /// More percent than there are.
    #[error("`{name}` is {percent}, the limit is 100: it is a share in percent")]
    MoreThanAll {
        /// The setting.
        name: &'static str,
        /// Its value.
        percent: u32,
    },
    /// More headers than a message to a function holds.
    #[error("`headers` is {headers}: a function is given {HEADERS_MAX} at most")]
    TooManyHeaders {
        /// What was set.
        headers: usize,
    },
    /// Uids that can't be given.
    #[error("`uid_base` is {value}: it must leave {UIDS} uids from 1 to 4294967294")]
    UidBase {
        /// What was set.
        value: u32,
    },
    /// A wrapper's processes can't be counted from their beginning.
    #[error("`cgroup` needs `jail` to be `strict`: in other modes let the wrapper make cgroups")]
    CgroupWithoutJail,
    /// Functions would run in the host's process that the operator hasn't named.
    #[error(
        "`execution` is `in-process`, which needs every function to be allowed there: set `allow_in_process` to `*` \
         (--allow-in-process), if you trust all of their code as much as the host"
    )]
    InProcessNotAllowed,
    /// `/rpc` would have no address.
    #[error("`rpc` is `admin`, but there is no admin address: set --admin too")]
    RpcWithoutAdmin,
}
