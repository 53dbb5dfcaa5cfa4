//! The walk of one request: `route -> admit -> execute -> respond`, each stage taking what the one before returns.

use crate::admit::admit;
use crate::catalogue::Function;
use crate::connection::Origin;
use crate::exchange::Exchange;
use crate::execute::{Failure, RawResponse};
use crate::host::Host;
use crate::memory::{Account, Accounts, Holding, headers_bytes};
use crate::own;
use crate::problem::Problem;
use crate::respond::respond;
use crate::response_body::ResponseBody;
use crate::route::route;
use crate::settings::{Entrance, Rpc};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::sync::Arc;

/// Answers one request, whatever comes of it.
pub async fn answer(
    host: Arc<Host>,
    origin: Arc<Origin>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let _request = origin.sending.begin();
    let (head, body) = request.into_parts();
    let client = Client::of(&host, &origin, &head);
    if let Some(response) = own::answer(&host, origin.entrance, &head) {
        return send(&host, &origin, response, None, client.accounts(None));
    }
    let mut exchange = Exchange::begin(&host, &head);
    let result = walk(&host, &origin, &client, head, body, &mut exchange).await;
    let (result, holding) = match result {
        Ok((response, holding)) => (Ok(response), Some(holding)),
        Err(problem) => (Err(problem), None),
    };
    let accounts = client.accounts(exchange.function.as_deref());
    let response = exchange.finish(result);
    send(&host, &origin, response, holding, accounts)
}

async fn walk(
    host: &Host,
    origin: &Origin,
    client: &Client,
    head: Parts,
    body: Incoming,
    exchange: &mut Exchange,
) -> Result<(Response<Bytes>, Holding), Problem> {
    let catalogue = host.catalogue.load_full();
    let routed = route(&catalogue, head, has_rpc(host, origin.entrance))?;
    let function = Arc::clone(&routed.function);
    exchange.function = Some(Arc::clone(&function));
    let accounts = client.accounts(Some(&function));
    let admitted = admit(host, routed, body, exchange.identity.clone(), client.ip, accounts).await?;
    let RawResponse { bytes, mut holding } = host.executors.execute(admitted).await?;
    let response = respond(&bytes, function.limits.response_body_bytes)?;
    // A body keeps up to twice its length alive.
    let body_bytes = bytes.len().min(2 * response.body().len());
    let held = holding.resize(headers_bytes(response.headers()) + body_bytes);
    held.map_err(Failure::ResponseDropped)?;
    Ok((response, holding))
}

/// Has the connection send a response, whose memory stays charged until its last byte is written. Where it holds none yet,
/// as one of the host's own, and there is none left, its body is left out: its status and headers say enough.
fn send(
    host: &Host,
    origin: &Origin,
    response: Response<Bytes>,
    holding: Option<Holding>,
    accounts: Accounts,
) -> Response<ResponseBody> {
    let (head, body) = response.into_parts();
    if body.is_empty() {
        return Response::from_parts(head, ResponseBody::default());
    }
    let hold = || host.response_memory.hold(accounts, headers_bytes(&head.headers) + body.len());
    let body = match holding.map_or_else(hold, Ok) {
        Ok(holding) => origin.sending.owe(body, holding),
        Err(_) => ResponseBody::default(),
    };
    Response::from_parts(head, body)
}

fn has_rpc(host: &Host, entrance: Entrance) -> bool {
    match host.settings.rpc {
        Rpc::On => true,
        Rpc::Admin => entrance == Entrance::Admin,
        Rpc::Off => false,
    }
}

/// Who sent a request.
struct Client {
    ip: Option<IpAddr>,
    connection: Option<Arc<Account>>,
    address: Arc<Account>,
}

impl Client {
    /// The peer, or whom a trusted proxy says that it speaks for.
    fn of(host: &Host, origin: &Origin, head: &Parts) -> Self {
        /// Set by Envoy where it stands at the edge, never passed through from outside.
        const ENVOY_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");
        if !host.settings.trust_proxy {
            let connection = Some(Arc::clone(&origin.connection));
            return Self { ip: Some(origin.peer), connection, address: Arc::clone(&origin.address) };
        }
        let ip: Option<IpAddr> =
            head.headers.get(ENVOY_ADDRESS).and_then(|value| value.to_str().ok()?.parse().ok());
        let address = ip.map_or_else(|| Arc::clone(&origin.address), |ip| host.addresses.of(ip));
        Self { ip, connection: None, address }
    }

    fn accounts(&self, function: Option<&Function>) -> Accounts {
        Accounts {
            connection: self.connection.clone(),
            address: Arc::clone(&self.address),
            function: function.map(|function| Arc::clone(&function.account)),
        }
    }
}
