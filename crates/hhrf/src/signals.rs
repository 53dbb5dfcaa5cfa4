//! The signals that stop and reload the host. A program that embeds it may use them, or its own.

use crate::host::Host;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT. Once the first of these streams exists, a signal is lost unless a stream receives it.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

/// Signals within this time of the first count as one. timeout(1) sends two in a row, one to its child and one to the
/// process group that both are in, and the second may arrive late on a busy machine. An operator who wants to force the
/// end has waited longer by then.
const SAME_REQUEST: Duration = Duration::from_secs(1);

impl Stop {
    /// Begins to receive them.
    ///
    /// # Errors
    ///
    /// The system refuses it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for a signal that comes so long after the first that it counts as a second one.
    pub async fn asked_again(&mut self) {
        self.asked().await;
        let first = Instant::now();
        while first.elapsed() < SAME_REQUEST {
            self.asked().await;
        }
    }
}

/// Has `host` reload for each SIGHUP that `hangup` receives.
pub fn reload_on(mut hangup: Signal, host: Arc<Host>) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            host.ask_for_reload();
        }
    });
}
