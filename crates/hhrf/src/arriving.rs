//! Incomplete heads: the memory that hyper holds for a head is charged before its request begins. What fits into the
//! connection's own buffer isn't charged, so a normal head in several packets costs nothing and isn't refused while the
//! memory is full.

use crate::memory::{Accounts, Full, Holding, Memory};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The incomplete heads of one connection.
#[derive(Debug)]
pub(crate) struct Arriving {
    memory: Arc<Memory>,
    accounts: Accounts,
    /// The most that hyper takes of a head.
    limits: HeadLimits,
    /// Ends the connection when there is no memory for its head, or others need it.
    stop: CancellationToken,
    /// When the incomplete HTTP/2 head began.
    begun: watch::Sender<Option<Instant>>,
}

/// What hyper and h2 take of a head before they refuse it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// The buffer of an HTTP/1 connection.
    pub http_1_bytes: usize,
    /// Names and values of an HTTP/2 head, with 32 bytes for each.
    pub http_2_bytes: usize,
}

/// One head, until it is complete.
#[derive(Debug)]
pub(crate) struct Head {
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
    pub(crate) fn new(memory: &Arc<Memory>, accounts: Accounts, limits: HeadLimits) -> Arc<Self> {
        let (memory, stop) = (Arc::clone(memory), CancellationToken::new());
        Arc::new(Self { memory, accounts, limits, stop, begun: watch::Sender::new(None) })
    }

    pub(crate) fn head(self: &Arc<Self>) -> Head {
        Head { of: Arc::clone(self), came_bytes: 0, holding: None }
    }

    /// A new HTTP/1 head, read into a buffer whose memory may be charged already.
    pub(crate) fn http_1_head(self: &Arc<Self>, buffer: Option<Holding>) -> Head {
        Head { of: Arc::clone(self), came_bytes: 0, holding: buffer }
    }

    /// Waits until the connection must end because there is no memory for its head.
    pub(crate) async fn evicted(&self) {
        self.stop.cancelled().await;
    }

    /// Whether it must end for that reason.
    pub(crate) fn is_evicted(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Sets when the incomplete HTTP/2 head began; `None` if there is none.
    pub(crate) fn set_begun(&self, begun: Option<Instant>) {
        self.begun.send_replace(begun);
    }

    /// Waits until an HTTP/2 head has taken longer than `time_max`.
    pub(crate) async fn late(&self, time_max: Duration) {
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
                // `self` owns the sender, so this can't fail.
                _ = begun.changed() => {}
            }
        }
    }
}

impl Head {
    /// The memory of an HTTP/1 connection's buffer, which outlives the head: hyper never gives it up.
    pub(crate) fn take_buffer(&mut self) -> Option<Holding> {
        self.holding.take()
    }

    /// `bytes` of an HTTP/1 head have arrived; hyper's buffer has held up to `buffer_bytes`.
    pub(crate) fn http_1_came(&mut self, bytes: usize, buffer_bytes: usize) {
        if buffer_bytes <= BUFFER_BYTES {
            return;
        }
        // The buffer doubles as it grows.
        let takes = buffer_bytes.min(self.of.limits.http_1_bytes).saturating_mul(2);
        // On failure, `evicted` ends the connection; hyper waits for more bytes until then.
        self.charge(bytes, takes).unwrap_or_default();
    }

    /// `decoded_bytes` of an HTTP/2 head have arrived that h2 has decoded or is about to, and `raw_bytes` of an
    /// incomplete frame.
    ///
    /// # Errors
    ///
    /// [`Full`]: the connection must end, and h2 must not decode the bytes.
    pub(crate) fn http_2_came(&mut self, decoded_bytes: usize, raw_bytes: usize) -> Result<(), Full> {
        // An incomplete frame of any kind stays in the connection's buffer.
        if decoded_bytes == 0 {
            return Ok(());
        }
        let decoded_max = self.of.limits.http_2_bytes / HTTP_2_COUNTED_MIN * HTTP_2_HEADER_BYTES;
        let decoded = (decoded_bytes * HTTP_2_OCTET_BYTES).min(decoded_max);
        self.charge(decoded_bytes + raw_bytes, BUFFER_BYTES + decoded + 2 * raw_bytes)
    }

    /// Charges `takes` bytes in all, if more of the head has arrived than before.
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
