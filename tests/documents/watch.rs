//! `cargo fezz watch`, as a page has its reader start it.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// One that runs.
pub(super) struct Watch {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Watch {
    /// Starts it, and waits until it serves.
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| {
            eprintln!("watch: {line}");
            let (_, rest) = line.split_once("Serving ")?;
            rest.split_once("http://")?.1.split(' ').next()?.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(|line| eprintln!("watch: {line}")));
        Self { child, address: address.expect("watch serves the function") }
    }

    /// Ends it, as Ctrl-C does.
    pub(super) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
