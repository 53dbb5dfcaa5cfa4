//! A command while it runs.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Compiling on a machine that others use, too.
const DEADLINE: Duration = Duration::from_secs(120);

/// What `watch` needs to end its host, which waits for no request.
const TERMINATION: Duration = Duration::from_secs(10);

/// A command, and the lines that it has printed to stdout or stderr. It is ended with the test.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    /// Of each of them, whether no call has returned it.
    is_new: Vec<bool>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        Self { child, lines, seen: Vec::new(), is_new: Vec::new() }
    }

    /// A line with these words that no call has returned before. Lines of stdout and of stderr have no order.
    pub(crate) fn line(&mut self, words: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            let found =
                (0..self.seen.len()).find(|line| self.is_new[*line] && self.seen[*line].contains(words));
            if let Some(found) = found {
                self.is_new[found] = false;
                return self.seen[found].clone();
            }
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line =
                line.unwrap_or_else(|_| panic!("no line with `{words}` in:\n{}", self.seen.join("\n")));
            self.seen.push(line);
            self.is_new.push(true);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ends, and what it has printed.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + DEADLINE;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        (self.child.wait().unwrap().code(), self.seen.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // A signal that it handles: `watch` ends its host.
            self.signal(Signal::TERM);
            let end = Instant::now() + TERMINATION;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Waits for what `probe` finds.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        match probe() {
            Some(found) => return found,
            None => assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
