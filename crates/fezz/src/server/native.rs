//! Between the host and a function in this process, without a message in between: the request goes in by its parts, the
//! response comes out by its own.

use super::slot::{InFlight, Slot};
use crate::context::{Facts, Held};
use crate::variables::Variables;
use crate::{FezzRequest, FezzResponse, FunctionContext, Headers, IntoResponse};
use bytes::Bytes;
use fezz_manifest::Manifest;
use fezz_wire::ErrorKind;
use hhrf::admitted::RequestFacts;
use hhrf::execute::Failure;
use hhrf::execute::answer::headers;
use hhrf::execute::calls::CallGuard;
use hhrf::execute::failure::InvalidResponse;
use hhrf::execute::message::passed_headers;
use hhrf::execute::native::{Native, NativeCall, NativeRequest};
use http::{Response, StatusCode};
use std::panic::RefUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What is the same for each request of a function; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    pub(super) id: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) env: Arc<Variables>,
    pub(super) slot: Arc<Slot>,
}

/// A function as its release has it, which is dropped with the last request that can reach it.
#[derive(Debug)]
pub(super) struct Served(pub(super) Registered);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.slot.release();
    }
}

/// All that ends with the last clone of a request's context.
struct Guards {
    in_flight: InFlight,
    _call: CallGuard,
}

/// What a context holds shall not keep a function from catching its own panics: no code reads it.
impl RefUnwindSafe for Guards {}

impl Native for Served {
    fn call(self: Arc<Self>, request: NativeRequest) -> NativeCall {
        Box::pin(async move {
            let Some(in_flight) = self.0.slot.begin() else { return Err(Failure::Unregistered) };
            let (request, context, guards) = self.0.request(request, in_flight);
            let in_flight = &guards.in_flight;
            let outcome = in_flight.run(in_flight.function().fetch(request, &context)).await;
            respond(outcome.into_response())
        })
    }
}

impl Registered {
    /// Of a function that isn't loaded yet.
    pub(super) fn new(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id.as_str().into(),
            version: manifest.version.as_str().into(),
            env: Arc::new(manifest.env.iter().collect()),
            slot: Slot::empty(),
        }
    }

    /// The context of `on_load` and `on_unload`, which have no deadline.
    pub(super) fn context(&self, hook: &str) -> FunctionContext {
        FunctionContext::of(Facts {
            request_id: hook.to_owned(),
            function: Arc::clone(&self.id),
            version: Arc::clone(&self.version),
            time_left: Duration::MAX,
            deadline: OnceLock::new(),
            client_ip: None,
            original_uri: None,
            env: OnceLock::from(Arc::clone(&self.env)),
            held: Held::default(),
        })
    }

    fn request(
        &self,
        request: NativeRequest,
        in_flight: InFlight,
    ) -> (FezzRequest, FunctionContext, Arc<Guards>) {
        let NativeRequest { facts, body, guard } = request;
        let RequestFacts { head, params, identity, client_ip, original_uri, deadline, function: _ } = facts;
        let headers = Headers::from_wire(&passed_headers(&head.headers, &identity));
        let guards = Arc::new(Guards { in_flight, _call: guard });
        let context = FunctionContext::of(Facts {
            request_id: identity.request_id.clone(),
            function: Arc::clone(&self.id),
            version: Arc::clone(&self.version),
            // The deadline counts.
            time_left: Duration::ZERO,
            deadline: OnceLock::from(deadline.into_std()),
            client_ip: client_ip.map(|ip| ip.to_string()),
            original_uri: original_uri.map(|uri| uri.as_str().to_owned()),
            env: OnceLock::from(Arc::clone(&self.env)),
            held: Held { _guard: Some(Arc::clone(&guards) as _) },
        });
        (FezzRequest::from_native(head, headers, params, body, context.clone()), context, guards)
    }
}

/// The same statuses and headers are refused as from a module.
fn respond(response: FezzResponse) -> Result<Response<Bytes>, Failure> {
    let FezzResponse { status, headers: list, body, failure } = response;
    if let Some(failure) = failure {
        return Err(match failure.kind {
            ErrorKind::Panicked => Failure::Panicked(failure.message),
            ErrorKind::Returned => Failure::Returned(failure.message),
        });
    }
    let invalid = |_| Failure::InvalidResponse(InvalidResponse::Status { status });
    let status = StatusCode::from_u16(status).map_err(invalid)?;
    let headers = headers(list.iter()).map_err(Failure::InvalidResponse)?;
    let mut response = Response::new(body.into_bytes());
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}
