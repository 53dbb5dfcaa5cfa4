//! What is between the log's thread and stderr: writes all lines that have come together by one call.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

/// Collects lines. The log's thread flushes it whenever no further line waits.
#[derive(Debug)]
pub(crate) struct Batches<W> {
    log: W,
    lines: Vec<u8>,
}

/// The pause after each write, in which lines come together. Without it a busy host writes each line by a call of its own,
/// and each request wakes the log's thread: together a fifth of the time that a small request takes. In a millisecond a
/// processor makes about 1000 lines, of the 4096 that may wait.
const PAUSE: Duration = Duration::from_millis(1);

/// Larger batches make no difference in time, only in memory.
const BATCH_BYTES_MAX: usize = 64 * 1024;

impl<W: Write> Batches<W> {
    /// Writes to `log`.
    pub(crate) fn new(log: W) -> Self {
        Self { log, lines: Vec::new() }
    }

    fn write_lines(&mut self) -> io::Result<()> {
        let written = self.log.write_all(&self.lines).and_then(|()| self.log.flush());
        // What can't be written is lost, as a single line would be.
        self.lines.clear();
        written
    }
}

impl<W: Write> Write for Batches<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.extend_from_slice(line);
        if self.lines.len() >= BATCH_BYTES_MAX {
            self.write_lines()?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let written = self.write_lines();
        thread::sleep(PAUSE);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;
    use tracing_appender::non_blocking::NonBlockingBuilder;

    /// The calls that it got.
    #[derive(Debug, Clone, Default)]
    struct Calls(Arc<Mutex<Vec<String>>>);

    impl Write for Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_come_together_are_written_by_one_call() {
        let calls = Calls::default();
        let mut batches = Batches::new(calls.clone());
        for line in ["a\n", "b\n", "c\n"] {
            batches.write_all(line.as_bytes()).unwrap();
        }
        batches.flush().unwrap();
        batches.flush().unwrap();
        assert_eq!(*calls.0.lock().unwrap(), ["a\nb\nc\n"]);
    }

    #[test]
    fn a_batch_has_a_largest_size() {
        let calls = Calls::default();
        let mut batches = Batches::new(calls.clone());
        let line = "x".repeat(BATCH_BYTES_MAX / 4);
        for _ in 0..8 {
            batches.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(calls.0.lock().unwrap().len(), 2);
    }

    #[test]
    fn no_line_is_lost_at_the_end_and_a_single_one_is_written_at_once() {
        let calls = Calls::default();
        let builder = NonBlockingBuilder::default().lossy(true);
        let (mut log, guard) = builder.finish(Batches::new(calls.clone()));
        log.write_all(b"0\n").unwrap();
        let begun = Instant::now();
        while calls.0.lock().unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            thread::yield_now();
        }
        for number in 1..1000 {
            log.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(guard);
        let all: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(calls.0.lock().unwrap().concat(), all);
    }
}
