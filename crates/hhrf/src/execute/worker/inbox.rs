//! What a worker sends: read in turns, checked frame by frame, and each response given to its request.

use super::connection::{Connection, Wanted};
use super::end::{Kill, Violation};
use super::frame_reader::{FrameReader, Piece};
use super::in_flight::Reply;
use super::payload;
use crate::execute::failure::Failure;
use crate::execute::load::LoadFailure;
use crate::memory::{Full, SMALL_BYTES, Use};
use bytes::Bytes;
use fezz_wire::frame::{Format, Header, Kind, VERSION};
use rustix::io::Errno;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The stream of one worker.
#[derive(Debug)]
pub(super) struct Inbox {
    connection: Arc<Connection>,
    body_bytes_max: u64,
    buffer: Vec<u8>,
    frames: FrameReader,
    arriving: Arriving,
    /// The number of the ping that it owes an answer to.
    ping: Option<u64>,
    /// Pings so far.
    pings: u64,
    /// Whether anything has arrived since this was last asked.
    has_heard: bool,
}

/// The frame whose payload is arriving.
#[derive(Debug, Default)]
enum Arriving {
    #[default]
    Nothing,
    /// A response that its request waits for.
    Response { id: u64, payload: Vec<u8>, length: usize, stop: CancellationToken },
    /// A response that is read and thrown away.
    Unwanted { id: u64 },
}

/// How a turn of reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There is nothing more to read now.
    Empty,
    /// There may be more.
    HasMore,
    /// There will be nothing more.
    Ended,
}

/// What is read at once: nearly all responses, in one call.
const BUFFER_BYTES: usize = 64 * 1024;

/// The most that is read before other tasks get a turn.
const TURN_BYTES: usize = 1024 * 1024;

/// A large response grows to what it announces, but not faster than it arrives: a worker could announce anything.
const GROWTH: usize = 4;

impl Inbox {
    pub(super) fn new(connection: Arc<Connection>, body_bytes_max: u64) -> Self {
        Self {
            connection,
            body_bytes_max,
            buffer: vec![0; BUFFER_BYTES],
            frames: FrameReader::default(),
            arriving: Arriving::Nothing,
            ping: None,
            pings: 0,
            has_heard: false,
        }
    }

