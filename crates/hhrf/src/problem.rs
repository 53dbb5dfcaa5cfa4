//! The response when a function gives none: the only place where causes become statuses.

use crate::execute::Failure;
use crate::execute::load::LoadFailure;
use crate::execute::worker::WorkerFailure;
use crate::identity::Identity;
use crate::refusal::Refusal;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use std::time::Instant;

/// Has the kind of every problem; a function can't set it.
pub(crate) const FEZZ_ERROR: HeaderName = HeaderName::from_static("fezz-error");

/// When to retry if load is the only reason, in seconds.
const RETRY_AFTER_S: &str = "1";

/// Why the client gets no response from a function.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The host refused the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The function broke, or never ran.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// What the client gets: never the function's own text, which is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The HTTP status.
    pub status: StatusCode,
    /// The word for programs.
    pub word: &'static str,
    /// The sentence for people.
    pub title: &'static str,
}

const RUNNER_FAILED: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "runner_failed", "The function didn't start");
const JAIL_FAILED: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "jail_failed", "The function couldn't be confined");
const MODULE_FAILED: Kind =
    kind(StatusCode::SERVICE_UNAVAILABLE, "module_failed", "The function didn't load");

const DEADLINE_EXCEEDED: Kind = kind(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", "Deadline exceeded");

/// No request has reached the module: it is safe to retry.
fn not_loaded(failure: &LoadFailure) -> Kind {
    match failure {
        LoadFailure::NotStarted(_) => RUNNER_FAILED,
        // Also for a pause: the module is at fault, not the load, and more capacity wouldn't help.
        LoadFailure::TooSlow(_)
        | LoadFailure::TooLate
        | LoadFailure::Unstable
        | LoadFailure::NoHello(_)
        | LoadFailure::ProgramEnded { .. }
        | LoadFailure::Paused { .. } => MODULE_FAILED,
        LoadFailure::Left { cause, .. } => match **cause {
            Failure::NotConfined => JAIL_FAILED,
            Failure::RunnerGaveUp(_) | Failure::RunnerNotExecuted { .. } => RUNNER_FAILED,
            _ => MODULE_FAILED,
        },
    }
}

const fn kind(status: StatusCode, word: &'static str, title: &'static str) -> Kind {
    Kind { status, word, title }
}

impl Problem {
    /// Every cause, with its status and kind.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Refused(refusal) => of_refusal(refusal),
            Self::Failed(failure) => of_failure(failure),
        }
    }

    /// The response: `application/problem+json` (RFC 9457).
    pub(crate) fn into_response(self, request_id: &str) -> Response<Bytes> {
        let kind = self.kind();
        let detail = match &self {
            // A refusal tells only of the client's own request.
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Failed(Failure::ResponseDropped(full)) => Some(format!("the function has run, but {full}")),
            Self::Failed(Failure::DeadlineExceeded) => {
                Some("the function didn't answer before its deadline".to_owned())
            }
            Self::Failed(Failure::NotLoaded(LoadFailure::Paused { .. })) => {
                Some("the function is paused, because its processes keep crashing".to_owned())
            }
            Self::Failed(_) => None,
        };
        let body = ProblemBody {
            r#type: format!("urn:fezz:problem:{}", kind.word),
            title: kind.title,
            status: kind.status.as_u16(),
            detail: detail.as_deref().unwrap_or("the host's log has the reason, under the request id"),
            request_id,
        };
        let json = serde_json::to_vec(&body).expect("text and numbers are always JSON");
        let mut response = Response::new(Bytes::from(json));
        *response.status_mut() = kind.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(FEZZ_ERROR, HeaderValue::from_static(kind.word));
        // For HTTP/1; hyper leaves it out of HTTP/2's.
        if matches!(&self, Self::Refused(refusal) if refusal.ends_connection()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self {
            Self::Refused(Refusal::MethodNotAllowed { allowed }) => {
                let allowed = allowed.into_iter().collect::<Vec<_>>().join(", ");
                let value = HeaderValue::from_str(&allowed).expect("methods are tokens");
                headers.insert(ALLOW, value);
            }
            Self::Refused(Refusal::Overloaded { .. } | Refusal::NoMemory(_) | Refusal::Draining)
            | Self::Failed(Failure::Overdue { .. } | Failure::NoMemory(_) | Failure::Unregistered) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            Self::Failed(Failure::NotLoaded(LoadFailure::Paused { until })) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds_until(until)));
            }
            _ => {}
        }
        response
    }

    /// The same as bytes of HTTP/1.1, for when hyper has no request to answer.
    pub(crate) fn into_http_1(self) -> Vec<u8> {
        let identity = Identity::of(&HeaderMap::new());
        let mut response = self.into_response(&identity.request_id);
        identity.write(response.headers_mut());
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend([b"\r\n", &response.body()[..]].concat());
        bytes
    }
}

/// Rounded up, and at least a second: a client that retries too early is refused again.
fn seconds_until(until: Instant) -> u64 {
    until.saturating_duration_since(Instant::now()).as_secs() + 1
}

