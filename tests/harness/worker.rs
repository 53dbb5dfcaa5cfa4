//! A worker without a host: a process with a socket as its stdin, and the host's end of the frames.

use super::wait_for;
use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind, VERSION};
use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta, owned};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};

/// The process, killed when the test is over.
pub(crate) struct WorkerProcess {
    child: Child,
    host: UnixStream,
}

impl WorkerProcess {
    /// Starts it; its log is kept.
    pub(crate) fn start(command: &mut Command) -> Self {
        let (host, own) = UnixStream::pair().unwrap();
        host.set_read_timeout(Some(super::PATIENCE)).unwrap();
        host.set_write_timeout(Some(super::PATIENCE)).unwrap();
        command.stdin(OwnedFd::from(own)).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // The parent's copy, without which the end of the worker ends the stream.
        command.stdin(Stdio::null());
        Self { child, host }
    }

    /// The same, once it has said hello in this format.
    pub(crate) fn ready(command: &mut Command, format: Format) -> Self {
        let mut worker = Self::start(command);
        let hello = Header { length: 0, kind: Kind::Hello, format, id: VERSION };
        assert_eq!(worker.receive(), Some((hello, vec![])));
        worker
    }

    pub(crate) fn host(&mut self) -> &mut UnixStream {
        &mut self.host
    }

    pub(crate) fn send(&mut self, kind: Kind, format: Format, id: u64, payload: &[u8]) {
        let header = Header { length: payload.len().try_into().unwrap(), kind, format, id };
        self.host.write_all(&[&header.encode()[..], payload].concat()).unwrap();
    }

    /// Sends a request in CBOR.
    pub(crate) fn ask(&mut self, id: u64, uri: &str) {
        self.send(Kind::Request, Format::Cbor, id, &request("GET", uri, b""));
    }

    /// Waits for the next frame; `None` at the end of the stream.
    pub(crate) fn receive(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut header = [0; HEADER_BYTES];
        if self.host.read(&mut header[..1]).unwrap() == 0 {
            return None;
        }
        self.host.read_exact(&mut header[1..]).unwrap();
        let header = Header::decode(&header).unwrap();
        let mut payload = vec![0; header.length as usize];
        self.host.read_exact(&mut payload).unwrap();
        Some((header, payload))
    }

    /// Waits for a response in CBOR; returns its id, status and body.
    pub(crate) fn answer(&mut self) -> (u64, u16, String) {
        let (header, payload) = self.receive().expect("the worker answers");
        assert_eq!((header.kind, header.format), (Kind::Response, Format::Cbor));
        let response = FezzWireResponse::decode(&payload).unwrap();
        (header.id, response.status, String::from_utf8_lossy(response.body).into_owned())
    }

    /// The same in JSON, whole.
    pub(crate) fn answer_in_json(&mut self) -> (u64, owned::FezzWireResponse) {
        let (header, payload) = self.receive().expect("the worker answers");
        assert_eq!((header.kind, header.format), (Kind::Response, Format::Json));
        (header.id, fezz_wire::json::decode_response(&payload).unwrap())
    }

    /// Tells it that no more requests will come.
    pub(crate) fn drain(&mut self) {
        self.host.shutdown(Shutdown::Write).unwrap();
    }

    /// Closes the socket, as a host that has died.
    pub(crate) fn leave(&mut self) {
        self.host.shutdown(Shutdown::Both).unwrap();
        // The descriptor counts, not the shutdown.
        self.host = UnixStream::pair().unwrap().0;
    }

    /// Waits for its end; returns the status and the log.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let status = wait_for("the worker's end", || self.child.try_wait().unwrap());
        let mut log = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut log).unwrap();
        (status, log)
    }

    /// Waits until it has logged so much.
    pub(crate) fn wait_for_log(&mut self, words: &str) {
        let mut log = vec![0; words.len()];
        self.child.stderr.as_mut().unwrap().read_exact(&mut log).unwrap();
        assert_eq!(String::from_utf8_lossy(&log), words);
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A request in CBOR.
pub(crate) fn request(method: &str, uri: &str, body: &[u8]) -> Vec<u8> {
    wire_request(method, uri, body).encode()
}

/// The same in JSON.
pub(crate) fn request_in_json(method: &str, uri: &str, body: &[u8]) -> Vec<u8> {
    fezz_wire::json::encode_request(&wire_request(method, uri, body))
}

fn wire_request<'a>(method: &'a str, uri: &'a str, body: &'a [u8]) -> FezzWireRequest<'a> {
    let meta = Meta {
        request_id: "r",
        function: "f",
        version: "v1",
        deadline_ms: 1000,
        client_ip: None,
        original_uri: None,
    };
    let headers = vec![("x-name", &b"Ada"[..])];
    FezzWireRequest {
        method,
        uri,
        authority: None,
        scheme: None,
        headers,
        params: Default::default(),
        body,
        meta,
    }
}
