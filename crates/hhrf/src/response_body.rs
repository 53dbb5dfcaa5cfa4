//! The body of a response: handed over piece by piece, so that the host knows what its client takes, and when.

use crate::memory::Holding;
use crate::sending::Unsent;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio_util::sync::CancellationToken;

/// A body whose memory stays charged until its last byte is written.
#[derive(Debug, Default)]
pub struct ResponseBody {
    rest: Bytes,
    /// Whether there is more than one piece of it.
    is_large: bool,
    /// `None` for a body of no bytes.
    owed: Option<Arc<Owed>>,
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
    on_its_way: Mutex<OnItsWay>,
    _unsent: Unsent,
}

/// Whether a piece was handed over and isn't written yet.
#[derive(Debug, Default)]
struct OnItsWay {
    is_any: bool,
    waker: Option<Waker>,
}

/// What has been handed over.
struct Piece {
    bytes: Bytes,
    owed: Arc<Owed>,
}

/// The largest frame of HTTP/2 that a peer takes by default (RFC 9113, section 4.2). A client counts as having taken a
/// piece when it is handed over, so that pieces have to be small beside what the data rate demands.
const PIECE_BYTES: usize = 16 * 1024;

impl ResponseBody {
    /// A body of `bytes`; `stop` ends whatever sends it.
    pub(crate) fn owed(bytes: Bytes, holding: Holding, stop: CancellationToken, unsent: Unsent) -> Self {
        let owed = Owed { holding, stop, on_its_way: Mutex::default(), _unsent: unsent };
        Self { is_large: bytes.len() > PIECE_BYTES, rest: bytes, owed: Some(Arc::new(owed)) }
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
        let Some(owed) = &body.owed else { return Poll::Ready(None) };
        if owed.stop.is_cancelled() {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        let mut on_its_way = owed.on_its_way();
        if on_its_way.is_any {
            on_its_way.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        if body.rest.is_empty() {
            return Poll::Ready(None);
        }
        on_its_way.is_any = true;
        drop(on_its_way);
        let piece = body.rest.split_to(body.rest.len().min(PIECE_BYTES));
        owed.holding.moved(piece.len());
        // A slice of a large body would keep all of it, when the response is given up and the piece still waits for a
        // client that doesn't read.
        let bytes = if body.is_large { Bytes::copy_from_slice(&piece) } else { piece };
        let piece = Piece { bytes, owed: Arc::clone(owed) };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    /// Not before the last piece is written: until then its stream can be stopped.
    fn is_end_stream(&self) -> bool {
        self.owed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Owed {
    fn on_its_way(&self) -> MutexGuard<'_, OnItsWay> {
        // Nothing that is done under the lock can panic halfway.
        self.on_its_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let waker = std::mem::take(&mut *self.owed.on_its_way()).waker;
        waker.into_iter().for_each(Waker::wake);
    }
}