/// The kind of each refusal.
fn of_refusal(refusal: &Refusal) -> Kind {
    use StatusCode as S;
    match refusal {
        Refusal::NotFound => kind(S::NOT_FOUND, "not_found", "No function here"),
        Refusal::MethodNotAllowed { .. } => {
            kind(S::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
        }
        Refusal::BadRequest { .. } | Refusal::BadFraming | Refusal::BodyBroken => {
            kind(S::BAD_REQUEST, "bad_request", "Bad request")
        }
        Refusal::UnknownCoding => kind(S::NOT_IMPLEMENTED, "not_implemented", "Not implemented"),
        Refusal::HeadTimeout { .. } => kind(S::REQUEST_TIMEOUT, "head_timeout", "Head too slow"),
        Refusal::BodyTooLarge { .. } => kind(S::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
        Refusal::BodyTimeout { .. } | Refusal::BodyTooSlow { .. } => {
            kind(S::REQUEST_TIMEOUT, "body_timeout", "Body too slow")
        }
        Refusal::HeadersTooLarge { .. } | Refusal::TooManyHeaders { .. } => {
            kind(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "Headers too large")
        }
        Refusal::Overloaded { .. } | Refusal::NoMemory(_) => {
            kind(S::SERVICE_UNAVAILABLE, "overloaded", "Overloaded")
        }
        Refusal::Draining => kind(S::SERVICE_UNAVAILABLE, "draining", "Shutting down"),
        Refusal::QueuedTooLong => DEADLINE_EXCEEDED,
    }
}

/// The kind of each failure.
fn of_failure(failure: &Failure) -> Kind {
    use StatusCode as S;
    match failure {
        Failure::NotStarted(_)
        | Failure::RunnerGaveUp(_)
        | Failure::RunnerNotExecuted { .. }
        | Failure::NotForked(_) => RUNNER_FAILED,
        Failure::InProcess(_) | Failure::Unregistered => MODULE_FAILED,
        Failure::RequestTooLong { .. } => kind(S::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
        Failure::Overdue { .. } | Failure::NoMemory(_) => {
            kind(S::SERVICE_UNAVAILABLE, "overloaded", "Overloaded")
        }
        // The task may have failed at any point, even after the function ran.
        Failure::Host => kind(S::INTERNAL_SERVER_ERROR, "host_failed", "The host failed"),
        Failure::NotConfined => JAIL_FAILED,
        Failure::Module(_) => MODULE_FAILED,
        Failure::Panicked(_) => kind(S::INTERNAL_SERVER_ERROR, "function_panicked", "The function panicked"),
        Failure::Returned(_) => kind(S::INTERNAL_SERVER_ERROR, "function_error", "The function failed"),
        Failure::NotLoaded(failure) => not_loaded(failure),
        Failure::Worker(WorkerFailure::Busy { .. }) => DEADLINE_EXCEEDED,
        Failure::Crashed(_) | Failure::NotReaped(_) | Failure::ZygoteEnded | Failure::Worker(_) => {
            kind(S::BAD_GATEWAY, "function_crashed", "The function crashed")
        }
        Failure::OutOfMemory { .. } => {
            kind(S::BAD_GATEWAY, "out_of_memory", "The function ran out of memory")
        }
        Failure::InvalidResponse(_) => {
            kind(S::BAD_GATEWAY, "invalid_response", "The function's response is invalid")
        }
        // Without Retry-After: the function would run a second time.
        Failure::ResponseDropped(_) => {
            kind(S::SERVICE_UNAVAILABLE, "response_dropped", "The response was dropped")
        }
        Failure::DeadlineExceeded => DEADLINE_EXCEEDED,
    }
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::failure::InvalidResponse;
    use crate::memory::{Full, Use};
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    /// The kinds for which no function has seen the request, so that a proxy may send it to another host.
    const NEVER_RAN: [&str; 5] = ["runner_failed", "jail_failed", "module_failed", "overloaded", "draining"];

    #[test]
    fn what_may_have_run_has_no_kind_that_is_safe_to_retry() {
        let ran: [Problem; 9] = [
            Failure::ResponseDropped(Full { r#use: Use::Responses }).into(),
            Failure::Host.into(),
            Failure::ZygoteEnded.into(),
            Failure::DeadlineExceeded.into(),
            Failure::Crashed(ExitStatus::from_raw(0)).into(),
            Failure::OutOfMemory { limit_bytes: 1 }.into(),
            Failure::InvalidResponse(InvalidResponse::Empty).into(),
            Failure::Panicked(String::new()).into(),
            Failure::Returned(String::new()).into(),
        ];
        let words = ran.map(|problem| problem.kind().word);
        assert!(words.iter().all(|word| !NEVER_RAN.contains(word)), "{words:?}");
    }

    #[test]
    fn the_shipped_envoy_retries_the_kinds_that_never_ran_and_no_others() {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/envoy/envoy.yaml");
        let config = std::fs::read_to_string(config).expect("the example is part of the repository");
        let prefix = "- { name: fezz-error, string_match: { exact: ";
        let retried =
            config.lines().filter_map(|line| line.trim().strip_prefix(prefix)?.strip_suffix(" } }"));
        assert_eq!(retried.collect::<Vec<_>>(), NEVER_RAN);
    }
}
