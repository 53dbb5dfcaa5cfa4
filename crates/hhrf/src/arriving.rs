//! The head that arrives on a connection and isn't whole: what hyper holds of it is charged before the request is there.
//! What fits into the buffer that each connection has is not: so a head that comes in some parts, as any may, costs nothing
//! here, and isn't refused when the memory is full for a moment.

use crate::memory::{Accounts, Full, Holding, Memory};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The heads of one connection.
#[derive(Debug)]
pub struct Arriving {
    memory: Arc<Memory>,
    accounts: Accounts,
    /// What hyper makes of them at most.
    limits: HeadLimits,
    /// Ends the connection: there is no memory for its head, or it is needed.
    stop: CancellationToken,
    /// When the head that arrives by HTTP/2 began.
    begun: watch::Sender<Option<Instant>>,
}

/// What hyper and h2 take of a head before they refuse it.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// The buffer of an HTTP/1 connection.
    pub http_1_bytes: usize,
    /// Names and values of an HTTP/2 head, with 32 bytes for each.
    pub http_2_bytes: usize,
}

/// One head, until it is whole.
#[derive(Debug)]
pub struct Head {
    of: Arc<Arriving>,
    came_bytes: usize,
    holding: Option<Holding>,
}

/// The buffer that hyper gives to each connection.
const BUFFER_BYTES: usize = 8 * 1024;

/// What h2 holds for an octet of a head: it can stand for a header (RFC 7541, section 6.1), which is an entry of a
/// `HeaderMap`. Measured with 300 heads of 100 to 2000 such octets: 74 to 99 bytes.
const HTTP_2_OCTET_BYTES: usize = 100;

/// What h2 holds of a header at the most, where its name and value stand in h2's table, too. Measured: 214 bytes.
const HTTP_2_HEADER_BYTES: usize = 224;

/// What h2 counts of a header at the least (RFC 9113, section 6.5.2): its overhead, and a name of one letter.
const HTTP_2_COUNTED_MIN: usize = 33;

impl Arriving {
    /// Of a connection that has just begun.
    pub fn new(memory: &Arc<Memory>, accounts: Accounts, limits: HeadLimits) -> Arc<Self> {
        let (memory, stop) = (Arc::clone(memory), CancellationToken::new());
        Arc::new(Self { memory, accounts, limits, stop, begun: watch::Sender::new(None) })
    }

    /// A head that begins.
    pub fn head(self: &Arc<Self>) -> Head {
        Head { of: Arc::clone(self), came_bytes: 0, holding: None }
    }

    /// Waits until the connection has to end, since there is no memory for its head.
    pub async fn evicted(&self) {
        self.stop.cancelled().await;
    }

    /// Whether it has to.
    pub fn is_evicted(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Says when the HTTP/2 head began that arrives, or that none does.
    pub fn set_begun(&self, begun: Option<Instant>) {
        self.begun.send_replace(begun);
    }

    /// Waits until an HTTP/2 head has taken longer than `time_max`.
    pub async fn late(&self, time_max: Duration) {
        let mut begun = self.begun.subscribe();
        loop {
            let end = begun.borrow_and_update().map(|begun| begun + time_max);
            let end = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => return,
                // The sender is this one's own.
                _ = begun.changed() => {}
            }
        }
    }
}

impl Head {
    /// So many bytes of an HTTP/1 head have come, for which hyper has a buffer that has held so many.
    pub fn http_1_came(&mut self, bytes: usize, buffer_bytes: usize) {
        if buffer_bytes <= BUFFER_BYTES {
            return;
        }
        // It doubles as it grows.
        let takes = buffer_bytes.min(self.of.limits.http_1_bytes).saturating_mul(2);
        // The connection ends by `evicted`, and hyper waits for more until then.
        self.charge(bytes, takes).unwrap_or_default();
    }

    /// So many bytes of an HTTP/2 head have come that h2 has decoded, or is about to, and so many of a frame that isn't
    /// whole.
    ///
    /// # Errors
    ///
    /// [`Full`]: the connection has to end, and h2 may not decode them.
    pub fn http_2_came(&mut self, decoded_bytes: usize, raw_bytes: usize) -> Result<(), Full> {
        // A frame that isn't whole lies in the buffer, whatever its kind.
        if decoded_bytes == 0 {
            return Ok(());
        }
        let decoded_max = self.of.limits.http_2_bytes / HTTP_2_COUNTED_MIN * HTTP_2_HEADER_BYTES;
        let decoded = (decoded_bytes * HTTP_2_OCTET_BYTES).min(decoded_max);
        self.charge(decoded_bytes + raw_bytes, BUFFER_BYTES + decoded + 2 * raw_bytes)
    }

    /// Has it charged with `takes`, if more of it has come than before.
    fn charge(&mut self, came_bytes: usize, takes: usize) -> Result<(), Full> {
        let more = came_bytes - self.came_bytes;
        if more == 0 && self.holding.is_some() {
            return Ok(());
        }
        self.came_bytes = came_bytes;
        let charged = match &mut self.holding {
            Some(holding) => {
                holding.moved(more);
                holding.resize(takes)
            }
            None => self.of.memory.hold(self.of.accounts.clone(), takes).map(|holding| {
                holding.wait_for_connection(&self.of.stop);
                self.holding = Some(holding);
            }),
        };
        charged.inspect_err(|_| self.of.stop.cancel())
    }
}
