//! A process of the host's user that does nothing: what signals and debuggers are aimed at.

use crate::children::Children;
use rustix::process::Pid;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// The hidden subcommand by which this program is a victim.
pub const COMMAND: &str = "check-jail-victim";

/// A running victim. Dropped, it is killed.
#[derive(Debug)]
pub struct Victim {
    child: Child,
    children: Arc<Children>,
}

/// The victim's whole life: it ends when its stdin does, and so with the check, however that ends.
pub fn live() {
    // Whether by an end or by an error, it is over.
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop).unwrap_or_default();
}

impl Victim {
    /// Starts one; among the host's own processes, lest it is taken for a stray.
    ///
    /// # Errors
    ///
    /// This program can't be started.
    pub fn start(children: &Arc<Children>) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = children.start(&mut command)?;
        Ok(Self { child, children: Arc::clone(children) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it died, if it did.
    pub fn death(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Fails only where it is gone.
        self.child.kill().ok();
        self.child.wait().ok();
        self.children.forget(Pid::from_child(&self.child));
    }
}
