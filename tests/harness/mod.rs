//! A host in a temporary folder, clients, and a scan of the host's processes.

mod certificates;
mod client;
mod container;
mod databases;
mod envoy;
mod example;
mod frames;
mod host;
mod http2;
mod machine;
mod processes;
mod site;
mod worker;

pub(crate) use certificates::Certificates;
pub(crate) use client::{Answer, Client, Connection, connect, connect_from, exchange, many};
pub(crate) use container::{User, folder_of, in_container};
pub(crate) use databases::Database;
pub(crate) use envoy::{Envoy, envoy_program};
pub(crate) use example::Example;
pub(crate) use frames::{Frames, StreamEnd, http_2};
pub(crate) use host::{Host, is_root};
pub(crate) use http2::{Http2, StreamOutcome};
pub(crate) use machine::alone;
pub(crate) use processes::{
    Leftovers, forked, inside, of_requests, peak_kib, prewarmed_processes, resident_kib, sockets_of, zombies,
    zygotes,
};
pub(crate) use site::{AUTHOR, HARMFUL, ORDINARY, ORDINARY_C, OVERFLOW, Site, TAKEOVER, binary};
pub(crate) use worker::{WorkerProcess, request, request_in_json};

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Prints that a test can't run here, and why. In CI that is a failure, so that a skip is noticed.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {why}");
    eprintln!("skipped: {why}");
}

/// The path of a program on PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let file =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())?;
    // Canonical, since entries of PATH may be relative or links and the caller may change the folder.
    std::fs::canonicalize(file).ok()
}

/// The deadline of every wait: longer than any event takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until `probe` returns something; panics with `what` after [`PATIENCE`].
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
