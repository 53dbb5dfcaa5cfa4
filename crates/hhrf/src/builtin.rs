//! The builtin endpoints: the host itself answers `/_health`, `/_ready` and `/_metrics`.

use crate::host::Host;
use crate::metrics::{self, FunctionStats};
use crate::settings::Listener;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

/// The answer, if the path is a builtin endpoint of this listener.
pub(crate) fn answer(host: &Host, listener: Listener, head: &Parts) -> Option<Response<Bytes>> {
    let shows_metrics = listener == Listener::Admin || host.settings.admin.is_none();
    let (status, content_type, body) = match head.uri.path() {
        "/_health" | "/_ready" if host.is_leaving() => {
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n".to_owned())
        }
        "/_ready" if let Some(memory) = host.short_memory() => (
            StatusCode::SERVICE_UNAVAILABLE,
            "text/plain",
            format!("memory for {memory} is over 90 % full\n"),
        ),
        "/_health" | "/_ready" => (StatusCode::OK, "text/plain", "OK\n".to_owned()),
        "/_metrics" if shows_metrics => (StatusCode::OK, metrics::CONTENT_TYPE, metrics_text(host)),
        _ => return None,
    };
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(response)
}

fn metrics_text(host: &Host) -> String {
    let catalogue = host.catalogue.load();
    let functions = catalogue.functions().map(|function| {
        let (limiter, pool) = (&function.home.limiter, host.executors.stats(function));
        FunctionStats {
            name: function.name(),
            digest: function.release.digest().map(ToString::to_string).unwrap_or_default(),
            processes: limiter.taken(),
            queued: limiter.waiting(),
            idle: pool.idle,
            zygotes: pool.zygotes,
            overdue: pool.overdue,
            workers: host.executors.has_workers(function).then_some(pool.workers),
        }
    });
    host.metrics.text(&functions.collect::<Vec<_>>(), catalogue.rejected().len(), &host.memory())
}
