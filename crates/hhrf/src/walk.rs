//! The walk of one request: `route -> admit -> execute -> respond`, each stage taking what the one before returns.

use crate::admit::admit;
use crate::exchange::Exchange;
use crate::execute::Failure;
use crate::host::Host;
use crate::own;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::respond::respond;
use crate::route::route;
use crate::sending::Sending;
use crate::settings::Entrance;
use crate::settings::Rpc;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Answers one request, whatever comes of it.
pub async fn answer(
    host: Arc<Host>,
    entrance: Entrance,
    peer: SocketAddr,
    sending: Arc<Sending>,
    request: Request<Incoming>,
) -> Response<Bytes> {
    let _request = sending.begin();
    let (head, body) = request.into_parts();
    if let Some(response) = own::answer(&host, entrance, &head) {
        return response;
    }
    let mut exchange = Exchange::begin(&host, &head);
    let result = walk(&host, entrance, peer, head, body, &mut exchange).await;
    let result = result.and_then(|response| account(&host, &sending, response));
    exchange.finish(result)
}

async fn walk(
    host: &Host,
    entrance: Entrance,
    peer: SocketAddr,
    head: Parts,
    body: Incoming,
    exchange: &mut Exchange,
) -> Result<Response<Bytes>, Problem> {
    let client_ip = client_ip(host, peer, &head);
    let catalogue = host.catalogue.load_full();
    let routed = route(&catalogue, head, has_rpc(host, entrance))?;
    let function = Arc::clone(&routed.function);
    exchange.lead_to(&function);
    let admitted = admit(host, routed, body, exchange.identity.clone(), client_ip).await?;
    let message = host.executors.execute(admitted).await?;
    let response = respond(message, function.limits.response_body_bytes);
    if let Err(Failure::InvalidResponse(_)) = &response {
        host.executors.blame(&function);
    }
    Ok(response?)
}

/// Gives the body its share of the memory for responses, which it keeps until its last byte is on its way.
fn account(
    host: &Host,
    sending: &Arc<Sending>,
    response: Response<Bytes>,
) -> Result<Response<Bytes>, Problem> {
    if response.body().is_empty() {
        return Ok(response);
    }
    let bytes = response.body().len();
    let memory = host.response_memory.take(bytes, bytes).ok_or(Refusal::ResponseDropped)?;
    Ok(response.map(|body| sending.owe(body, memory)))
}

fn has_rpc(host: &Host, entrance: Entrance) -> bool {
    match host.settings.rpc {
        Rpc::On => true,
        Rpc::Admin => entrance == Entrance::Admin,
        Rpc::Off => false,
    }
}

/// The peer, or whom a trusted proxy says that it speaks for.
fn client_ip(host: &Host, peer: SocketAddr, head: &Parts) -> Option<IpAddr> {
    /// Set by Envoy where it stands at the edge, never passed through from outside.
    const ENVOY_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");
    if !host.settings.trust_proxy {
        return Some(peer.ip());
    }
    head.headers.get(ENVOY_ADDRESS)?.to_str().ok()?.parse().ok()
}
