//! What the runner is asked before the host serves. A wrapper may stand in its place, which may do anything.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The runner can't do what functions need.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It can't be started, or talked to.
    #[error("failed to have the runner try the jail{NAMED}")]
    Io(#[source] io::Error),
    /// It says why not.
    #[error("modules can't be confined here (--jail): {words}{NAMED}")]
    Refused {
        /// Its own words, or its exit status.
        words: String,
    },
    /// It neither answers nor ends.
    #[error("the runner didn't answer within {} s, when it was to try the jail: does a wrapper wait for something?", PATIENCE.as_secs())]
    Silent,
    /// What it made isn't there.
    #[error(
        "the runner's empty network isn't its own: let the wrapper end in `exec fezz-runner \"$@\"`, or set --jail inner"
    )]
    NotItsOwn,
}

/// What it may be that isn't the machine's fault.
const NAMED: &str = "; a runner that is named is to be a wrapper for --jail inner, or fezz-runner itself";

/// A jail takes milliseconds; this is for a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `command`, which has a jail's arguments, for nothing but to see whether that jail can be made.
///
/// # Errors
///
/// See [`TrialError`].
pub fn try_out(mut command: Command, runner: &Path) -> Result<(), TrialError> {
    // For a module, any file will do that is there.
    command.arg("--try").arg(runner).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (status, words) = end_of(command.spawn().map_err(TrialError::Io)?)?;
    if status.success() {
        return Ok(());
    }
    Err(TrialError::Refused { words: if words.is_empty() { status.to_string() } else { words } })
}

/// Waits for the end of a process, or ends it: how it ended, and what it said on stderr.
pub(super) fn end_of(mut child: Child) -> Result<(ExitStatus, String), TrialError> {
    const PAUSE: Duration = Duration::from_millis(1);
    const WORDS_BYTES_MAX: u64 = 4096;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(TrialError::Io)? {
            Some(status) => break status,
            None if begun.elapsed() > PATIENCE => {
                child.kill().map_err(TrialError::Io)?;
                child.wait().map_err(TrialError::Io)?;
                return Err(TrialError::Silent);
            }
            None => std::thread::sleep(PAUSE),
        }
    };
    let mut words = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What is there: a process that it left behind may keep the pipe open.
        rustix::io::ioctl_fionbio(&stderr, true).map_err(|error| TrialError::Io(error.into()))?;
        stderr.take(WORDS_BYTES_MAX).read_to_end(&mut words).or_else(none_left).map_err(TrialError::Io)?;
    }
    Ok((status, String::from_utf8_lossy(&words).trim_end().to_owned()))
}

fn none_left(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(error) }
}
