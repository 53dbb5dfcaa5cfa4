//! What it takes to start a runner, whatever for.

use super::command::{Purpose, command};
use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::children::Children;
use crate::jail::{Jail, JailMode};
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// Starts runners: what all of a host's have in common.
#[derive(Debug)]
pub struct Starter {
    /// The runner, or its wrapper.
    pub runner: PathBuf,
    /// What one request's function may write into the log.
    pub stderr_bytes_max: usize,
    /// Those who are started.
    pub children: Arc<Children>,
    /// What confines them.
    pub jail: Jail,
}

impl Starter {
    /// A runner's command, and the cgroup that it goes into, if there are any.
    ///
    /// # Errors
    ///
    /// The cgroup can't be made: the runner must not be started.
    pub fn command(&self, function: &Function, purpose: Purpose) -> io::Result<(Command, Option<Cgroup>)> {
        let limits = &function.release.limits;
        let (requests, waiting) = match purpose {
            Purpose::Request { .. } | Purpose::Prewarm { .. } => (1, 0),
            Purpose::Zygote { children } => (limits.concurrency.into(), children),
        };
        let cgroup = self.jail.cgroup(limits, requests, waiting).map_err(|error| {
            io::Error::new(error.kind(), format!("its cgroup can't be made (--cgroup): {error}"))
        })?;
        let command = command(&self.runner, &self.jail, cgroup.as_ref(), function, purpose);
        Ok((command, cgroup))
    }

    /// Tells of processes that a request, or nobody knows which, has left behind. Not of what a strict jail consists
    /// of, whose own end takes a moment once its supervisor is killed; nothing else can be left of it.
    pub fn log_orphans(&self, processes: usize, function: Option<&Function>, request_id: Option<&str>) {
        if processes > 0 && self.jail.mode() != JailMode::Strict {
            tracing::warn!(
                function = function.map(Function::name),
                request_id,
                processes,
                "processes that functions left behind are killed"
            );
        }
    }
}
