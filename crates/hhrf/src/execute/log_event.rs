//! An event in a function's log: a line of stderr with a level, a target and fields, as docs/wire.md defines it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What an event says.
#[derive(Debug, Deserialize)]
pub(super) struct LogEvent {
    /// `ERROR` to `TRACE`.
    pub(super) level: String,
    /// The part of the program.
    pub(super) target: String,
    /// The names of its spans, the outermost first.
    pub(super) spans: Option<String>,
    /// What it tells.
    fields: Map<String, Value>,
    /// Whether the function cut the line.
    #[serde(default)]
    cut: bool,
}

/// The first byte of an event's line: a record separator (RFC 7464).
const BEGIN: u8 = 0x1e;

/// The field that has the text of an event.
const MESSAGE: &str = "message";

impl LogEvent {
    /// The event in a line; `None` if it is an ordinary line.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let (first, json) = line.split_first()?;
        if *first != BEGIN {
            return None;
        }
        serde_json::from_slice(json).ok()
    }

    /// Its text.
    pub(super) fn message(&self) -> &str {
        self.fields.get(MESSAGE).and_then(Value::as_str).unwrap_or_default()
    }

    /// The other fields, as a JSON object; `None` if there are none.
    pub(super) fn other_fields(mut self) -> Option<String> {
        self.fields.remove(MESSAGE);
        if self.cut {
            self.fields.insert("cut".to_owned(), true.into());
        }
        (!self.fields.is_empty()).then(|| Value::Object(self.fields).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_an_event_is_an_ordinary_line() {
        let event = r#"{"level":"WARN","target":"db","fields":{"message":"slow","ms":7}}"#;
        let parsed = LogEvent::of(format!("\x1e{event}").as_bytes()).unwrap();
        assert_eq!((parsed.message(), parsed.level.as_str(), parsed.target.as_str()), ("slow", "WARN", "db"));
        assert_eq!(parsed.other_fields().as_deref(), Some(r#"{"ms":7}"#));
        for line in [event, "\x1e", "\x1e{}", "\x1e[1]", ""] {
            assert!(LogEvent::of(line.as_bytes()).is_none(), "{line:?}");
        }
    }
}
