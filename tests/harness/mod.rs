//! A host in a folder of its own, a client, and a look at the processes behind it.

mod client;
mod frames;
mod host;
mod machine;
mod processes;
mod site;

pub(crate) use client::{Answer, Client, Connection, connect, exchange, many};
pub(crate) use frames::{Frames, StreamEnd, http_2};
pub(crate) use host::{Host, is_root};
pub(crate) use machine::alone;
pub(crate) use processes::{
    Census, forked, inside, of_requests, resident_kib, sockets_of, started_ahead, zombies, zygotes,
};
pub(crate) use site::{AUTHOR, HARMFUL, ORDINARY, ORDINARY_C, Site, TAKEOVER, binary};

use std::time::{Duration, Instant};

/// Says that a test can't be run here, and why; in CI that is a failure, lest nobody notices.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {why}");
    eprintln!("skipped: {why}");
}

/// Whatever a test waits for comes well within this, or not at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again until `probe` finds something; fails by `what` when it doesn't within [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(2);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = probe() {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("{what} didn't happen within {PATIENCE:?}");
}
