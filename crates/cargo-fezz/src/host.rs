//! A host of this machine's own, `hhrf`: it is started, told to reload and to end, and its log is read.

use crate::log_line::{LogLine, Names};
use crate::terminal;
use fezz_sandbox::runner::find_program;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

/// The host's name.
const PROGRAM: &str = "hhrf";

/// What happens to the host.
#[derive(Debug)]
pub(crate) enum HostEvent {
    /// It listens at this URL.
    Listening(String),
    /// It serves what was in the folder when it was told to reload. Reloads of its own accord may be of before.
    Loaded,
    /// It doesn't serve a release; the reason is printed.
    Refused,
    /// It is gone.
    Ended(ExitStatus),
}

/// There is no host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error(
        "hhrf isn't beside this program, nor on PATH: run `cargo install --path crates/hhrf` in a clone of Fezz, or name the \
         program by --hhrf"
    )]
    NotFound,
    #[error("failed to start the host `{}`", program.display())]
    NotStarted { program: PathBuf, source: io::Error },
}

/// A host that runs.
#[derive(Debug)]
pub(crate) struct Host {
    /// Can't be another process's, as a number could once the host has been reaped.
    process: OwnedFd,
    /// Nothing is written to it. The host ends when this end is closed: by the kernel, if this program is killed.
    _stdin: Option<ChildStdin>,
}

/// Finds the host: the program that is named, else as the other programs of Fezz are found.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, HostError> {
    named.map(Path::to_owned).or_else(|| find_program(PROGRAM)).ok_or(HostError::NotFound)
}

impl Host {
    /// Starts `program` with `arguments`. `tell` is called from other threads. The host's own errors and its functions' log
    /// are printed.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&std::ffi::OsStr],
        tell: impl Fn(HostEvent) + Clone + Send + 'static,
    ) -> Result<Self, HostError> {
        let not_started = |source| HostError::NotStarted { program: program.to_owned(), source };
        let mut command = Command::new(program);
        // In a process group of its own: otherwise a terminal's Ctrl-C would reach it, too, and end it out of turn.
        command.args(arguments).args(["--log-format", "json", "--end-with-stdin"]).process_group(0);
        let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(not_started)?;
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let process = process.map_err(|errno| {
            // Nothing has reaped it yet.
            child.kill().ok();
            not_started(errno.into())
        })?;
        let stdin = child.stdin.take();
        thread::spawn(move || wait(child, tell));
        Ok(Self { process, _stdin: stdin })
    }

    /// Has it look at its folder now.
    pub(crate) fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Has it finish the requests in flight and end; the second time, end at once.
    pub(crate) fn end(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        // It may have ended by itself, which is told by an event.
        pidfd_send_signal(&self.process, signal).ok();
    }
}

/// Reads the log to its end, which is that of the host: the jail keeps its stderr from functions.
fn wait(mut child: Child, tell: impl Fn(HostEvent)) {
    if let Some(log) = child.stderr.take() {
        read(log, &tell);
    }
    if let Ok(status) = child.wait() {
        tell(HostEvent::Ended(status));
    }
}

fn read(log: ChildStderr, tell: &impl Fn(HostEvent)) {
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        let text = String::from_utf8_lossy(&line);
        match LogLine::parse(&text) {
            Some(line) => take(&line, tell),
            // Before its log begins.
            None => terminal::foreign(text.trim_end()),
        }
        line.clear();
    }
}

/// Prints a line that its author should see, and tells of those that mean something here.
fn take(line: &LogLine, tell: &impl Fn(HostEvent)) {
    let message = line.message();
    if !line.function().is_empty() || line.is_warning() {
        terminal::line(&line.pretty(Names::Hidden));
    }
    if let Some(url) = message.strip_prefix("listening on ") {
        tell(HostEvent::Listening(url.to_owned()));
    } else if message.starts_with("serving ") && line.is_true("asked_for") {
        tell(HostEvent::Loaded);
    } else if message.starts_with("not served: ") || message.starts_with("reload failed") {
        tell(HostEvent::Refused);
    }
}
