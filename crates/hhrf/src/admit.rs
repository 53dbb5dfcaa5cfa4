//! The stages `receive` and `admit`: a request's head is charged; its body is read; then it takes its permits. The deadline
//! runs from the end of the body on.

pub(crate) use crate::admitted::{AdmittedRequest, RequestBody, RequestFacts};

use crate::catalogue::Function;
use crate::host::Host;
use crate::identity::Identity;
use crate::leftover::Upload;
use crate::limiter::NoPermit;
use crate::memory::{Accounts, Full, Holding, SMALL_BYTES, Use, request_bytes};
use crate::refusal::Refusal;
use crate::route::RoutedRequest;
use crate::settings::HostLimits;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// A request whose head is charged.
#[derive(Debug)]
pub(crate) struct ReceivedRequest {
    routed: RoutedRequest,
    accounts: Accounts,
    head_bytes: usize,
    holding: Holding,
    arrival: Instant,
}

/// Envoy's own deadline for the request, in milliseconds.
const ENVOY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// How long before Envoy's deadline the host's is, so that the client gets the host's 504, whose `fezz-error` has the
/// kind of problem, and not Envoy's; and so that Envoy doesn't count its own timeout against the host. Envoy's time
/// runs already while the request travels and waits for a thread. Measured with 20 clients at a time on two processors:
/// answers reached the client 3 to 25 ms after the host's deadline, 108 ms with three busy threads for each processor.
const ENVOY_MARGIN_MAX: Duration = Duration::from_millis(150);

/// The margin takes at most a third of a short timeout.
const ENVOY_MARGIN_PART: u32 = 3;

/// Checks a request's head against its limits, and charges it to `accounts`.
///
/// # Errors
///
/// See [`Refusal`].
pub(crate) fn receive(
    host: &Host,
    routed: RoutedRequest,
    accounts: Accounts,
) -> Result<ReceivedRequest, Refusal> {
    let arrival = Instant::now();
    let (function, head) = (&routed.function, &routed.head);
    if host.is_draining() {
        return Err(Refusal::Draining);
    }
    check_headers(&head.headers, &host.settings.limits)?;
    // Checked before the body is read in vain.
    if function.home.limiter.is_full() {
        return Err(Refusal::Overloaded { what: "the function's queue" });
    }
    let head_bytes = request_bytes(head, routed.original_uri.as_ref());
    let holding = host.request_memory.hold(accounts.clone(), head_bytes)?;
    Ok(ReceivedRequest { routed, accounts, head_bytes, holding, arrival })
}

/// Reads the body within its limits, reserves memory for the response, then takes a permit of the function and one of
/// the host. In that order, so that no request holds a permit while it waits for a client or for memory.
///
/// # Errors
///
/// See [`Refusal`]; permits and memory taken so far are released.
pub(crate) async fn admit(
    host: &Host,
    received: ReceivedRequest,
    upload: &mut Upload,
    identity: Arc<Identity>,
    client_ip: Option<IpAddr>,
) -> Result<AdmittedRequest, Refusal> {
    let ReceivedRequest { routed, accounts, head_bytes, holding, arrival } = received;
    let function = &routed.function;
    if upload.bytes_min() > function.release.limits.request_body_bytes {
        return Err(Refusal::BodyTooLarge { bytes_max: function.release.limits.request_body_bytes });
    }
    let body = match upload.is_over() {
        true => RequestBody { bytes: Bytes::new(), holding: Arc::new(holding) },
        // Boxed, like each wait below that most requests don't have: otherwise every request would be moved with room
        // for it.
        false => Box::pin(read_body(host, function, upload, holding, head_bytes, arrival)).await?,
    };

    let mut deadline = Instant::now() + function.release.timeout;
    if let Some(envoy) = envoy_timeout(&routed.head.headers) {
        deadline = deadline.min(arrival + envoy);
    }
    // From here on the request counts for the function, too.
    body.holding.charge_also(&function.home.account)?;
    // Reserved before the function runs, so that it doesn't run in vain.
    let accounts = Accounts { function: Some(Arc::clone(&function.home.account)), ..accounts };
    let response_memory = match host.response_memory.hold(accounts.clone(), SMALL_BYTES) {
        Ok(holding) => holding,
        Err(_) => {
            let reserved = Box::pin(host.response_memory.hold_again(accounts, SMALL_BYTES));
            timeout_at(deadline, reserved).await.map_err(|_| Refusal::QueuedTooLong)??
        }
    };
    let of_function = function.home.limiter.acquire(deadline).await;
    let of_function = of_function.map_err(|reason| refuse(reason, "the function's queue"))?;
    let of_host = host.processes.acquire(deadline).await;
    let of_host = of_host.map_err(|reason| refuse(reason, "the host's queue"))?;
    let permits = [of_function, of_host];
    let RoutedRequest { function, params, head, original_uri } = routed;
    let facts = RequestFacts { function, params, head, original_uri, identity, client_ip, deadline };
    Ok(AdmittedRequest { facts, body, response_memory, permits, kept: None })
}

