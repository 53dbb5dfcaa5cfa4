//! The walk of one request: `route -> admit -> execute -> respond`, each stage taking what the one before returns.

use crate::admit::admit;
use crate::exchange::Exchange;
use crate::framing;
use crate::host::Host;
use crate::leftover::Upload;
use crate::own;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::respond::respond;
use crate::route::{check_target, route};
use crate::sending::Sending;
use crate::settings::Entrance;
use crate::settings::Rpc;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Answers one request, whatever comes of it, and sees to what the answer didn't wait for.
pub async fn answer(
    host: Arc<Host>,
    entrance: Entrance,
    peer: SocketAddr,
    sending: Arc<Sending>,
    request: Request<Incoming>,
) -> Response<Bytes> {
    let under_way = sending.begin();
    let (head, body) = request.into_parts();
    let mut body = Upload::new(body);
    let is_head = head.method == Method::HEAD;
    let is_http_1 = head.version < Version::HTTP_2;
    let asks_before_it_sends = head.headers.contains_key(EXPECT);
    let mut response = answer_head(&host, entrance, peer, &sending, head, &mut body).await;
    if is_head {
        leave_out_body(&mut response);
    }
    // HTTP/2 has the one stream reset, without an error.
    if is_http_1 && !body.is_over() {
        if asks_before_it_sends {
            // The client may send its body or not: what comes next isn't known.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if !response.headers().contains_key(CONNECTION) {
            body.discard(under_way, host);
        }
    }
    response
}

/// All of GET's response but the body (RFC 9110, section 9.3.2). hyper leaves it out of HTTP/1's, and not of HTTP/2's.
fn leave_out_body(response: &mut Response<Bytes>) {
    let length = response.body().len();
    // Where a function has left it out by itself, its length isn't known.
    if length > 0 {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        *response.body_mut() = Bytes::new();
    }
}

async fn answer_head(
    host: &Arc<Host>,
    entrance: Entrance,
    peer: SocketAddr,
    sending: &Arc<Sending>,
    head: Parts,
    body: &mut Upload,
) -> Response<Bytes> {
    let sense = framing::check(&head.headers).and_then(|()| check_target(&head));
    if sense.is_ok()
        && let Some(response) = own::answer(host, entrance, &head)
    {
        return response;
    }
    let mut exchange = Exchange::begin(host, &head);
    let result = match sense {
        Ok(()) => walk(host, entrance, peer, head, body, &mut exchange).await,
        Err(refusal) => Err(refusal.into()),
    };
    let result = result.and_then(|response| account(host, sending, response));
    exchange.finish(result)
}

async fn walk(
    host: &Host,
    entrance: Entrance,
    peer: SocketAddr,
    head: Parts,
    body: &mut Upload,
    exchange: &mut Exchange,
) -> Result<Response<Bytes>, Problem> {
    let client_ip = client_ip(host, peer, &head);
    let catalogue = host.catalogue.load_full();
    let routed = route(&catalogue, head, has_rpc(host, entrance))?;
    let function = Arc::clone(&routed.function);
    exchange.function = Some(Arc::clone(&function));
    let admitted = admit(host, routed, body, exchange.identity.clone(), client_ip).await?;
    let message = host.executors.execute(admitted).await?;
    Ok(respond(message, function.limits.response_body_bytes)?)
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
