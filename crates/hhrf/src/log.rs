//! The log: each event is one line or one JSON object, on stderr or in memory.

#[cfg(feature = "program")]
use crate::log_batches::Batches;
#[cfg(feature = "program")]
use crate::settings::LogFormat;
#[cfg(feature = "program")]
use serde_json::Value;
#[cfg(feature = "program")]
use std::io;
#[cfg(feature = "program")]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "program")]
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

#[cfg(feature = "program")]
/// Lines that wait to be written: at some KiB each, as much memory as a busy host can spare when the log's reader has
/// stopped.
const LINES_WAITING_MAX: usize = 4096;

#[cfg(feature = "program")]
/// Starts logging for the whole process. A separate thread writes the log: if stderr is slower than the host, events
/// are dropped and no request is delayed. Dropping the guard writes the remaining lines.
pub fn start(format: LogFormat) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_WAITING_MAX)
        .finish(Batches::new(std::io::stderr()));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_writer(writer).with_target(false).with_ansi(is_terminal);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    guard
}

#[cfg(feature = "program")]
/// Logs for the whole process into memory, for programs that embed a host and read its log. It grows until
/// `CollectedLog::clear`.
pub fn collect() -> CollectedLog {
    let log = CollectedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true);
    subscriber.with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).init();
    log
}

#[cfg(feature = "program")]
/// The field of an event that has the id of a process that serves request after request.
const REWOUND_PROCESS: &str = "process";

#[cfg(feature = "program")]
/// The events that a host has logged, a JSON object each.
#[derive(Debug, Clone, Default)]
pub struct CollectedLog(Arc<Mutex<Vec<Value>>>);

#[cfg(feature = "program")]
impl CollectedLog {
    pub(crate) fn clear(&self) {
        self.events().clear();
    }

    /// Why requests had no response of their function.
    pub(crate) fn problem(&self) -> String {
        self.texts("error").join("; ")
    }

    /// The same, with reasons, and what functions and runners wrote to stderr.
    pub(crate) fn words(&self) -> String {
        ["error", "reason", "line"].map(|field| self.texts(field)).concat().join("; ")
    }

    /// The id of the process that served the last request, if it was one that serves request after request.
    pub(crate) fn rewound_process(&self) -> Option<u64> {
        self.events().iter().rev().find_map(|event| event[REWOUND_PROCESS].as_u64())
    }

    /// How many bytes of functions' stderr were logged.
    pub(crate) fn stderr_bytes(&self) -> usize {
        self.texts("line").iter().map(String::len).sum()
    }

    fn texts(&self, field: &str) -> Vec<String> {
        self.events().iter().filter_map(|event| Some(event[field].as_str()?.to_owned())).collect()
    }

    fn events(&self) -> MutexGuard<'_, Vec<Value>> {
        // Nothing that is done under the lock can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "program")]
impl io::Write for CollectedLog {
    /// Takes an event, which the subscriber writes whole; of those for debugging only the processes' ids.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let event_of = serde_json::from_slice::<Value>(event).ok();
        let is_wanted = |event: &Value| event["level"] != "DEBUG" || event.get(REWOUND_PROCESS).is_some();
        self.events().extend(event_of.filter(is_wanted));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub use fezz_wire::chain;

/// The most of a text from outside that is shown: a path, a reason, a name. Longer ones may be attempts to fill the
/// log.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// Text from outside, made safe to show: characters that a terminal or an editor would act upon are escaped, and long
/// texts are cut.
pub(crate) fn harmless(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let text = String::from_utf8_lossy(shown);
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => safe.push(char),
            _ if char.is_control() || is_format_control(char) => safe.extend(char.escape_default()),
            _ => safe.push(char),
        }
    }
    if shown.len() < bytes.len() {
        safe.push_str(&format!(" ... ({} bytes in all)", bytes.len()));
    }
    safe
}

/// Line and paragraph separators, and what changes the direction of the text around it (Unicode, annex 9).
fn is_format_control(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_other_text_is_left() {
        assert_eq!(harmless("plain \t caf\u{e9}".as_bytes()), "plain \t caf\u{e9}");
        assert_eq!(harmless(b"\x1b[31m\r\n"), "\\u{1b}[31m\\r\\n");
        assert_eq!(harmless("a\u{202e}b\u{2028}".as_bytes()), "a\\u{202e}b\\u{2028}");
        let long = harmless(&[b'x'; 10_000]);
        assert!(long.len() < 5000 && long.ends_with("(10000 bytes in all)"));
    }
}
