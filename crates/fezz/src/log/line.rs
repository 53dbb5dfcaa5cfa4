//! One event as a line.

use crate::{permission, problem};
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use tracing_core::field::{Field, Visit};

/// Begins the line: a record separator, as in a JSON text sequence (RFC 7464), which no text for people begins with.
const RECORD_SEPARATOR: u8 = 0x1e;

/// What the host takes as one line, its end included; also what a pipe takes in one piece (pipe(7), `PIPE_BUF`).
const LINE_BYTES_MAX: usize = 4096;

/// Room for what closes the line, and says that it was cut.
const END_BYTES: usize = 32;

/// What an event may use for one value at least, so that the message leaves some to the fields.
const VALUE_BYTES_MAX: usize = 2048;

/// `{"level":..,"target":..,"spans":[..],"fields":{..}}`, while it is written.
pub(super) struct Line {
    json: String,
    has_fields: bool,
    is_cut: bool,
}

impl Line {
    pub(super) fn new(level: &str, target: &str, spans: &[&str]) -> Self {
        let mut line =
            Self { json: format!(r#"{{"level":"{level}","target":"#), has_fields: false, is_cut: false };
        line.push_text(target, VALUE_BYTES_MAX / 4);
        if !spans.is_empty() {
            line.json += r#","spans":"#;
            line.push_text(&spans.join(":"), VALUE_BYTES_MAX / 4);
        }
        line.json += r#","fields":{"#;
        line
    }

    /// The bytes to write, with their line feed.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.json += if self.is_cut { "},\"cut\":true}\n" } else { "}}\n" };
        let mut bytes = vec![RECORD_SEPARATOR];
        bytes.extend_from_slice(self.json.as_bytes());
        bytes
    }

    /// A string of at most that many bytes; the rest is cut.
    fn push_text(&mut self, text: &str, bytes_max: usize) {
        let mut json = String::new();
        problem::push_string(&mut json, text);
        if json.len() > bytes_max {
            self.is_cut = true;
            // A character takes six bytes at most where it is escaped.
            let kept = text.floor_char_boundary(bytes_max.saturating_sub(2) / 6);
            json.clear();
            problem::push_string(&mut json, &text[..kept]);
        }
        self.json += &json;
    }

    /// The name of a field, if there is room for it and a value; that is returned.
    fn name(&mut self, field: &Field) -> Option<usize> {
        let name_bytes = field.name().len() + 4;
        let left = (LINE_BYTES_MAX - END_BYTES).saturating_sub(self.json.len() + name_bytes);
        if left < END_BYTES {
            self.is_cut = true;
            return None;
        }
        if self.has_fields {
            self.json.push(',');
        }
        self.has_fields = true;
        problem::push_string(&mut self.json, field.name());
        self.json.push(':');
        Some(left.min(VALUE_BYTES_MAX))
    }

    fn text(&mut self, field: &Field, text: &str) {
        if let Some(left) = self.name(field) {
            self.push_text(text, left);
        }
    }

    /// What is JSON as it is displayed.
    fn literal(&mut self, field: &Field, value: impl Display) {
        if self.name(field).is_some() {
            self.json += &value.to_string();
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // As an error is mostly logged: `%error`, or within the message.
        self.text(field, &permission::explained(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        self.text(field, &permission::explained(fezz_wire::chain(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.literal(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.literal(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.literal(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            // The other form of 1e300 has 301 digits.
            self.literal(field, format_args!("{value:e}"));
        } else {
            // JSON has no infinity.
            self.text(field, &value.to_string());
        }
    }
}
