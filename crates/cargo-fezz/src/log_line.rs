//! A line of a host's JSON log (`hhrf --log-format json`), and how a person reads it.

use crate::terminal::{GREEN, RED, YELLOW, escaped};
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};
use std::fmt::Write;

/// A line that is a JSON object.
#[derive(Debug)]
pub(crate) struct LogLine(Map<String, Value>);

/// Whether a line names its function: where there is only one, it need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Shown,
    Hidden,
}

/// What a line is.
enum Kind {
    /// A line that the function wrote.
    Text,
    /// An event of the function's.
    Event,
    /// The end of a request.
    Request,
    /// The host's own.
    Host,
}

const DIM: Style = Style::new().dimmed();
const BLUE: Style = AnsiColor::Blue.on_default();

/// The fields that have a place of their own in the line.
const PLACED: [&str; 7] = ["timestamp", "level", "message", "function", "request_id", "target", "kind"];

/// As many characters tell one request from another on a screen.
const ID_CHARS: usize = 8;

impl LogLine {
    /// `None` if the text is no JSON object.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a field is `true`.
    pub(crate) fn is_true(&self, field: &str) -> bool {
        self.0.get(field) == Some(&Value::Bool(true))
    }

    /// What the host says.
    pub(crate) fn message(&self) -> &str {
        self.text("message")
    }

    /// `<id>@<version>`, or empty.
    pub(crate) fn function(&self) -> &str {
        self.text("function")
    }

    pub(crate) fn request_id(&self) -> &str {
        self.text("request_id")
    }

    /// Whether the host itself warns.
    pub(crate) fn is_warning(&self) -> bool {
        matches!(self.text("level"), "WARN" | "ERROR")
    }

    /// Whether it tells of an error: the host's, a function's event, or a response of the status 500 or above.
    pub(crate) fn is_error(&self) -> bool {
        let is_failure = self.0.get("status").and_then(Value::as_u64).is_some_and(|status| status >= 500);
        self.is_warning() || is_failure || self.text("event_level") == "ERROR"
    }

    fn kind(&self) -> Kind {
        match self.message() {
            "stderr" if self.0.contains_key("line") => Kind::Text,
            "event" if self.0.contains_key("event_level") => Kind::Event,
            "request" if self.0.contains_key("method") => Kind::Request,
            _ => Kind::Host,
        }
    }

    /// In colours: time (UTC), level, function, the beginning of the request's id, and what it says. No character in it
    /// changes a terminal.
    pub(crate) fn pretty(&self, names: Names) -> String {
        let time = escaped(self.text("timestamp").get(11..23).unwrap_or_default());
        let (level, text) = match self.kind() {
            Kind::Text => ("LOG", escaped(self.text("line"))),
            Kind::Event => (self.text("event_level"), self.event()),
            Kind::Request => (self.text("level"), self.request()),
            Kind::Host => {
                let fields = fields(self.0.iter().filter(|(name, _)| !PLACED.contains(&name.as_str())));
                (self.text("level"), escaped(self.message()) + &fields)
            }
        };
        let style = style(level);
        let level = escaped(level);
        let mut line = format!("{DIM}{time:<12}{DIM:#} {style}{level:>5}{style:#} ");
        if names == Names::Shown && !self.function().is_empty() {
            line.push_str(&format!("{} ", escaped(self.function())));
        }
        let id: String = self.request_id().chars().take(ID_CHARS).collect();
        line.push_str(&format!("{DIM}{:<ID_CHARS$}{DIM:#} {text}", escaped(&id)));
        line
    }

    /// The spans, the target, the text, the fields.
    fn event(&self) -> String {
        let other = serde_json::from_str(self.text("fields")).unwrap_or_default();
        let other: Map<String, Value> = other;
        let mut text = String::new();
        for name in ["event_spans", "event_target"] {
            if !self.text(name).is_empty() {
                let _ = write!(text, "{}: ", escaped(self.text(name)));
            }
        }
        text + &escaped(self.text("line")) + &fields(other.iter())
    }

    fn request(&self) -> String {
        let status = self.0.get("status").and_then(Value::as_u64).unwrap_or_default();
        let milliseconds = self.0.get("duration_us").and_then(Value::as_f64).unwrap_or_default() / 1000.0;
        let mut text = format!("{} {} {status}", escaped(self.text("method")), escaped(self.text("path")));
        if !self.text("kind").is_empty() {
            let _ = write!(text, " {}", escaped(self.text("kind")));
        }
        let _ = write!(text, " in {milliseconds:.1} ms");
        if !self.text("error").is_empty() {
            let _ = write!(text, ": {}", escaped(self.text("error")));
        }
        text
    }
}

