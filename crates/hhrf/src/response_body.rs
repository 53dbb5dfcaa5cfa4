//! The body of a response: handed to hyper in pieces, so that the host knows how fast its client reads.

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
    /// A body with bytes, to be written.
    Owed(Arc<Owed>),
    /// None.
    Empty { _head: OnlyHead },
}

/// The response was aborted: its client reads too slowly, or others needed its memory.
#[derive(Debug, thiserror::Error)]
#[error("the response was aborted")]
pub struct Aborted;

/// What lasts until body and pieces are dropped.
#[derive(Debug)]
struct Owed {
    holding: Holding,
    stop: CancellationToken,
    transfer: Mutex<Transfer>,
    _unsent: Unsent,
}

/// The state of the current piece, and the size of the next.
#[derive(Debug)]
struct Transfer {
    /// When the current piece was handed over; `None` once it is written.
    begun: Option<Instant>,
    /// The most bytes of the next piece.
    bytes_max: usize,
    /// Wakes the task that waits for the current piece.
    waker: Option<Waker>,
    /// Stops the task that discards the rest of the request.
    _gone: Option<DropGuard>,
}

/// A piece that was handed to hyper.
struct Piece {
    bytes: Bytes,
    owed: Arc<Owed>,
}

/// The largest frame of HTTP/2 that a peer takes by default (RFC 9113, section 4.2).
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// What a client must read in a second by the default of `--min-data-rate`; smaller pieces would cost more than they
/// tell.
const PIECE_BYTES_MIN: usize = 1024;

/// A client counts as having read a piece when it is handed over, and as stalled half a second later. So a slow client
/// gets smaller pieces, each of which it reads in about this time.
const PIECE_TIME: Duration = Duration::from_millis(100);

impl ResponseBody {
    /// A body of `bytes`; `stop` ends its stream or connection.
    pub(crate) fn owed(bytes: Bytes, holding: Holding, stop: CancellationToken, unsent: Unsent) -> Self {
        let transfer = Transfer { begun: None, bytes_max: PIECE_BYTES_MAX, waker: None, _gone: None };
        let owed = Owed { holding, stop, transfer: Mutex::new(transfer), _unsent: unsent };
        Self { is_large: bytes.len() > PIECE_BYTES_MAX, rest: bytes, kind: Kind::Owed(Arc::new(owed)) }
    }

    /// A body of no bytes.
    pub(crate) fn empty(head: OnlyHead) -> Self {
        Self { is_large: false, rest: Bytes::new(), kind: Kind::Empty { _head: head } }
    }

    /// Discards the rest of an HTTP/2 request while the response is being sent: h2 would keep it, uncharged, until
    /// then.
    pub(crate) fn discard_upload(&self, upload: Upload) {
        let Kind::Owed(owed) = &self.kind else { return };
        let gone = CancellationToken::new();
        upload.discard_until(gone.clone(), owed.stop.clone());
        owed.transfer()._gone = Some(gone.drop_guard());
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let body = self.get_mut();
        let Kind::Owed(owed) = &body.kind else { return Poll::Ready(None) };
        if owed.stop.is_cancelled() {
            return Poll::Ready(Some(Err(Aborted)));
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
        // A slice would keep all of a large body alive when the response is aborted and the piece still waits for its
        // client.
        let bytes = if body.is_large { Bytes::copy_from_slice(&piece) } else { piece };
        let piece = Piece { bytes, owed: Arc::clone(owed) };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    /// Never for a body with bytes, whose end is a `None` of `poll_frame`: until then the stream can be stopped.
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
    /// The current piece is written. Returns the waker of the task that waits for that.
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
