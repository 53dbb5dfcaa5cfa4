//! What a test's request is answered.

use crate::{Body, FezzResponse, Headers, IntoStatus};
use fezz_sandbox::Fault;
use fezz_wire::FezzWireResponse;
use serde::de::DeserializeOwned;
use std::fmt::{self, Display, Formatter};

/// A response, or the status by which a host answers for a function that failed.
///
/// Shown as text it is the status, the headers, an empty line, and the body or what failed.
#[derive(Debug, Clone)]
pub struct Answer {
    response: FezzResponse,
    failure: Option<Failed>,
    log: String,
}

#[derive(Debug, Clone)]
struct Failed {
    kind: &'static str,
    text: String,
}

impl Answer {
    pub(super) fn new(outcome: Result<FezzWireResponse<'_>, Fault>, log: &[u8]) -> Self {
        let log = String::from_utf8_lossy(log).into_owned();
        match outcome {
            Ok(wire) => {
                let response = wire.headers.iter().fold(
                    FezzResponse::new(wire.status).body(wire.body.to_vec()),
                    |response, (name, value)| response.added_header(name, value),
                );
                Self { response, failure: None, log }
            }
            Err(fault) => Self { log, ..Self::refused(fault.status(), fault.kind(), &fault.to_string()) },
        }
    }

    pub(super) fn refused(status: u16, kind: &'static str, text: &str) -> Self {
        let response = FezzResponse::new(status).header("fezz-error", kind);
        Self { response, failure: Some(Failed { kind, text: text.to_owned() }), log: String::new() }
    }

    pub(super) fn method_not_allowed(allowed: &[String]) -> Self {
        let text = "the function has no route of this path for this method";
        let mut answer = Self::refused(405, "method_not_allowed", text);
        answer.response = answer.response.header("allow", allowed.join(", "));
        answer
    }

    pub(super) fn without_body(mut self) -> Self {
        self.response = self.response.body(Body::default());
        self
    }

    /// The status that a client gets.
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// The first header of that name, in any case, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.get_header(name)
    }

    /// All headers of the function, in order, with duplicates.
    pub fn headers(&self) -> &Headers {
        self.response.header_list()
    }

    /// The body; empty where the function failed, for which a host writes one of its own.
    pub fn bytes(&self) -> &[u8] {
        self.response.bytes()
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// It isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        str::from_utf8(self.bytes()).expect("the body is UTF-8")
    }

    /// The body, read as JSON.
    ///
    /// # Panics
    ///
    /// It isn't JSON of that type; the message has the whole answer.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(self.bytes()) {
            Ok(value) => value,
            Err(error) => panic!("the body isn't JSON of this type: {error}\n\n{}", self.with_log()),
        }
    }

    /// The kind of failure, as the header `fezz-error` names it: `function_panicked`, `function_crashed`.
    pub fn kind(&self) -> Option<&'static str> {
        self.failure.as_ref().map(|failure| failure.kind)
    }

    /// What failed, as the host's log says it: the text of a panic or of a returned error.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.text.as_str())
    }

    /// What the function wrote to stderr and stdout. Empty for [`InProcess`](super::InProcess), whose output is the test's.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The same answer, if it has that status.
    ///
    /// # Panics
    ///
    /// It has another; the message has the whole answer and the log.
    #[track_caller]
    pub fn expect(self, status: impl IntoStatus) -> Self {
        let expected = status.into_status();
        let found = self.status();
        assert!(found == expected, "the status is {found}, not {expected}\n\n{}", self.with_log());
        self
    }

    fn with_log(&self) -> String {
        if self.log.is_empty() { self.to_string() } else { format!("{self}\n\nlog:\n{}", self.log) }
    }
}

impl Display for Answer {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "HTTP/1.1 {}", self.status())?;
        for (name, value) in self.headers().iter() {
            writeln!(formatter, "{name}: {}", String::from_utf8_lossy(value).escape_debug())?;
        }
        let body = String::from_utf8_lossy(self.bytes());
        write!(formatter, "\n{}", self.failure().unwrap_or(&body))
    }
}
