//! One connection: from its first bytes to its end by either side.

use crate::arriving::{Arriving, HeadLimits};
use crate::head_clock::{HeadClock, HeadTimer};
use crate::host::Host;
use crate::leftover::linger;
use crate::memory::{Full, Use};
use crate::origin::{Origin, accounts};
use crate::pipeline;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::seldom::seldom;
use crate::socket::{self, OwnSocket};
use crate::stream::Streams;
use crate::version::{Version, first_bytes};
use crate::watched::{Heads, Http2Heads, Watched, Writes};
use crate::write_tracker::WriteTracker;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

/// From the accept to the first bytes that tell the version.
const FIRST_BYTES_WAIT_MAX: Duration = Duration::from_secs(10);

/// A connection whose client reads nothing for so long is ended.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// Time to write an answer, which the kernel takes at once.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);

/// Used when there is no memory for a head.
const NO_MEMORY: Refusal = Refusal::NoMemory(Full { r#use: Use::Requests });

const OVERDUE: &str = "the client read a response too slowly, or its memory was needed";

/// Serves one connection, HTTP/1.1 or HTTP/2, to its end.
pub(crate) async fn connection(
    host: Arc<Host>,
    builder: &Builder<Streams>,
    head_limits: HeadLimits,
    stream: TcpStream,
    origin: Origin,
) {
    // Without the timeout, a client that sends nothing would hold its permit for ever.
    let version = tokio::select! {
        version = timeout(FIRST_BYTES_WAIT_MAX, first_bytes(&stream)) => version,
        () = host.draining() => return,
    };
    let Ok(Ok(version)) = version else { return };
    let mut socket = match socket::prepare(&stream) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%error, "failed to serve a connection"),
    };
    let begun = Instant::now();
    let origin = Arc::new(origin);
    let served = Served::new(&host, version, &origin, head_limits);
    let end = served.run(&host, builder, stream, &mut socket, &origin).await;
    tracing::debug!(peer = %origin.peer, ?end, "connection ended");
    // It was closed, if the system has no room to watch it.
    let Ok(mut socket) = socket.into_watched() else { return };
    match end {
        ConnectionEnd::ByHyper | ConnectionEnd::ByClient => linger(&host, socket).await,
        ConnectionEnd::HeadRefused(refusal) => {
            answer_head(&host, &mut socket, refusal, begun.elapsed()).await;
            linger(&host, socket).await;
        }
        // Such a client gets no orderly end.
        ConnectionEnd::Reset(_) => socket::reset(socket),
        // The kernel still sends what it holds.
        ConnectionEnd::HostEnds => {}
    }
}

/// How a connection ended. Logged at debug level only, since each request has its own line.
#[derive(Debug)]
enum ConnectionEnd {
    /// hyper has served everything, or failed.
    ByHyper,
    /// The client closed its side.
    ByClient,
    /// An incomplete HTTP/1 head, which hyper doesn't answer.
    HeadRefused(Refusal),
    /// The client read or sent too little: the connection is reset.
    Reset(#[expect(dead_code, reason = "for the log")] &'static str),
    /// The host ends.
    HostEnds,
}

/// What is known of a connection while hyper serves it.
struct Served {
    version: Version,
    clock: Arc<HeadClock>,
    arriving: Arc<Arriving>,
    writes: Arc<Writes>,
}

impl Served {
    fn new(host: &Host, version: Version, origin: &Origin, limits: HeadLimits) -> Self {
        Self {
            version,
            clock: HeadClock::new(host.settings.limits.head_timeout),
            arriving: Arriving::new(
                &host.request_memory,
                accounts(host, &origin.connection, &origin.address),
                limits,
            ),
            writes: Arc::default(),
        }
    }

