//! The access log: every request leaves exactly one line in the log and one count in the metrics.

use crate::catalogue::Function;
use crate::host::Host;
use crate::identity::Identity;
use crate::log;
use crate::problem::Problem;
use crate::respond::Content;
use crate::series::Recording;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Headers of a manifest that have a response kept. The host's own errors end sooner than what is kept.
const CACHING: [HeaderName; 3] =
    [header::CACHE_CONTROL, HeaderName::from_static("cdn-cache-control"), header::EXPIRES];

/// A request in flight, up to the end of its response's body. Dropping it writes its line: without
/// [`complete`](Self::complete) or [`abort`](Self::abort), its client has gone away.
#[derive(Debug)]
pub(crate) struct RequestRecord {
    host: Arc<Host>,
    /// The request's id and trace.
    pub identity: Arc<Identity>,
    /// Set once its function is known.
    recording: Option<Recording>,
    /// Of its function's manifest.
    response_headers: Option<Arc<HeaderMap>>,
    method: Method,
    path: String,
    begun: Instant,
    /// Set once its response's head is known.
    head: Option<Head>,
    end: End,
    /// The file of the recorded request, if its function failed.
    pub recorded: Option<PathBuf>,
}

/// What the line tells of a response's head.
#[derive(Debug)]
struct Head {
    status: u16,
    /// Of a problem; otherwise empty.
    kind: &'static str,
    error: Option<String>,
    /// Whether the function failed, rather than the request.
    has_failed: bool,
}

/// The reason of requests in flight when the host was stopped at once.
const CUT_OFF: &str = "the host was stopped before the response";

/// How a response's body ended.
#[derive(Debug)]
enum End {
    /// The client has gone away before its end.
    ClientGone,
    /// All of it was handed to the connection.
    Complete,
    /// The host ended its stream or connection, for this reason.
    Aborted(String),
}

/// What the log and the metrics show if the client had gone away before the response; nginx uses the same status.
const CLIENT_GONE: (u16, &str) = (499, "client_gone");

/// The kind of a response that ended after its head and before the end of its body.
const ABORTED: &str = "aborted";

impl RequestRecord {
    /// Begins with a request's head.
    pub(crate) fn begin(host: &Arc<Host>, head: &Parts) -> Self {
        host.metrics.in_flight.inc();
        Self {
            host: Arc::clone(host),
            identity: Arc::new(Identity::of(&head.headers)),
            recording: None,
            response_headers: None,
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            begun: Instant::now(),
            head: None,
            end: End::ClientGone,
            recorded: None,
        }
    }

    /// Sets the request's function, once it is routed.
    pub(crate) fn set_function(&mut self, function: &Function) {
        self.recording = Some(function.home.record(&self.host.metrics.series));
        self.response_headers = Some(Arc::clone(&function.release.response_headers));
    }

    /// Notes the head of the response, and writes the headers of the function's manifest, and the request's id and trace,
    /// into it.
    pub(crate) fn answer(&mut self, result: Result<Response<Content>, Problem>) -> Response<Content> {
        let (mut response, head) = match result {
            Ok(response) => {
                let status = response.status().as_u16();
                (response, Head { status, kind: "", error: None, has_failed: false })
            }
            Err(problem) => {
                let (kind, error) = (problem.kind(), Some(log::chain(&problem)));
                let has_failed = matches!(problem, Problem::Failed(_));
                let head = Head { status: kind.status.as_u16(), kind: kind.word, error, has_failed };
                (problem.into_response(&self.identity.request_id).map(Content::Host), head)
            }
        };
        let is_hosts = !head.kind.is_empty();
        self.head = Some(head);
        let more = self.response_headers.iter().flat_map(|headers| headers.iter());
        let more = more.filter(|(name, _)| !(is_hosts && CACHING.contains(name)));
        add_missing(response.headers_mut(), more);
        self.identity.write(response.headers_mut());
        response
    }

    /// All of the response was handed to its connection.
    pub(crate) fn complete(mut self) {
        self.end = End::Complete;
    }

    /// The response ends before it is complete, for this reason.
    pub(crate) fn abort(mut self, reason: String) {
        self.end = End::Aborted(reason);
    }

    fn record(&self) {
        let (status, kind, error, is_broken) = match (&self.head, &self.end) {
            (None, _) if self.host.is_cut_off() => (CLIENT_GONE.0, ABORTED, Some(CUT_OFF), false),
            (None, _) => (CLIENT_GONE.0, CLIENT_GONE.1, None, false),
            (Some(head), End::Complete) => (head.status, head.kind, head.error.as_deref(), head.has_failed),
            (Some(head), End::ClientGone) => {
                (head.status, ABORTED, Some("the client went away before the end of the response"), false)
            }
            (Some(head), End::Aborted(reason)) => (head.status, ABORTED, Some(reason.as_str()), true),
        };
        let duration = self.begun.elapsed();
        match &self.recording {
            Some(recording) => recording.record(status, kind, duration),
            None => self.host.metrics.series.record_without_function(status, kind, duration),
        }
        let error = error.map(|error| log::harmless(error.as_bytes()));
        let error = error.as_deref();
        // tracing fixes the level at compile time; the fields are the same.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    function = self.recording.as_ref().map(Recording::function),
                    request_id = self.identity.request_id,
                    method = %self.method,
                    path = %log::harmless(self.path.as_bytes()),
                    status,
                    kind = (!kind.is_empty()).then_some(kind),
                    error,
                    recorded = self.recorded.as_ref().map(|path| path.display().to_string()),
                    duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                    "request"
                )
            };
        }
        if is_broken { line!(warn) } else { line!(info) }
    }
}

/// Adds the headers whose names `headers` hasn't got.
fn add_missing<'a>(headers: &mut HeaderMap, more: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) {
    for (name, value) in more {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        self.host.metrics.in_flight.dec();
        self.record();
    }
}