/// An event as a function writes it to its stderr (docs/wire.md), for a person; `None` for another line.
pub(crate) fn event(line: &str) -> Option<String> {
    /// A record separator (RFC 7464).
    const BEGIN: char = '\u{1e}';
    let event = LogLine::parse(line.strip_prefix(BEGIN)?)?;
    let fields = event.0.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
    let message = fields.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    let other: Map<String, Value> = fields.into_iter().filter(|(name, _)| name != "message").collect();
    let line = serde_json::json!({
        "event_level": event.text("level"), "event_target": event.text("target"), "event_spans": event.text("spans"),
        "line": message, "fields": Value::Object(other).to_string(),
    });
    let level = event.text("level");
    let style = style(level);
    let Value::Object(line) = line else { return None };
    Some(format!("{style}{:>5}{style:#} {}", escaped(level), LogLine(line).event()))
}

fn style(level: &str) -> Style {
    match level {
        "ERROR" => RED,
        "WARN" => YELLOW,
        "INFO" => GREEN,
        "DEBUG" => BLUE,
        _ => DIM,
    }
}

fn fields<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let value = match value {
            Value::String(value) if !value.contains([' ', '"', '=']) => escaped(value),
            value => escaped(&value.to_string()),
        };
        let _ = write!(text, " {DIM}{}={DIM:#}{value}", escaped(name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(json: &str) -> String {
        let line = LogLine::parse(json).unwrap().pretty(Names::Hidden);
        anstream::adapter::strip_str(&line).to_string()
    }

    #[test]
    fn each_kind_of_line_is_shown_with_what_it_tells() {
        let check = |json: &str, expected: &str| {
            let head =
                r#"{"timestamp":"2026-01-02T03:04:05.678901Z","function":"f@v1","request_id":"0123456789","#;
            assert_eq!(pretty(&format!("{head}{json}")), format!("03:04:05.678 {expected}"));
        };
        check(r#""level":"INFO","message":"stderr","line":"a line"}"#, "  LOG 01234567 a line");
        check(
            r#""level":"INFO","message":"event","event_level":"WARN","event_target":"db","line":"slow","fields":"{\"ms\":7}"}"#,
            " WARN 01234567 db: slow ms=7",
        );
        check(
            r#""level":"INFO","message":"request","method":"GET","path":"/f","status":200,"duration_us":1234}"#,
            " INFO 01234567 GET /f 200 in 1.2 ms",
        );
        check(
            r#""level":"WARN","message":"request","method":"GET","path":"/f","status":500,"kind":"function_panicked","error":"panicked: no","duration_us":1}"#,
            " WARN 01234567 GET /f 500 function_panicked in 0.0 ms: panicked: no",
        );
        check(
            r#""level":"ERROR","message":"module failed","attempt":3,"why":"a b"}"#,
            r#"ERROR 01234567 module failed attempt=3 why="a b""#,
        );
    }

    #[test]
    fn an_event_of_a_function_is_shown_as_in_the_host_s_log() {
        let line =
            "\u{1e}{\"level\":\"WARN\",\"target\":\"db\",\"fields\":{\"message\":\"slow\",\"ms\":7}}\n";
        assert_eq!(anstream::adapter::strip_str(&event(line).unwrap()).to_string(), " WARN db: slow ms=7");
        assert!(event("{}").is_none() && event("\u{1e}x").is_none());
    }

    #[test]
    fn no_line_acts_upon_the_terminal() {
        let shown = pretty("{\"message\":\"stderr\",\"line\":\"\\u001b[2J\\u202e\",\"level\":\"\\u0007\"}");
        let time = pretty("{\"timestamp\":\"2026-01-02T\\u001b[2J89012345678\"}");
        assert!(time.starts_with("\\u{1b}[2J"), "{time}");
        assert!(shown.ends_with("\\u{1b}[2J\\u{202e}"), "{shown}");
        assert!(LogLine::parse("plain").is_none() && LogLine::parse("[1]").is_none());
    }

    #[test]
    fn errors_are_warnings_of_the_host_failures_and_events_of_that_level() {
        let check = |json: &str, expected: bool| {
            assert_eq!(LogLine::parse(json).unwrap().is_error(), expected, "{json}");
        };
        check(r#"{"level":"INFO","message":"request","status":499}"#, false);
        check(r#"{"level":"INFO","message":"request","status":503}"#, true);
        check(r#"{"level":"INFO","message":"event","event_level":"WARN"}"#, false);
        check(r#"{"level":"INFO","message":"event","event_level":"ERROR"}"#, true);
        check(r#"{"level":"ERROR","message":"not served"}"#, true);
    }
}