    /// Waits for its first frame, which must be the hello; `None` if the stream ends before it.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub(super) async fn hello(&mut self) -> Result<Option<()>, LoadFailure> {
        while self.connection.format() == Format::None {
            match self.turn().await {
                Ok(Turn::Ended) => return Ok(None),
                Ok(Turn::Empty | Turn::HasMore) => {}
                Err(violation) => return Err(LoadFailure::NoHello(violation)),
            }
        }
        Ok(Some(()))
    }

    /// Reads for as long as there is something to read, and waits for more; returns at the stream's end. May be dropped and
    /// called again.
    ///
    /// # Errors
    ///
    /// The worker has broken the protocol.
    pub(super) async fn receive(&mut self) -> Result<(), Kill> {
        loop {
            self.forget_unwanted();
            let stop = match &self.arriving {
                Arriving::Response { stop, .. } => Some(stop.clone()),
                Arriving::Nothing | Arriving::Unwanted { .. } => None,
            };
            let turn = match stop {
                None => self.turn().await,
                Some(stop) => tokio::select! {
                    biased;
                    turn = self.turn() => turn,
                    () = stop.cancelled() => {
                        self.throw_away(Failure::ResponseDropped(Full { r#use: Use::Responses }));
                        Ok(Turn::Empty)
                    }
                },
            };
            match turn.map_err(Kill::Violation)? {
                Turn::Ended => return Ok(()),
                Turn::Empty => {}
                Turn::HasMore => tokio::task::yield_now().await,
            }
        }
    }

    /// Reads what an ended worker has left.
    ///
    /// # Errors
    ///
    /// As [`Self::receive`].
    pub(super) fn take_rest(&mut self) -> Result<(), Violation> {
        while self.take()? == Turn::HasMore {}
        Ok(())
    }

    /// Asks the worker whether it is alive, if it has no requests.
    pub(super) fn ping(&mut self) {
        if self.connection.ping(self.pings) {
            self.ping = Some(self.pings);
            self.pings += 1;
        }
    }

    /// Whether it owes the answer to a ping.
    pub(super) fn is_asked(&self) -> bool {
        self.ping.is_some()
    }

    /// Whether anything has arrived since the last call.
    pub(super) fn has_heard(&mut self) -> bool {
        std::mem::take(&mut self.has_heard)
    }

    async fn turn(&mut self) -> Result<Turn, Violation> {
        let connection = Arc::clone(&self.connection);
        // An error would come from the runtime itself; then nothing more arrives.
        let Ok(mut ready) = connection.socket().readable().await else { return Ok(Turn::Ended) };
        let turn = self.take()?;
        if turn == Turn::Empty {
            ready.clear_ready();
        }
        Ok(turn)
    }

    fn take(&mut self) -> Result<Turn, Violation> {
        let connection = Arc::clone(&self.connection);
        for _ in 0..TURN_BYTES / BUFFER_BYTES {
            // Moved out and back, so that frames can be handled while they lie in it.
            let mut buffer = std::mem::take(&mut self.buffer);
            let read = rustix::io::read(&*connection, &mut buffer[..]);
            let handled = match read {
                Ok(bytes) => self.handle_all(&buffer[..bytes]),
                Err(_) => Ok(()),
            };
            self.buffer = buffer;
            handled?;
            match read {
                Ok(0) => return self.ended(),
                // Also after less than it asked for: the kernel ends a read at descriptors that come along (unix(7)) and at
                // urgent data. What is behind them would cause no new event.
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Turn::Empty),
                // It was reset, with bytes that it hadn't read.
                Err(_) => return self.ended(),
            }
        }
        Ok(Turn::HasMore)
    }

    fn ended(&self) -> Result<Turn, Violation> {
        match self.frames.is_between_frames() {
            true => Ok(Turn::Ended),
            false => Err(Violation::Torn),
        }
    }

    fn handle_all(&mut self, mut input: &[u8]) -> Result<(), Violation> {
        self.has_heard |= !input.is_empty();
        while let Some(piece) = self.frames.next(&mut input)? {
            match piece {
                Piece::Begin(header) => self.begin(header, input.len())?,
                Piece::Payload(part) => self.append(part),
                Piece::End => self.end(),
            }
        }
        Ok(())
    }

    fn begin(&mut self, header: Header, arrived: usize) -> Result<(), Violation> {
        match (self.connection.format(), header.kind) {
            (Format::None, Kind::Hello) => {
                if header.id != VERSION {
                    return Err(Violation::Version(header.id));
                }
                let is_default = header.format == Format::None;
                self.connection.open(if is_default { Format::Json } else { header.format });
            }
            (Format::None, kind) => return Err(Violation::NoHello(kind)),
            (chosen, Kind::Response) => self.begin_response(header, chosen, arrived)?,
            (_, Kind::Pong) => match self.ping.take_if(|ping| *ping == header.id) {
                Some(_) => {}
                None => return Err(Violation::UnaskedPong),
            },
            (_, kind @ (Kind::Hello | Kind::Request | Kind::Cancel | Kind::Ping)) => {
                return Err(Violation::Kind(kind));
            }
        }
        Ok(())
    }

    fn begin_response(&mut self, header: Header, chosen: Format, arrived: usize) -> Result<(), Violation> {
        let Header { id, format: found, length, .. } = header;
        // One that hasn't chosen may leave the format out.
        if found != chosen && !(chosen == Format::Json && found == Format::None) {
            return Err(Violation::Format { found, chosen });
        }
        let (bytes, bytes_max) = (length as usize, payload::response_bytes_max(chosen, self.body_bytes_max));
        let wanted = self.connection.begin_response(id)?;
        if bytes > bytes_max {
            return Err(Violation::TooLarge { bytes, bytes_max });
        }
        self.arriving = match wanted {
            Wanted::No => Arriving::Unwanted { id },
            Wanted::Yes => Arriving::Response {
                id,
                payload: Vec::with_capacity(bytes.min(arrived)),
                length: bytes,
                stop: CancellationToken::new(),
            },
        };
        Ok(())
    }

    fn append(&mut self, part: &[u8]) {
        let Arriving::Response { id, payload, length, stop } = &mut self.arriving else { return };
        let needed = payload.len() + part.len();
        if needed > payload.capacity() {
            // Larger, and charged before.
            let capacity = needed.max((payload.len() * GROWTH).min(*length));
            if capacity > SMALL_BYTES {
                let charged = self.connection.with_holding(*id, |holding| {
                    let charged = holding.resize(capacity);
                    holding.wait_for_function(stop);
                    charged
                });
                match charged {
                    Some(Ok(())) => {}
                    Some(Err(full)) => return self.throw_away(Failure::ResponseDropped(full)),
                    None => return self.forget_unwanted(),
                }
            }
            payload.reserve_exact(capacity - payload.len());
        }
        payload.extend_from_slice(part);
        if *length > SMALL_BYTES {
            self.connection.with_holding(*id, |holding| holding.moved(part.len()));
        }
    }

    /// The client of the request whose response is arriving may have gone: then its memory isn't charged any more.
    fn forget_unwanted(&mut self) {
        if let Arriving::Response { id, .. } = self.arriving
            && !self.connection.is_wanted(id)
        {
            self.arriving = Arriving::Unwanted { id };
        }
    }

    /// There is no memory for the response that is arriving.
    fn throw_away(&mut self, failure: Failure) {
        if let Arriving::Response { id, .. } = self.arriving {
            self.connection.drop_response(id, failure);
            self.arriving = Arriving::Unwanted { id };
        }
    }

    fn end(&mut self) {
        match std::mem::take(&mut self.arriving) {
            // Hello or pong.
            Arriving::Nothing => {}
            Arriving::Unwanted { id } => {
                let dropped = |_| Reply::Failed(Failure::ResponseDropped(Full { r#use: Use::Responses }));
                self.connection.end_response(id, dropped);
            }
            Arriving::Response { id, payload, length, .. } => self.connection.end_response(id, |holding| {
                if length > SMALL_BYTES {
                    // If it was evicted, the next resize reports that.
                    holding.settle().unwrap_or_default();
                }
                Reply::Response(Bytes::from(payload), holding)
            }),
        }
    }
}
