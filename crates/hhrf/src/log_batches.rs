//! What is between the log's events and stderr: lines come together in memory, and a thread writes all of them by one call.
//!
//! An event copies its line into a buffer and goes on. A channel, with a text of its own for each line, took twice the
//! time. If the log's reader is slower than the host, lines are dropped, and no request is delayed.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that wait to be written, or are being written: at some KiB each, as much memory as a busy host can spare when
/// the log's reader has stopped.
const LINES_MAX: usize = 4096;

/// The pause after each write, in which lines come together. Without it a busy host writes each line by a call of its own,
/// and each request wakes the log's thread: together a fifth of the time that a small request takes. In a millisecond a
/// processor makes about 1000 lines.
const PAUSE: Duration = Duration::from_millis(1);

/// What a buffer keeps of its memory when it has been written: a busy host's lines of two pauses.
const KEPT_BYTES: usize = 256 * 1024;

/// How long the end of the host waits for a reader that has stopped.
const END_WAIT_MAX: Duration = Duration::from_secs(1);

/// Takes lines. Its clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Batches(Arc<Shared>);

/// Dropping it writes the lines that still wait.
#[derive(Debug)]
pub struct LogGuard(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells the thread that a line came, or that it is to end.
    came: Condvar,
    /// Tells the guard that the thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: Vec<u8>,
    /// The lines of `text`, and those that are being written.
    lines: usize,
    /// Whether the thread waits for a line.
    is_idle: bool,
    /// Whether the thread is to end, and whether it has.
    is_ending: bool,
    has_ended: bool,
}

impl Batches {
    /// Writes to `log`, until the guard is dropped.
    pub(crate) fn start(log: impl Write + Send + 'static) -> (Self, LogGuard) {
        let shared = Arc::new(Shared::default());
        let (batches, guard) = (Self(Arc::clone(&shared)), LogGuard(Arc::clone(&shared)));
        let thread = thread::Builder::new().name("hhrf-log".to_owned());
        thread.spawn(move || shared.write_to(log)).expect("a host without threads can't serve");
        (batches, guard)
    }
}

impl Write for Batches {
    /// Takes a line, which the subscriber writes whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.lines < LINES_MAX {
            state.lines += 1;
            state.text.extend_from_slice(line);
            let is_idle = std::mem::take(&mut state.is_idle);
            drop(state);
            if is_idle {
                self.0.came.notify_one();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_ending = true;
        self.0.came.notify_one();
        drop(self.0.ended.wait_timeout_while(state, END_WAIT_MAX, |state| !state.has_ended));
    }
}

impl Shared {
    fn write_to(&self, mut log: impl Write) {
        let mut batch = Vec::new();
        while let Some(lines) = self.next(&mut batch) {
            // What can't be written is lost, as a single line would be.
            log.write_all(&batch).and_then(|()| log.flush()).unwrap_or_default();
            batch.clear();
            batch.shrink_to(KEPT_BYTES);
            let mut state = self.lock();
            state.lines -= lines;
            drop(self.came.wait_timeout_while(state, PAUSE, |state| !state.is_ending));
        }
        self.lock().has_ended = true;
        self.ended.notify_one();
    }

    /// Waits for lines, and moves all of them to `batch`, which is empty; `None` at the end.
    fn next(&self, batch: &mut Vec<u8>) -> Option<usize> {
        let mut state = self.lock();
        state.is_idle = state.text.is_empty();
        let must_wait = |state: &mut State| state.text.is_empty() && !state.is_ending;
        let mut state = self.came.wait_while(state, must_wait).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(batch, &mut state.text);
        (!batch.is_empty()).then_some(state.lines)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    /// The calls that it got. Each waits until the test takes it.
    struct Calls {
        texts: Sender<String>,
        go_on: Receiver<()>,
    }

    impl Write for Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.texts.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            self.go_on.recv().unwrap_or_default();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn calls() -> (Calls, Receiver<String>, Sender<()>) {
        let ((texts, written), (next, go_on)) = (channel(), channel());
        (Calls { texts, go_on }, written, next)
    }

    #[test]
    fn a_single_line_is_written_at_once_and_those_that_come_meanwhile_by_one_call() {
        let (calls, written, next) = calls();
        let (mut log, _guard) = Batches::start(calls);
        log.write_all(b"0\n").unwrap();
        assert_eq!(written.recv_timeout(Duration::from_secs(10)).unwrap(), "0\n");
        for line in ["a\n", "b\n", "c\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        next.send(()).unwrap();
        assert_eq!(written.recv_timeout(Duration::from_secs(10)).unwrap(), "a\nb\nc\n");
        drop(next);
    }

    #[test]
    fn lines_that_a_reader_does_not_take_are_dropped_and_no_writer_waits() {
        let (calls, written, next) = calls();
        let (mut log, guard) = Batches::start(calls);
        log.write_all(b"first\n").unwrap();
        written.recv().unwrap();
        for _ in 0..3 * LINES_MAX {
            log.write_all(b"x\n").unwrap();
        }
        drop(next);
        assert_eq!(written.recv().unwrap().len(), (LINES_MAX - 1) * "x\n".len());
        log.write_all(b"after\n").unwrap();
        drop(guard);
        assert_eq!(written.recv().unwrap(), "after\n");
    }

    #[test]
    fn no_line_is_lost_at_the_end() {
        let (calls, written, next) = calls();
        drop(next);
        let (mut log, guard) = Batches::start(calls);
        for number in 0..1000 {
            log.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(guard);
        let all: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(written.try_iter().collect::<String>(), all);
    }

    #[test]
    fn the_end_waits_for_a_reader_that_has_stopped_only_for_a_while() {
        let (calls, _written, _next) = calls();
        let (mut log, guard) = Batches::start(calls);
        log.write_all(b"0\n").unwrap();
        let begun = Instant::now();
        drop(guard);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
