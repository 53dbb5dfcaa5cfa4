//! Tower services as apps: axum's router without axum's server.

use crate::{App, FezzRequest, FezzResponse, IntoHeaders, shim};
use bytes::Bytes;
use fezz_wire::ErrorKind;
use http::{HeaderName, HeaderValue, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use std::fmt::Display;
use tower_service::Service;

/// A request's extensions hold the [`FunctionContext`](crate::FunctionContext): `Extension<FunctionContext>` in axum.
#[diagnostic::do_not_recommend]
impl<S, B> App for S
where
    S: Service<http::Request<Full<Bytes>>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Display,
    B: Body,
    B::Error: Display,
{
    fn call(&self, request: FezzRequest) -> FezzResponse {
        let mut service = self.clone();
        shim::block_on(async move {
            let request = to_http(request)?;
            std::future::poll_fn(|context| Service::poll_ready(&mut service, context))
                .await
                .map_err(failed)?;
            let (parts, body) = Service::call(&mut service, request).await.map_err(failed)?.into_parts();
            let body = body.collect().await.map_err(failed)?.to_bytes();
            Ok::<_, FezzResponse>((parts.status, parts.headers.into_headers(), crate::Body::from(body)))
        })
    }
}

/// For the log: most services have no errors, and answer instead.
fn failed(error: impl Display) -> FezzResponse {
    FezzResponse::failed(ErrorKind::Returned, error.to_string())
}

/// The path and query as the function sees them; host and port are in the header `host`.
fn to_http(request: FezzRequest) -> Result<http::Request<Full<Bytes>>, FezzResponse> {
    let wrong = |what: &str, error: &dyn Display| FezzResponse::error(400, format!("{what}: {error}"));
    let uri: Uri = request.uri().parse().map_err(|error| wrong("path", &error))?;
    let mut converted = http::Request::new(Full::from(request.body.clone().unwrap_or_default()));
    *converted.method_mut() = request.method.clone();
    *converted.uri_mut() = uri;
    for (name, value) in request.header_list().iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong("header", &error))?;
        let value = HeaderValue::from_bytes(value).map_err(|error| wrong("header", &error))?;
        converted.headers_mut().append(name, value);
    }
    converted.extensions_mut().insert(request.context().clone());
    Ok(converted)
}
