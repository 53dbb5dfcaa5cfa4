//! The victim: an idle process of the host's user, the target of signals and debuggers.

use crate::children::Children;
use rustix::process::Pid;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// The hidden subcommand that makes this program a victim.
pub(super) const COMMAND: &str = "check-jail-victim";

/// A running victim. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Victim {
    child: Child,
    children: Arc<Children>,
}

/// The victim's process: it ends at the end of its stdin, and so with the check, however that ends.
pub fn live() {
    // An error ends it too.
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop).unwrap_or_default();
}

impl Victim {
    /// Starts one, registered as the host's child: the host would kill an unknown process as an orphan.
    ///
    /// # Errors
    ///
    /// This program can't be started.
    pub(super) fn start(children: &Arc<Children>) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = children.start(&mut command)?;
        Ok(Self { child, children: Arc::clone(children) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it died, if it did.
    pub(super) fn death(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // This fails only if the process is gone already.
        self.child.kill().ok();
        self.child.wait().ok();
        self.children.forget(Pid::from_child(&self.child));
    }
}
