//! The body of a response: handed over piece by piece, so that the host knows what its client takes, and when.

use crate::leftover::Upload;
use crate::memory::Holding;
use crate::write_tracker::{OnlyHead, Unsent};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A body whose memory stays charged until its last byte is written.
#[derive(Debug)]
pub struct ResponseBody {
    rest: Bytes,
    /// Whether there is more than one piece of it.
    is_large: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Some bytes.
    Owed(Arc<Owed>),
    /// None.
    Empty { _head: OnlyHead },
}

/// The response was given up: its client takes too little, or its memory was needed.
#[derive(Debug, thiserror::Error)]
#[error("the response was given up")]
pub struct GivenUp;

/// What lasts until body and pieces are dropped.
#[derive(Debug)]
struct Owed {
    holding: Holding,
    stop: CancellationToken,
    transfer: Mutex<Transfer>,
    _unsent: Unsent,
}

/// The piece that was handed over, and the next.
#[derive(Debug)]
struct Transfer {
    /// When the present piece was handed over; `None` once it is written.
    begun: Option<Instant>,
    /// What the next piece may have.
    bytes_max: usize,
    /// Wakes who waits for the present piece.
    waker: Option<Waker>,
    /// Tells who reads the rest of the request that the response is gone.
    _gone: Option<DropGuard>,
}

/// What has been handed over.
struct Piece {
    bytes: Bytes,
    owed: Arc<Owed>,
}

/// The largest frame of HTTP/2 that a peer takes by default (RFC 9113, section 4.2).
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// What a client takes in a second at the least, by default.
const PIECE_BYTES_MIN: usize = 1024;

/// A client counts as having taken a piece when it is handed over, and as stalled half a second later. So a slow one is
/// handed smaller pieces, each of which it takes in about this time.
const PIECE_TIME: Duration = Duration::from_millis(100);

impl ResponseBody {
    /// A body of `bytes`; `stop` ends what sends it.
    pub(crate) fn owed(bytes: Bytes, holding: Holding, stop: CancellationToken, unsent: Unsent) -> Self {
        let transfer = Transfer { begun: None, bytes_max: PIECE_BYTES_MAX, waker: None, _gone: None };
        let owed = Owed { holding, stop, transfer: Mutex::new(transfer), _unsent: unsent };
        Self { is_large: bytes.len() > PIECE_BYTES_MAX, rest: bytes, kind: Kind::Owed(Arc::new(owed)) }
    }

    /// A body of no bytes.
    pub(crate) fn empty(head: OnlyHead) -> Self {
        Self { is_large: false, rest: Bytes::new(), kind: Kind::Empty { _head: head } }
    }

    /// Reads what the client still sends of its HTTP/2 request while the response is on its way: h2 would keep it,
    /// uncounted, until the response is gone.
    pub(crate) fn discard_beside(&self, upload: Upload) {
        let Kind::Owed(owed) = &self.kind else { return };
        let gone = CancellationToken::new();
        upload.discard_until(gone.clone(), owed.stop.clone());
        owed.transfer()._gone = Some(gone.drop_guard());
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let body = self.get_mut();
        let Kind::Owed(owed) = &body.kind else { return Poll::Ready(None) };
        if owed.stop.is_cancelled() {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        let mut transfer = owed.transfer();
        if transfer.begun.is_some() {
            transfer.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        if body.rest.is_empty() {
            return Poll::Ready(None);
        }
        transfer.begun = Some(Instant::now());
        let piece = body.rest.split_to(body.rest.len().min(transfer.bytes_max));
        drop(transfer);
        owed.holding.moved(piece.len());
        // A slice of a large body would keep all of it, when the response is given up and the piece still waits for a
        // client that doesn't read.
        let bytes = if body.is_large { Bytes::copy_from_slice(&piece) } else { piece };
        let piece = Piece { bytes, owed: Arc::clone(owed) };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    /// Not before the last piece is written: until then its stream can be stopped.
    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Empty { .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Owed {
    fn transfer(&self) -> MutexGuard<'_, Transfer> {
        // Nothing that is done under the lock can panic halfway.
        self.transfer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfer {
    /// The present piece is written. Returns whom to wake.
    fn end_piece(&mut self) -> Option<Waker> {
        let took = self.begun.take().map_or(Duration::ZERO, |begun| begun.elapsed());
        let bytes = if took > PIECE_TIME { self.bytes_max / 2 } else { self.bytes_max * 2 };
        self.bytes_max = bytes.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
        self.waker.take()
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let waker = self.owed.transfer().end_piece();
        waker.into_iter().for_each(Waker::wake);
    }
}
