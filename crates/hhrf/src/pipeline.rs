//! The pipeline of one request: `route -> receive -> admit -> execute -> respond`. Each stage takes what the one before
//! returns.

use crate::access_log::RequestRecord;
use crate::admit::{ReceivedRequest, admit, receive};
use crate::builtin;
use crate::execute::AnswerBody;
use crate::framing;
use crate::host::Host;
use crate::leftover::Upload;
use crate::memory::{Account, Accounts, is_large_head, response_bytes};
use crate::origin::Origin;
use crate::problem::Problem;
use crate::respond::{Content, leave_out_body, respond};
use crate::response_body::ResponseBody;
use crate::route::{check_target, route};
use crate::settings::{Listener, Rpc};
use crate::write_tracker::TrackedRequest;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

/// A request whose head has arrived.
pub(crate) struct Begun {
    client: Client,
    upload: Upload,
    is_head: bool,
    /// On HTTP/1 the unread rest of a body blocks the next request.
    is_http_1: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    expects_continue: bool,
    answer: Answer,
    tracked: TrackedRequest,
}

/// Who answers it.
enum Answer {
    /// The host answers itself.
    Builtin(Response<Bytes>),
    /// A function answers, unless the request was refused.
    Function(RequestRecord, Box<Result<ReceivedRequest, Problem>>),
}

/// Takes a request's head: routes it, checks its limits and charges its memory. Runs before the connection does
/// anything else, so that each connection holds at most one uncharged head.
pub(crate) fn begin(host: &Arc<Host>, origin: &Origin, request: Request<Incoming>) -> Begun {
    let tracked = origin.tracker.begin();
    let (head, body) = request.into_parts();
    let client = Client::of(host, origin, &head);
    Begun {
        upload: Upload::new(body),
        is_head: head.method == Method::HEAD,
        is_http_1: head.version < Version::HTTP_2,
        expects_continue: head.headers.contains_key(EXPECT),
        answer: begin_answer(host, origin, &client, head),
        client,
        tracked,
    }
}

fn begin_answer(host: &Arc<Host>, origin: &Origin, client: &Client, head: Parts) -> Answer {
    let sense = framing::check(&head.headers).and_then(|()| check_target(&head));
    if sense.is_ok()
        && let Some(response) = builtin::answer(host, origin.listener, &head)
    {
        return Answer::Builtin(response);
    }
    let mut record = RequestRecord::begin(host, &head);
    let received = sense.and_then(|()| {
        let routed = route(&host.catalogue.load(), head, has_rpc(host, origin.listener))?;
        record.set_function(&routed.function);
        receive(host, routed, client.accounts())
    });
    Answer::Function(record, Box::new(received.map_err(Problem::from)))
}

/// Answers a request in every case, and discards the part of its body that the answer didn't wait for.
pub(crate) async fn answer(
    host: Arc<Host>,
    origin: Arc<Origin>,
    begun: Begun,
) -> Result<Response<ResponseBody>, Infallible> {
    let Begun { client, mut upload, is_head, is_http_1, expects_continue, answer, tracked } = begun;
    let (mut response, record) = match answer {
        Answer::Builtin(response) => (response.map(Content::Host), None),
        Answer::Function(mut record, received) => {
            // Boxed: inline, the future would be about twice as large, also while the request only waits for its body.
            let result = Box::pin(run(&host, &client, received, &mut upload, &mut record)).await;
            (record.answer(result), Some(record))
        }
    };
    if is_head {
        leave_out_body(&mut response);
    }
    if is_http_1 && !upload.is_over() && expects_continue {
        // The client may or may not send its body, so the next bytes can't be interpreted.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if is_http_1 && is_large_head(response.headers()) {
        // hyper keeps its buffers for the head as long as the connection, uncharged.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let is_last = response.headers().contains_key(CONNECTION);
    let response = send(&host, &origin, response, record, client.accounts());
    match (upload.is_over(), is_http_1) {
        (true, _) => {}
        // After the response, hyper resets the stream without an error.
        (false, false) => response.body().discard_upload(upload),
        (false, true) if !is_last => upload.discard(tracked, host),
        (false, true) => {}
    }
    Ok(response)
}

/// Runs the stages, and has a failed request recorded, if the settings say so.
async fn run(
    host: &Host,
    client: &Client,
    received: Box<Result<ReceivedRequest, Problem>>,
    upload: &mut Upload,
    record: &mut RequestRecord,
) -> Result<Response<Content>, Problem> {
    let mut admitted = admit(host, (*received)?, upload, Arc::clone(&record.identity), client.ip).await?;
    let kept = host.failure_recorder.as_ref().map(|recorder| recorder.keep(&mut admitted));
    let outcome = host.executors.execute(admitted).await;
    let answer = outcome.map_err(Problem::from).inspect_err(|problem| {
        record.recorded = kept.and_then(|kept| kept.record(problem));
    })?;
    Ok(respond(answer))
}

/// Has the connection send a response. Its memory stays charged until its last byte is written. Content of the host
/// itself is charged here; if there is no memory for it, it is left out.
fn send(
    host: &Host,
    origin: &Origin,
    response: Response<Content>,
    record: Option<RequestRecord>,
    accounts: Accounts,
) -> Response<ResponseBody> {
    let (head, content) = response.into_parts();
    let head_bytes = response_bytes(&head.headers);
    let body = match content {
        Content::Function(body) => Some(body),
        Content::Host(bytes) => {
            let holding = host.response_memory.hold(accounts, head_bytes + bytes.len());
            holding.ok().map(|holding| AnswerBody::whole(bytes, holding))
        }
    };
    let body = match body {
        Some(body) if !body.is_empty() => ResponseBody::owed(&origin.tracker, body, record),
        _ => {
            if let Some(record) = record {
                record.complete();
            }
            ResponseBody::empty(&origin.tracker, head_bytes)
        }
    };
    Response::from_parts(head, body)
}

fn has_rpc(host: &Host, listener: Listener) -> bool {
    match host.settings.rpc {
        Rpc::On => true,
        Rpc::Admin => listener == Listener::Admin,
        Rpc::Off => false,
    }
}

/// The client that sent a request.
struct Client {
    ip: Option<IpAddr>,
    connection: Option<Arc<Account>>,
    address: Arc<Account>,
}

impl Client {
    /// The peer, or the client that a trusted proxy names.
    fn of(host: &Host, origin: &Origin, head: &Parts) -> Self {
        /// Envoy at the edge sets it, and never passes on a client's own.
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
