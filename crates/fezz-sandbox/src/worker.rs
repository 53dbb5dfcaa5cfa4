//! One request to a program of the author's own (`binary`): a worker that has one request, over the host's end of its socket.

use crate::fault::Fault;
use fezz_wire::frame::{BadHeader, Format, HEADER_BYTES, Header, Kind, VERSION};
use fezz_wire::{FezzWireError, FezzWireRequest, FezzWireResponse, json, message_pack, owned};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// The id of the request.
const ID: u64 = 1;

/// Time to exit after the response, as a host gives it.
const EXIT_GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether the program has ended.
const POLL: Duration = Duration::from_millis(2);

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum NoResponse {
    /// It has ended, or is late: its status tells.
    Ended,
    /// It broke the protocol.
    Broken(String),
}

/// The host's end of a worker's socket.
#[derive(Debug)]
pub(crate) struct Line {
    socket: UnixStream,
    deadline: Instant,
    /// The longest payload that is read.
    bytes_max: u64,
}

impl Line {
    pub(crate) fn new(socket: UnixStream, deadline: Instant, bytes_max: u64) -> Self {
        Self { socket, deadline, bytes_max }
    }

    /// Waits until the program is ready, sends the request and waits for the response, which is returned in CBOR.
    pub(crate) fn ask(&mut self, request: &FezzWireRequest<'_>) -> Result<Vec<u8>, NoResponse> {
        let hello = self.header()?;
        if (hello.kind, hello.id) != (Kind::Hello, VERSION) {
            let found = format!(
                "its first frame is {:?} with the id {}, not Hello with {VERSION}",
                hello.kind, hello.id
            );
            return Err(NoResponse::Broken(found));
        }
        let format = if hello.format == Format::None { Format::Json } else { hello.format };
        let payload = match format {
            Format::Cbor => request.encode(),
            Format::MessagePack => message_pack::encode_request(request),
            Format::Json | Format::None => json::encode_request(request),
        };
        self.send(&payload, format)?;
        let response = self.header()?;
        // One that hasn't chosen JSON may leave the format out.
        let is_in_format =
            response.format == format || (hello.format, response.format) == (Format::None, Format::None);
        if (response.kind, response.id) != (Kind::Response, ID) || !is_in_format {
            let Header { kind, format, id, .. } = response;
            return Err(NoResponse::Broken(format!(
                "it answered request {ID} by {kind:?} in {format:?} with the id {id}"
            )));
        }
        let payload = self.payload(response.length)?;
        in_cbor(payload, format)
    }

    /// Tells it that no more requests will come.
    pub(crate) fn close(&self) {
        // Fails if it is gone.
        self.socket.shutdown(Shutdown::Write).ok();
    }

    fn send(&mut self, payload: &[u8], format: Format) -> Result<(), NoResponse> {
        let too_long = |_| NoResponse::Broken("the request is longer than a frame".to_owned());
        let length = u32::try_from(payload.len()).map_err(too_long)?;
        let header = Header { length, kind: Kind::Request, format, id: ID };
        self.limit()?;
        self.socket.write_all(&[&header.encode()[..], payload].concat()).map_err(ended)
    }

    fn header(&mut self) -> Result<Header, NoResponse> {
        let mut bytes = [0; HEADER_BYTES];
        self.read(&mut bytes)?;
        Header::decode(&bytes).map_err(|error: BadHeader| NoResponse::Broken(error.to_string()))
    }

    /// Takes memory for what has arrived, not for what is announced.
    fn payload(&mut self, length: u32) -> Result<Vec<u8>, NoResponse> {
        const PIECE_BYTES: usize = 1 << 16;
        if u64::from(length) > self.bytes_max {
            let text = format!("it announced a response of {length} bytes, the limit is {}", self.bytes_max);
            return Err(NoResponse::Broken(text));
        }
        let (mut payload, length) = (Vec::new(), length as usize);
        while payload.len() < length {
            let begun = payload.len();
            payload.resize((begun + PIECE_BYTES).min(length), 0);
            self.read(&mut payload[begun..])?;
        }
        Ok(payload)
    }

    fn read(&mut self, mut bytes: &mut [u8]) -> Result<(), NoResponse> {
        while !bytes.is_empty() {
            // For each piece, or a program that sends byte by byte would never be late.
            self.limit()?;
            match self.socket.read(bytes) {
                Ok(0) => return Err(NoResponse::Ended),
                Ok(read) => bytes = &mut bytes[read..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ended(error)),
            }
        }
        Ok(())
    }

    /// Lets the next call wait until the deadline.
    fn limit(&self) -> Result<(), NoResponse> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NoResponse::Ended);
        }
        self.socket.set_read_timeout(Some(left)).map_err(ended)?;
        self.socket.set_write_timeout(Some(left)).map_err(ended)
    }
}

/// Late, or its socket is closed: the program's end tells which.
fn ended(_: io::Error) -> NoResponse {
    NoResponse::Ended
}

fn in_cbor(payload: Vec<u8>, format: Format) -> Result<Vec<u8>, NoResponse> {
    let response = match format {
        Format::Cbor => return Ok(payload),
        Format::MessagePack => message_pack::decode_response(&payload),
        Format::Json | Format::None => json::decode_response(&payload),
    };
    let response =
        response.map_err(|error| NoResponse::Broken(format!("its response is no {format:?}: {error}")))?;
    Ok(borrowed(&response).encode())
}

fn borrowed(response: &owned::FezzWireResponse) -> FezzWireResponse<'_> {
    let error = response.error.as_ref();
    FezzWireResponse {
        status: response.status,
        headers: response.headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect(),
        body: &response.body,
        error: error.map(|error| FezzWireError { kind: error.kind(), message: &error.message }),
    }
}

impl NoResponse {
    /// What it means for the author, where it isn't the program's end.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Ended => None,
            Self::Broken(cause) => Some(Fault::BrokeProtocol { cause: cause.clone() }),
        }
    }
}

/// Waits for the program's end after this `answer`; kills it when its time is over.
pub(crate) fn end(
    child: &mut Child,
    answer: &Result<Vec<u8>, NoResponse>,
    deadline: Instant,
) -> io::Result<ExitStatus> {
    let until = match answer {
        Ok(_) => Instant::now() + EXIT_GRACE,
        // It may be about to say why.
        Err(NoResponse::Ended) => deadline,
        Err(NoResponse::Broken(_)) => Instant::now(),
    };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until {
            // It may have ended meanwhile.
            child.kill().ok();
            return child.wait();
        }
        std::thread::sleep(POLL);
    }
}
