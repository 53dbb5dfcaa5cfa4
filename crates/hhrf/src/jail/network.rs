//! An empty network namespace, which all jails of a host share: making one for each request would cost as much as the
//! rest of the jail.

use super::trial::{TRIAL_TIMEOUT, Trial, TrialError};
use fezz_wire::NETWORK_MADE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::{FdFlags, fcntl_setfd, retry_on_intr};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};
use std::time::Duration;

/// Has the runner make it, and opens its namespaces. Returns them in the order in which they must be joined.
///
/// # Errors
///
/// See [`TrialError`].
pub(super) fn make_empty(trial: &Trial<'_>, is_root: bool) -> Result<Vec<OwnedFd>, TrialError> {
    let mut holder = trial.start(Command::new(trial.runner).arg("--hold-network").env_clear())?;
    let opened = open_namespaces(trial, &mut holder, is_root);
    // The namespaces outlive the holder, as long as they have a descriptor.
    drop(holder.stdin.take());
    // A holder that was silent until its timeout gets no more time.
    let time_max = if matches!(opened, Err(TrialError::Silent)) { Duration::ZERO } else { TRIAL_TIMEOUT };
    let ended = trial.end_of(holder, time_max)?;
    match opened {
        Err(error @ TrialError::NotItsOwn) => Err(error),
        _ if !ended.status.success() => Err(trial.failed(ended)),
        opened => opened,
    }
}

/// Opens the holder's namespaces, for every process that is started.
fn open_namespaces(trial: &Trial<'_>, holder: &mut Child, is_root: bool) -> Result<Vec<OwnedFd>, TrialError> {
    wait_for_ready(trial, holder)?;
    let names: &[&str] = if is_root { &["net"] } else { &["user", "net"] };
    names.iter().map(|name| open(holder.id(), name)).collect()
}

/// Waits until the holder reports that it has made them.
fn wait_for_ready(trial: &Trial<'_>, holder: &mut Child) -> Result<(), TrialError> {
    let Some(mut stdout) = holder.stdout.take() else { return Err(TrialError::Silent) };
    let time_max = Timespec { tv_sec: TRIAL_TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&time_max)));
    if ready.map_err(|error| TrialError::Io(error.into()))? == 0 {
        return Err(TrialError::Silent);
    }
    // In one piece, as it was written (pipe(7), PIPE_BUF).
    let mut line = [0; 16];
    let read = stdout.read(&mut line).map_err(TrialError::Io)?;
    if &line[..read] == NETWORK_MADE {
        Ok(())
    } else {
        Err(TrialError::NoAnswer { runner: trial.runner.to_owned() })
    }
}

fn open(holder: u32, name: &str) -> Result<OwnedFd, TrialError> {
    let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
    let open = |process: &str| File::open(format!("/proc/{process}/ns/{name}"));
    let theirs = open(&holder.to_string()).map_err(TrialError::Io)?;
    let ours = open("self").map_err(TrialError::Io)?;
    // A wrapper that started the runner as another process: what would be shared is the host's own network.
    if identity(&theirs).map_err(TrialError::Io)? == identity(&ours).map_err(TrialError::Io)? {
        return Err(TrialError::NotItsOwn);
    }
    // Inherited by every process that this one starts; the runner closes it before it loads a module.
    fcntl_setfd(&theirs, FdFlags::empty()).map_err(|error| TrialError::Io(error.into()))?;
    Ok(theirs.into())
}
