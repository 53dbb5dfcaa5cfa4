//! The access log: every request leaves exactly one line in the log and one count in the metrics.

use crate::catalogue::Function;
use crate::host::Host;
use crate::identity::Identity;
use crate::log;
use crate::problem::Problem;
use crate::series::Recording;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use std::sync::Arc;
use std::time::Instant;

/// A request in flight. If it is dropped before `finish`, the client has gone away, and that is recorded.
#[derive(Debug)]
pub struct RequestRecord {
    host: Arc<Host>,
    /// The request's id and trace.
    pub identity: Identity,
    /// Set once its function is known.
    recording: Option<Recording>,
    method: Method,
    path: String,
    begun: Instant,
    is_over: bool,
}

/// What the log and the metrics show when the client had gone away; nginx uses the same status.
const CLIENT_GONE: (u16, &str) = (499, "client_gone");

impl RequestRecord {
    /// Begins with a request's head.
    pub fn begin(host: &Arc<Host>, head: &Parts) -> Self {
        host.metrics.in_flight.inc();
        Self {
            host: Arc::clone(host),
            identity: Identity::of(&head.headers),
            recording: None,
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            begun: Instant::now(),
            is_over: false,
        }
    }

    /// Sets the request's function, once it is routed.
    pub fn set_function(&mut self, function: &Function) {
        self.recording = Some(self.host.metrics.series.begin(function.name()));
    }

    /// Records the end, and writes the request's id and trace into the response.
    pub fn finish(mut self, result: Result<Response<Bytes>, Problem>) -> Response<Bytes> {
        let mut response = match result {
            Ok(response) => {
                self.record(response.status().as_u16(), "", None);
                response
            }
            Err(problem) => {
                let kind = problem.kind();
                self.record(kind.status.as_u16(), kind.word, Some(&problem));
                problem.into_response(&self.identity.request_id)
            }
        };
        self.identity.write(response.headers_mut());
        response
    }

    fn record(&mut self, status: u16, kind: &'static str, problem: Option<&Problem>) {
        self.is_over = true;
        let duration = self.begun.elapsed();
        match &self.recording {
            Some(recording) => recording.record(status, kind, duration),
            None => self.host.metrics.series.record_without_function(status, kind, duration),
        }
        let reason = problem.map(|problem| log::chain(problem));
        let error = reason.as_deref().map(|reason| log::harmless(reason.as_bytes()));
        let is_broken = matches!(problem, Some(Problem::Failed(_)));
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
                    duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                    "request"
                )
            };
        }
        if is_broken { line!(warn) } else { line!(info) }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        self.host.metrics.in_flight.dec();
        if !self.is_over {
            let (status, kind) = CLIENT_GONE;
            self.record(status, kind, None);
        }
    }
}