fn check_headers(headers: &HeaderMap, limits: &HostLimits) -> Result<(), Refusal> {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.header_bytes {
        return Err(Refusal::HeadersTooLarge { bytes, bytes_max: limits.header_bytes });
    }
    if headers.len() > limits.headers {
        return Err(Refusal::TooManyHeaders { headers: headers.len(), headers_max: limits.headers });
    }
    Ok(())
}

/// Reads the body, within its limits of size and time.
async fn read_body(
    host: &Host,
    function: &Function,
    upload: &mut Upload,
    holding: Holding,
    head_bytes: usize,
    arrival: Instant,
) -> Result<RequestBody, Refusal> {
    let bytes_max = function.release.limits.request_body_bytes;
    let limits = &host.settings.limits;
    let stop = CancellationToken::new();
    holding.wait_for_client(&stop, None);
    let received = collect(upload, bytes_max, head_bytes, &holding);
    let received = tokio::select! {
        biased;
        received = timeout_at(arrival + limits.body_timeout, received) => {
            received.unwrap_or(Err(Refusal::BodyTimeout { ms_max: limits.body_timeout.as_millis() }))
        }
        () = stop.cancelled() => Err(match holding.is_evicted() {
            true => Refusal::NoMemory(Full { r#use: Use::Requests }),
            false => Refusal::BodyTooSlow { bytes_per_second: limits.data_rate.bytes_per_second },
        }),
    };
    let bytes = received?;
    holding.settle()?;
    Ok(RequestBody { bytes, holding: Arc::new(holding) })
}

/// Collects the body. Its memory, on top of `head_bytes`, is charged before a piece is kept.
async fn collect(
    upload: &mut Upload,
    bytes_max: u64,
    head_bytes: usize,
    holding: &Holding,
) -> Result<Bytes, Refusal> {
    let announced = upload.bytes_announced().and_then(|bytes| usize::try_from(bytes).ok());
    let mut collected = Collected::new(announced);
    while let Some(frame) = upload.frame().await {
        // A message to a function has no trailers.
        let Ok(piece) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
        if (collected.bytes.len() + piece.len()) as u64 > bytes_max {
            return Err(Refusal::BodyTooLarge { bytes_max });
        }
        holding.moved(piece.len());
        holding.resize(head_bytes + collected.capacity_with(&piece))?;
        collected.push(&piece);
    }
    Ok(collected.bytes.into())
}

/// A body as it grows. The pieces are copied, since a piece of a few bytes may keep a large buffer alive.
struct Collected {
    bytes: Vec<u8>,
    announced: usize,
}

impl Collected {
    fn new(announced: Option<usize>) -> Self {
        Self { bytes: Vec::new(), announced: announced.unwrap_or(usize::MAX) }
    }

    /// The capacity once `piece` is added: twice what has arrived, but no more than the announced length.
    fn capacity_with(&self, piece: &Bytes) -> usize {
        let len = self.bytes.len() + piece.len();
        match self.bytes.capacity() {
            0 => len,
            capacity if len <= capacity => capacity,
            _ => self.announced.min(2 * len).max(len),
        }
    }

    fn push(&mut self, piece: &Bytes) {
        let capacity = self.capacity_with(piece);
        self.bytes.reserve_exact(capacity - self.bytes.len());
        self.bytes.extend_from_slice(piece);
    }
}

/// The time that the request may take in the host, so that its answer reaches Envoy before Envoy's own timeout.
fn envoy_timeout(headers: &HeaderMap) -> Option<Duration> {
    let ms = headers.get(ENVOY_TIMEOUT)?.to_str().ok()?.parse().ok()?;
    let timeout = Duration::from_millis(ms);
    // Envoy sends 0 when there is no timeout.
    (ms > 0).then(|| timeout - ENVOY_MARGIN_MAX.min(timeout / ENVOY_MARGIN_PART))
}

fn refuse(reason: NoPermit, what: &'static str) -> Refusal {
    match reason {
        NoPermit::Full => Refusal::Overloaded { what },
        NoPermit::TooLate => Refusal::QueuedTooLong,
    }
}
