//! What `invoke` reports: a response or a fault, for a person or for a script.

use crate::terminal::{escaped, escaped_lines};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fezz_sandbox::Fault;
use fezz_wire::FezzWireResponse;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// What a script reads.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// `null` if there is no response.
    status: Option<u16>,
    headers: Vec<(&'a str, String)>,
    /// A body that is text.
    body: Option<&'a str>,
    /// Any other body.
    body_base64: Option<String>,
    /// What the function wrote to stdout and stderr.
    log: &'a str,
    failure: Option<Failure>,
}

/// Why there is no response.
#[derive(Debug, Serialize)]
struct Failure {
    /// As a host would call it: docs/errors.md.
    kind: &'static str,
    message: String,
}

impl<'a> Report<'a> {
    /// Of a response, or of the reason why there is none.
    pub(crate) fn of(outcome: &'a Result<FezzWireResponse<'a>, Fault>, log: &'a str) -> Self {
        match outcome {
            Ok(response) => {
                let text = std::str::from_utf8(response.body).ok();
                let headers = response.headers.iter();
                Self {
                    status: Some(response.status),
                    headers: headers.map(|(name, value)| (*name, shown(value))).collect(),
                    body: text,
                    body_base64: text.is_none().then(|| STANDARD.encode(response.body)),
                    log,
                    failure: None,
                }
            }
            Err(fault) => {
                let failure = Failure { kind: fault.kind(), message: fault.to_string() };
                let (status, headers, body, body_base64) = (None, Vec::new(), None, None);
                Self { status, headers, body, body_base64, log, failure: Some(failure) }
            }
        }
    }
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// In the form of HTTP/1.1, but headers with any bytes; or the body alone.
pub(crate) fn print(response: &FezzWireResponse<'_>, is_body_alone: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if !is_body_alone {
        writeln!(stdout, "HTTP/1.1 {}", response.status)?;
        for (name, value) in &response.headers {
            writeln!(stdout, "{}: {}", escaped(name), escaped(&String::from_utf8_lossy(value)))?;
        }
        writeln!(stdout)?;
    }
    let is_for_a_person = !is_body_alone && stdout.is_terminal();
    stdout.write_all(&if is_for_a_person { for_a_person(response.body) } else { response.body.into() })?;
    stdout.flush()
}

/// The body as a terminal may get it: nothing in it acts upon the terminal, and the shell's prompt stands on a line of its
/// own.
fn for_a_person(body: &[u8]) -> Cow<'_, [u8]> {
    let mut text = escaped_lines(&String::from_utf8_lossy(body));
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_whole_lines_without_control_characters() {
        let check = |body: &[u8], expected: &str| {
            assert_eq!(String::from_utf8_lossy(&for_a_person(body)), expected);
        };
        check(b"", "");
        check(b"hello", "hello\n");
        check(b"a\r\nb\n", "a\nb\n");
        check(b"\x1b[2J\xc2\x9b\xff", "\\u{1b}[2J\\u{9b}\u{fffd}\n");
    }
}
