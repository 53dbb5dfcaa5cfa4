//! The body of a response: handed to hyper in pieces, so that the host knows how fast its client reads.

use crate::access_log::RequestRecord;
use crate::execute::{AnswerBody, AnswerBytes, Failure};
use crate::leftover::Upload;
use crate::log;
use crate::memory::{Holding, SMALL_BYTES};
use crate::write_tracker::{OnlyHead, Unsent, WriteTracker};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A body whose memory stays charged until its last byte is written.
#[derive(Debug)]
pub(crate) struct ResponseBody(Kind);

#[derive(Debug)]
enum Kind {
    /// A body with bytes, to be written.
    Owed(Box<Unfinished>),
    /// None.
    Empty { _head: OnlyHead },
}

/// What isn't handed over yet.
#[derive(Debug)]
struct Unfinished {
    bytes: AnswerBytes,
    /// Of the last bytes that arrived.
    rest: Bytes,
    /// Whether `rest` is handed over in more than one piece.
    is_large: bool,
    owed: Arc<Owed>,
    /// Ends with the last byte.
    record: Option<RequestRecord>,
}

/// The response was aborted: its client reads too slowly, others needed its memory, or its function failed.
#[derive(Debug, thiserror::Error)]
#[error("the response was aborted")]
pub(crate) struct Aborted;

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

/// A client that hasn't read what arrived from the function by then holds memory that others need.
const PIECES_READ_WITHIN: Duration = Duration::from_secs(120);

impl ResponseBody {
    /// The body of an answer, whose memory stays charged until the last byte has been written. `record` ends with it.
    pub(crate) fn owed(tracker: &Arc<WriteTracker>, body: AnswerBody, record: Option<RequestRecord>) -> Self {
        let AnswerBody { bytes, holding } = body;
        let length = match &bytes {
            AnswerBytes::Whole(bytes) => Some(bytes.len()),
            AnswerBytes::Arriving(_) => None,
        };
        let (unsent, stop) = tracker.owe(length, &holding);
        let transfer = Transfer { begun: None, bytes_max: PIECE_BYTES_MAX, waker: None, _gone: None };
        let owed = Owed { holding, stop, transfer: Mutex::new(transfer), _unsent: unsent };
        let unfinished =
            Unfinished { bytes, rest: Bytes::new(), is_large: false, owed: Arc::new(owed), record };
        Self(Kind::Owed(Box::new(unfinished)))
    }

    /// No body, for a response whose head takes `head_bytes`.
    pub(crate) fn empty(tracker: &Arc<WriteTracker>, head_bytes: usize) -> Self {
        Self(Kind::Empty { _head: tracker.owe_head(head_bytes) })
    }

    /// Discards the rest of an HTTP/2 request while the response is being sent: h2 would keep it, uncharged, until
    /// then.
    pub(crate) fn discard_upload(&self, upload: Upload) {
        let Kind::Owed(unfinished) = &self.0 else { return };
        let gone = CancellationToken::new();
        upload.discard_until(gone.clone(), unfinished.owed.stop.clone());
        unfinished.owed.transfer()._gone = Some(gone.drop_guard());
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut self.get_mut().0 {
            Kind::Owed(unfinished) => unfinished.poll_piece(context).map_ok(Frame::data),
            Kind::Empty { .. } => Poll::Ready(None),
        }
    }

    /// Never for a body with bytes, whose end is a `None` of `poll_frame`: until then the stream can be stopped.
    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Empty { .. })
    }

    fn size_hint(&self) -> SizeHint {
        let Kind::Owed(unfinished) = &self.0 else { return SizeHint::with_exact(0) };
        let mut hint = match &unfinished.bytes {
            AnswerBytes::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            AnswerBytes::Arriving(pieces) => pieces.size_hint(),
        };
        let rest = unfinished.rest.len() as u64;
        hint.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

impl Unfinished {
    /// The next piece, once the one before is written.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        if self.owed.stop.is_cancelled() {
            return self
                .abort(|| "the client read too slowly, or the memory of the response was needed".to_owned());
        }
        let mut transfer = self.owed.transfer();
        if transfer.begun.is_some() {
            transfer.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(transfer);
        if self.rest.is_empty() {
            match ready!(self.poll_arrival(context)) {
                None => {
                    self.complete();
                    return Poll::Ready(None);
                }
                Some(Err(failure)) => return self.abort(|| log::chain(&failure)),
                Some(Ok(bytes)) => (self.is_large, self.rest) = (bytes.len() > PIECE_BYTES_MAX, bytes),
            }
        }
        let piece = self.next_piece();
        if self.is_over() {
            // Its client must not see the end of a response whose line isn't written.
            self.complete();
        }
        Poll::Ready(Some(Ok(piece)))
    }

    /// The next bytes from the function, charged.
    fn poll_arrival(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let holding = &self.owed.holding;
        let pieces = match &mut self.bytes {
            AnswerBytes::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            AnswerBytes::Whole(bytes) => return Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            AnswerBytes::Arriving(pieces) => pieces,
        };
        // Its client has read what there was.
        if let Err(full) = holding.settle() {
            return Poll::Ready(Some(Err(Failure::ResponseDropped(full))));
        }
        loop {
            let frame = match ready!(pieces.as_mut().poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                Some(Ok(frame)) => frame,
            };
            // An answer has no trailers yet.
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            if let Err(full) = holding.resize(bytes.len().max(SMALL_BYTES)) {
                return Poll::Ready(Some(Err(Failure::ResponseDropped(full))));
            }
            holding.wait_for_client(&self.owed.stop, Some(PIECES_READ_WITHIN));
            return Poll::Ready(Some(Ok(bytes)));
        }
    }

    fn next_piece(&mut self) -> Bytes {
        let now = Instant::now();
        let mut transfer = self.owed.transfer();
        transfer.begun = Some(now);
        let piece = self.rest.split_to(self.rest.len().min(transfer.bytes_max));
        drop(transfer);
        self.owed.holding.moved_at(piece.len(), now);
        // A slice would keep all of a large body alive when the response is aborted and the piece still waits for its
        // client.
        let bytes = if self.is_large { Bytes::copy_from_slice(&piece) } else { piece };
        Bytes::from_owner(Piece { bytes, owed: Arc::clone(&self.owed) })
    }

    /// Whether it is certain that nothing follows: then hyper may ask no more.
    fn is_over(&self) -> bool {
        let is_last = match &self.bytes {
            AnswerBytes::Whole(bytes) => bytes.is_empty(),
            AnswerBytes::Arriving(pieces) => pieces.is_end_stream() || pieces.size_hint().exact() == Some(0),
        };
        is_last && self.rest.is_empty()
    }

    fn complete(&mut self) {
        if let Some(record) = self.record.take() {
            record.complete();
        }
    }

    fn abort<T>(&mut self, reason: impl FnOnce() -> String) -> Poll<Option<Result<T, Aborted>>> {
        if let Some(record) = self.record.take() {
            record.abort(reason());
        }
        Poll::Ready(Some(Err(Aborted)))
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
