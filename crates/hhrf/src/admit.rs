//! Second stage: the body is read, a place is taken. From here on the deadline runs.

use crate::catalogue::Function;
use crate::gate::{NoPlace, Place};
use crate::host::Host;
use crate::identity::Identity;
use crate::leftover::Upload;
use crate::refusal::Refusal;
use crate::route::RoutedRequest;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// A request that may run: whole, and with a place of its own.
#[derive(Debug)]
pub struct AdmittedRequest {
    /// The function.
    pub function: Arc<Function>,
    /// The route's parameters, percent-decoded.
    pub params: BTreeMap<String, String>,
    /// Method, target and headers.
    pub head: Parts,
    /// The body.
    pub body: RequestBody,
    /// What the request is called.
    pub identity: Identity,
    /// The client's address.
    pub client_ip: Option<IpAddr>,
    /// When the process is killed.
    pub deadline: Instant,
    /// The places, of the function and of the host; given back when the process is gone.
    pub places: [Place; 2],
}

/// A body, with its share of the host's memory for bodies.
#[derive(Debug, Default)]
pub struct RequestBody {
    /// The whole body.
    pub bytes: Bytes,
    _memory: Vec<OwnedSemaphorePermit>,
}

/// Envoy's own deadline for the request, in milliseconds.
const ENVOY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// Reads the body within its limits, then takes a place at the function and one at the host. In that order, so that a
/// slow client never holds a place.
///
/// # Errors
///
/// See [`Refusal`]; whatever was taken is given back.
pub async fn admit(
    host: &Host,
    routed: RoutedRequest,
    body: &mut Upload,
    identity: Identity,
    client_ip: Option<IpAddr>,
) -> Result<AdmittedRequest, Refusal> {
    let arrival = Instant::now();
    let RoutedRequest { function, params, head } = routed;
    if host.is_draining() {
        return Err(Refusal::Draining);
    }
    check_headers(&head.headers, host.settings.limits.header_bytes)?;
    // Before the body, which would be read for nothing.
    if function.gate.is_full() {
        return Err(Refusal::Overloaded { what: "the function's queue" });
    }
    let body = read_body(host, &function, body, arrival).await?;

    let mut deadline = Instant::now() + function.timeout;
    if let Some(envoy) = envoy_timeout(&head.headers) {
        deadline = deadline.min(arrival + envoy);
    }
    let of_function = function.gate.enter(deadline).await;
    let of_function = of_function.map_err(|reason| refuse(reason, "the function's queue"))?;
    let of_host = host.processes.enter(deadline).await;
    let of_host = of_host.map_err(|reason| refuse(reason, "the host's queue"))?;
    let places = [of_function, of_host];
    Ok(AdmittedRequest { function, params, head, body, identity, client_ip, deadline, places })
}

fn check_headers(headers: &HeaderMap, bytes_max: usize) -> Result<(), Refusal> {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > bytes_max {
        return Err(Refusal::HeadersTooLarge { bytes, bytes_max });
    }
    // Two of them are the host's own: the request's id and its traceparent.
    if headers.len() + 2 > fezz_wire::PAIRS_MAX {
        return Err(Refusal::TooManyHeaders { headers: headers.len() });
    }
    Ok(())
}

async fn read_body(
    host: &Host,
    function: &Function,
    body: &mut Upload,
    arrival: Instant,
) -> Result<RequestBody, Refusal> {
    let bytes_max = function.limits.request_body_bytes;
    if body.bytes_min() > bytes_max {
        return Err(Refusal::BodyTooLarge { bytes_max });
    }
    let timeout = host.settings.limits.body_timeout;
    let too_slow = Refusal::BodyTimeout { ms_max: timeout.as_millis() };
    let mut collected = Collected::default();
    let mut memory = Vec::new();
    loop {
        let frame = timeout_at(arrival + timeout, body.frame()).await;
        let Some(frame) = frame.map_err(|_| too_slow.clone())? else {
            return Ok(RequestBody { bytes: collected.into_bytes(), _memory: memory });
        };
        // Trailers have no place in a message to a function.
        let Ok(piece) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
        let total = collected.len() + piece.len();
        if total as u64 > bytes_max {
            return Err(Refusal::BodyTooLarge { bytes_max });
        }
        let share = host.body_memory.take(piece.len(), total);
        let share = share.ok_or(Refusal::Overloaded { what: "the memory for bodies" })?;
        // One permit for the small beginning, one for the rest.
        match memory.last_mut() {
            Some(last) if Arc::ptr_eq(last.semaphore(), share.semaphore()) => last.merge(share),
            _ => memory.push(share),
        }
        collected.push(piece);
    }
}

/// A body as it grows. One that comes in one piece isn't copied; more of them are put together, for a piece of a few
/// bytes may hold on to a large buffer.
#[derive(Default)]
struct Collected {
    first: Bytes,
    all: BytesMut,
}

impl Collected {
    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&piece);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

fn envoy_timeout(headers: &HeaderMap) -> Option<Duration> {
    let ms = headers.get(ENVOY_TIMEOUT)?.to_str().ok()?.parse().ok()?;
    // 0 is how Envoy says that there is none.
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn refuse(reason: NoPlace, what: &'static str) -> Refusal {
    match reason {
        NoPlace::Full => Refusal::Overloaded { what },
        NoPlace::TooLate => Refusal::QueuedTooLong,
    }
}
