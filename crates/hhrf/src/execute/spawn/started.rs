//! A runner for one request, with its pipes and cgroup.

use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::execute::command::Purpose;
use crate::execute::process::{Process, Streams};
use crate::execute::start::Starter;
use std::io;

/// A runner that has been started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) streams: Streams,
    pub(super) cgroup: Option<Cgroup>,
}

impl Started {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Those of pipe(2) and of the exec; or its cgroup can't be made.
    pub(super) fn start(starter: &Starter, function: &Function, purpose: Purpose) -> io::Result<Self> {
        let (mut command, cgroup) = starter.command(function, purpose)?;
        let streams = Streams::of(&mut command)?;
        let process = Process::start(&starter.children, command)?;
        Ok(Self { process, streams, cgroup })
    }
}
