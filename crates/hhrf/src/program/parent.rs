//! Ends the host with the program that has started it, however that program ends: only SIGKILL leaves it no time to end its
//! host, and the kernel closes its end of a pipe even then.

use rustix::process::{Signal, getpid, kill_process};
use std::io;
use std::thread;

/// Has the host end at the end of its stdin as it does at SIGTERM.
pub(crate) fn end_with_stdin() -> io::Result<()> {
    let wait = || {
        // An error ends it, too.
        io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
        kill_process(getpid(), Signal::TERM).ok();
    };
    thread::Builder::new().name("stdin".to_owned()).spawn(wait).map(drop)
}
