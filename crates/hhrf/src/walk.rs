//! The walk of one request: `route -> receive -> admit -> execute -> respond`, each stage taking what the one before
//! returns.

use crate::admit::{ReceivedRequest, admit, receive};
use crate::connection::Origin;
use crate::exchange::Exchange;
use crate::execute::{Failure, RawResponse};
use crate::host::Host;
use crate::memory::{Account, Accounts, Holding, headers_bytes};
use crate::own;
use crate::problem::Problem;
use crate::refusal::Refusal;
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

/// A request whose head is there.
pub struct Begun {
    client: Client,
    answer: Answer,
}

/// What is to become of it.
enum Answer {
    /// The host answers itself.
    Own(Response<Bytes>),
    /// A function does, unless it was refused.
    Function(Exchange, Box<Result<ReceivedRequest, Problem>>),
}

/// Takes a request's head: routes it, holds it to its limits and charges it. While nothing else can happen on its
/// connection, so that no more than one head of each is held beside those that are charged.
pub fn begin(host: &Arc<Host>, origin: &Origin, request: Request<Incoming>) -> Begun {
    let (head, body) = request.into_parts();
    let client = Client::of(host, origin, &head);
    if let Some(response) = own::answer(host, origin.entrance, &head) {
        return Begun { client, answer: Answer::Own(response) };
    }
    let mut exchange = Exchange::begin(host, &head);
    let received = receive_head(host, origin, &client, head, body, &mut exchange);
    Begun { client, answer: Answer::Function(exchange, Box::new(received.map_err(Problem::from))) }
}

fn receive_head(
    host: &Host,
    origin: &Origin,
    client: &Client,
    head: Parts,
    body: Incoming,
    exchange: &mut Exchange,
) -> Result<ReceivedRequest, Refusal> {
    let routed = route(&host.catalogue.load(), head, has_rpc(host, origin.entrance))?;
    exchange.lead_to(&routed.function);
    receive(host, routed, body, client.accounts())
}

/// Answers a request, whatever comes of it.
pub async fn answer(host: Arc<Host>, origin: Arc<Origin>, begun: Begun) -> Response<ResponseBody> {
    let _request = origin.sending.begin();
    let Begun { client, answer } = begun;
    let (exchange, received) = match answer {
        Answer::Own(response) => return send(&host, &origin, response, None, client.accounts()),
        Answer::Function(exchange, received) => (exchange, received),
    };
    let result = match *received {
        Ok(received) => walk(&host, &client, received, &exchange).await,
        Err(problem) => Err(problem),
    };
    let (result, holding) = match result {
        Ok((response, holding)) => (Ok(response), Some(holding)),
        Err(problem) => (Err(problem), None),
    };
    let response = exchange.finish(result);
    send(&host, &origin, response, holding, client.accounts())
}

async fn walk(
    host: &Host,
    client: &Client,
    received: ReceivedRequest,
    exchange: &Exchange,
) -> Result<(Response<Bytes>, Holding), Problem> {
    let function = Arc::clone(&received.function);
    let admitted = admit(host, received, exchange.identity.clone(), client.ip).await?;
    let RawResponse { bytes, mut holding } = host.executors.execute(admitted).await?;
    let response = respond(&bytes, function.limits.response_body_bytes);
    if let Err(Failure::InvalidResponse(_)) = &response {
        host.executors.blame(&function);
    }
    let response = response?;
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

    fn accounts(&self) -> Accounts {
        let (connection, address) = (self.connection.clone(), Arc::clone(&self.address));
        Accounts { connection, address, function: None }
    }
}
