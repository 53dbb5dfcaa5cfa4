//! The frames of a worker, over the socket that is its stdin.

use super::lock;
use crate::FezzResponse;
use fezz_wire::frame::{BadHeader, Format, HEADER_BYTES, Header, Kind, PAYLOAD_BYTES_MAX, VERSION};
use std::io::{BufRead, BufReader, Error, ErrorKind, IoSlice, Read, Write, stdin};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

/// Why a worker can't go on.
#[derive(Debug)]
pub(super) enum StreamError {
    NoSocket(Error),
    Read(Error),
    Write(Error),
    Header(BadHeader),
    Unexpected(Header),
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSocket(_) => formatter.write_str(
                "stdin is not a socket of the host's: this program is a worker, which hhrf starts; name it as the \
                 `binary` of a fezz.json",
            ),
            Self::Read(_) => formatter.write_str("failed to read a frame from the host"),
            Self::Write(_) => formatter.write_str("failed to write a frame to the host"),
            Self::Header(_) => formatter.write_str("the host broke the protocol of workers"),
            Self::Unexpected(header) => {
                write!(formatter, "the host sent {:?} in the format {:?}", header.kind, header.format)
            }
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoSocket(cause) | Self::Read(cause) | Self::Write(cause) => Some(cause),
            Self::Header(cause) => Some(cause),
            Self::Unexpected(_) => None,
        }
    }
}

/// What the host sends.
pub(super) struct Input(BufReader<UnixStream>);

/// What the host gets.
pub(super) struct Output(UnixStream);

/// Takes the socket and says hello. The payloads are CBOR, which has bytes, and which this crate reads anyway.
pub(super) fn of_stdin() -> Result<(Input, Output), StreamError> {
    /// Nearly all requests fit, in one call.
    const BUFFER_BYTES: usize = 64 * 1024;
    let socket = socket_of_stdin().map_err(StreamError::NoSocket)?;
    let mut output = Output(socket.try_clone().map_err(StreamError::NoSocket)?);
    output.write(HELLO, &[])?;
    Ok((Input(BufReader::with_capacity(BUFFER_BYTES, socket)), output))
}

pub(super) const HELLO: Header = Header { length: 0, kind: Kind::Hello, format: Format::Cbor, id: VERSION };

pub(super) fn socket_of_stdin() -> Result<UnixStream, Error> {
    let socket = UnixStream::from(stdin().as_fd().try_clone_to_owned()?);
    // Fails where it is something else.
    socket.peer_addr()?;
    // A host may have made both of its ends so that they don't block.
    socket.set_nonblocking(false)?;
    Ok(socket)
}

impl Input {
    /// Waits for the next request; `None` where the host sends no more. It answers pings.
    pub(super) fn next_request(
        &mut self,
        output: &Mutex<Output>,
    ) -> Result<Option<(u64, Vec<u8>)>, StreamError> {
        loop {
            if self.is_at_end().map_err(StreamError::Read)? {
                return Ok(None);
            }
            let mut header = [0; HEADER_BYTES];
            self.0.read_exact(&mut header).map_err(StreamError::Read)?;
            let header = Header::decode(&header).map_err(StreamError::Header)?;
            match (header.kind, header.format) {
                (Kind::Request, Format::Cbor) => return Ok(Some((header.id, self.payload(header.length)?))),
                (Kind::Ping, _) => lock(output).write(Header { kind: Kind::Pong, ..header }, &[])?,
                // It comes too late: the request is being answered by another thread, or was.
                (Kind::Cancel, _) => {}
                _ => return Err(StreamError::Unexpected(header)),
            }
        }
    }

    /// Waits for a byte, or for the end.
    fn is_at_end(&mut self) -> Result<bool, Error> {
        loop {
            match self.0.fill_buf() {
                Ok(bytes) => return Ok(bytes.is_empty()),
                // By a handler that the author's program has installed without SA_RESTART: sigaction(2).
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn payload(&mut self, length: u32) -> Result<Vec<u8>, StreamError> {
        let mut payload = Vec::new();
        // It grows as bytes arrive, whatever length the header claims.
        let read =
            self.0.by_ref().take(length.into()).read_to_end(&mut payload).map_err(StreamError::Read)?;
        if read < length as usize {
            return Err(StreamError::Read(ErrorKind::UnexpectedEof.into()));
        }
        Ok(payload)
    }
}

impl Output {
    pub(super) fn respond(&mut self, id: u64, response: &FezzResponse) -> Result<(), StreamError> {
        let (header, payload) = response_frame(id, response);
        self.write(header, &payload)
    }

    fn write(&mut self, header: Header, payload: &[u8]) -> Result<(), StreamError> {
        let header = header.encode();
        // In one call: a second one would wake the host twice.
        let mut parts = &mut [IoSlice::new(&header), IoSlice::new(payload)][..];
        while !parts.is_empty() {
            match self.0.write_vectored(parts) {
                Ok(0) => return Err(StreamError::Write(ErrorKind::WriteZero.into())),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(StreamError::Write(error)),
            }
        }
        Ok(())
    }
}

/// A response as a frame; one that is too long is a failure, which says so.
pub(super) fn response_frame(id: u64, response: &FezzResponse) -> (Header, Vec<u8>) {
    let header = |length| Header { length, kind: Kind::Response, format: Format::Cbor, id };
    let payload = response.encode();
    match u32::try_from(payload.len()).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX) {
        Some(length) => (header(length), payload),
        None => {
            let bytes = payload.len();
            let message = format!("the response has {bytes} bytes, the limit is {PAYLOAD_BYTES_MAX}");
            response_frame(id, &FezzResponse::failed(fezz_wire::ErrorKind::Returned, message))
        }
    }
}