    /// Has hyper serve the connection until one side ends it.
    async fn run(
        &self,
        host: &Arc<Host>,
        builder: &Builder<Streams>,
        stream: TcpStream,
        socket: &mut OwnSocket,
        origin: &Arc<Origin>,
    ) -> ConnectionEnd {
        let limits = &host.settings.limits;
        let tracker = &origin.tracker;
        let service = service_fn(|request| {
            let begun = pipeline::begin(host, origin, request);
            pipeline::answer(Arc::clone(host), Arc::clone(origin), begun)
        });
        let mut builder = builder.clone();
        builder
            .http1()
            .timer(HeadTimer { clock: Arc::clone(&self.clock), arriving: Arc::clone(&self.arriving) });
        let mut served =
            std::pin::pin!(builder.serve_connection(TokioIo::new(self.watched(stream)), service));
        let mut ended_otherwise = seldom(self.ended_otherwise(host, tracker));
        let mut graceful_end = seldom(async {
            tokio::select! {
                () = host.draining() => {}
                // On HTTP/1 the head clock ends idle connections.
                () = tracker.idle(limits.keep_alive), if self.version == Version::Http2 => {}
            }
        });
        let mut is_leaving = false;
        loop {
            tokio::select! {
                // hyper first, so that `busy` knows of the requests that it has just begun.
                biased;
                served = tracker.follow(served.as_mut(), &self.writes) => break self.end(served.err(), host, tracker),
                () = async { tracker.busy().await; socket.client_gone().await } => break ConnectionEnd::ByClient,
                end = &mut ended_otherwise => break end,
                // Requests in flight are finished, and HTTP/2 clients are told to send no more (GOAWAY).
                () = &mut graceful_end, if !is_leaving => {
                    is_leaving = true;
                    served.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Waits until neither hyper nor the client ends the connection.
    async fn ended_otherwise(&self, host: &Host, tracker: &WriteTracker) -> ConnectionEnd {
        let head_timeout = host.settings.limits.head_timeout;
        tokio::select! {
            () = self.arriving.evicted() => self.evicted(),
            () = self.arriving.late(head_timeout), if self.version == Version::Http2 => ConnectionEnd::Reset("a head came too slowly"),
            () = tracker.overdue() => ConnectionEnd::Reset(OVERDUE),
            () = host.cutting_off() => ConnectionEnd::Reset("the host ends at once"),
            () = async { host.draining().await; tracker.settled().await } => ConnectionEnd::HostEnds,
        }
    }

    fn watched(&self, stream: TcpStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_STALL_MAX));
        let heads = match self.version {
            Version::Http1 => Heads::Http1(Arc::clone(&self.clock)),
            Version::Http2 => Heads::Http2(Http2Heads::new(Arc::clone(&self.arriving))),
        };
        Watched::new(Box::pin(stream), heads, Arc::clone(&self.writes))
    }

    /// How the connection ended, once hyper is done with it.
    fn end(
        &self,
        error: Option<Box<dyn Error + Send + Sync>>,
        host: &Host,
        tracker: &WriteTracker,
    ) -> ConnectionEnd {
        // hyper may end first, by the error of the response's body.
        if tracker.is_overdue() {
            return ConnectionEnd::Reset(OVERDUE);
        }
        let Some(error) = error else { return ConnectionEnd::ByHyper };
        if self.arriving.is_evicted() {
            return self.evicted();
        }
        if self.writes.has_failed() {
            return ConnectionEnd::Reset("the client read nothing for too long");
        }
        if self.version == Version::Http1 && is_timeout(&*error) && self.clock.has_begun() {
            let ms_max = host.settings.limits.head_timeout.as_millis();
            return self.refused_head(Refusal::HeadTimeout { ms_max });
        }
        ConnectionEnd::ByHyper
    }

    /// The memory of a head, or of the buffer, is needed. A request in flight may have run, and its response may be half
    /// written: its client must not be told that it can be retried.
    fn evicted(&self) -> ConnectionEnd {
        match self.version {
            Version::Http1 if !self.clock.is_awaited() => {
                ConnectionEnd::Reset("the memory of its buffer was needed")
            }
            _ => self.refused_head(NO_MEMORY),
        }
    }

    /// An HTTP/1 client gets an answer, unless other bytes to it are blocked. An idle connection is closed as at its
    /// timeout.
    fn refused_head(&self, refusal: Refusal) -> ConnectionEnd {
        match self.version {
            Version::Http1 if !self.clock.has_begun() => ConnectionEnd::ByHyper,
            Version::Http1 if !self.writes.is_blocked() => ConnectionEnd::HeadRefused(refusal),
            _ => ConnectionEnd::Reset("a head was refused"),
        }
    }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
}

/// Answers an incomplete head, which hyper doesn't; nothing else is being sent.
async fn answer_head(host: &Host, socket: &mut TcpStream, refusal: Refusal, duration: Duration) {
    let answer = Problem::Refused(refusal);
    let kind = answer.kind();
    host.metrics.series.record_without_function(kind.status.as_u16(), kind.word, duration);
    // The kernel takes all of it at once, since nothing else is being sent; or the client is gone.
    let sent = timeout(ANSWER_WAIT_MAX, socket.write_all(&answer.into_http_1())).await;
    sent.map(Result::unwrap_or_default).unwrap_or_default();
}
