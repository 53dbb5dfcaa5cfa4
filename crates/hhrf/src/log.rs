//! The log: one line, or one JSON object, an event, on stderr.

use crate::settings::LogFormat;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

/// Starts logging for the whole process. What is logged is written by a thread of its own: when stderr is slower than
/// the host, events are dropped rather than requests delayed. Dropping the guard writes what is left.
pub fn start(format: LogFormat) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(std::io::stderr());
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_writer(writer).with_target(false).with_ansi(is_terminal);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    guard
}

/// An error with its causes, as one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// Text from a function, safe to show: whatever a terminal would act upon is escaped.
pub fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.chars().any(char::is_control) {
        return text.into_owned();
    }
    let escape = |char: char| match char {
        '\t' => "\t".to_owned(),
        char if char.is_control() => char.escape_default().to_string(),
        char => char.to_string(),
    };
    text.chars().map(escape).collect()
}
