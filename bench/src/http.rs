//! A page of a server on the loopback, over keep-alive connections. Hosts and peers get the same requests.

use crate::load::{self, Client};
use crate::target::{Interval, MeasureError, Slice, Target};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A request, and how to check its answer.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its name in the table.
    pub name: String,
    /// Where the server listens.
    pub address: SocketAddr,
    /// The path of the URL.
    pub path: String,
    /// The request body. An empty one makes the request a GET, any other a POST.
    pub body: Vec<u8>,
    /// A part of the expected answer.
    pub expected: Vec<u8>,
    /// The server's log.
    pub log: PathBuf,
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection failed.
    #[error("failed to talk to `{name}`, which logged: {log}")]
    Connection {
        /// The page's name.
        name: String,
        /// The end of the server's log, which may have the reason.
        log: String,
        /// The cause.
        source: io::Error,
    },
    /// It answered something else than expected.
    #[error("`{name}` answered: {response}\n\nand logged: {log}")]
    Answer {
        /// The page's name.
        name: String,
        /// The beginning of the response.
        response: String,
        /// The end of the server's log, which has the reason.
        log: String,
    },
}

impl From<HttpError> for MeasureError {
    fn from(error: HttpError) -> Self {
        Self::Target(Box::new(error))
    }
}

impl Target for Page {
    fn name(&self) -> &str {
        &self.name
    }

    fn measure(&self, interval: Interval) -> Result<Slice, MeasureError> {
        let request = self.request();
        load::run(interval, (0..interval.concurrency).map(|_| PageClient::new(self, &request)).collect())
    }
}

impl Page {
    /// The same page of a target that returns what it is sent: a body of `body_bytes` bytes.
    pub(crate) fn with_body(self, body_bytes: usize) -> Self {
        Self { body: vec![b'x'; body_bytes], expected: vec![b'x'; body_bytes], ..self }
    }

    fn request(&self) -> Vec<u8> {
        let (path, address, body) = (&self.path, self.address, &self.body);
        let (method, length) = match body.len() {
            0 => ("GET", String::new()),
            bytes => ("POST", format!("Content-Length: {bytes}\r\n")),
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nX-Name: Ada\r\n{length}\r\n");
        [head.as_bytes(), body].concat()
    }

    fn check(&self, response: &[u8]) -> Result<(), HttpError> {
        let is_answer = response.windows(self.expected.len()).any(|window| window == self.expected);
        if response.starts_with(b"HTTP/1.1 200 ") && is_answer {
            return Ok(());
        }
        const SHOWN_BYTES_MAX: usize = 2000;
        let shown = &response[..response.len().min(SHOWN_BYTES_MAX)];
        let (name, response) = (self.name.clone(), String::from_utf8_lossy(shown).into_owned());
        Err(HttpError::Answer { name, response, log: warnings(&self.log) })
    }

    fn broken(&self, source: io::Error) -> HttpError {
        HttpError::Connection { name: self.name.clone(), log: warnings(&self.log), source }
    }
}

/// The last few lines of a log, without those of successful requests.
fn warnings(log: &Path) -> String {
    const LINES_MAX: usize = 5;
    // The host's log thread writes with a short delay.
    std::thread::sleep(Duration::from_millis(100));
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("status=200")).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

/// One connection, for one request after the other.
struct PageClient<'a> {
    page: &'a Page,
    request: &'a [u8],
    /// Made for the first request.
    stream: Option<TcpStream>,
    /// How much of the request is sent.
    sent_bytes: usize,
    response: Response,
}

impl<'a> PageClient<'a> {
    fn new(page: &'a Page, request: &'a [u8]) -> Self {
        Self { page, request, stream: None, sent_bytes: 0, response: Response::new() }
    }
}

impl Client for PageClient<'_> {
    fn send(&mut self) -> Result<Option<BorrowedFd<'_>>, MeasureError> {
        let broken = |source| self.page.broken(source);
        let is_new = self.stream.is_none();
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.page.address).map_err(broken)?,
        };
        let stream = self.stream.insert(stream);
        self.response.clear();
        self.sent_bytes = write(stream, self.request).map_err(broken)?;
        Ok(is_new.then_some(TcpStream::as_fd(stream)))
    }

    fn resume(&mut self) -> Result<bool, MeasureError> {
        let broken = |source| self.page.broken(source);
        let Some(stream) = &mut self.stream else { return Ok(false) };
        self.sent_bytes += write(stream, &self.request[self.sent_bytes..]).map_err(broken)?;
        let is_whole = self.response.read(stream).map_err(broken)?;
        if is_whole {
            self.page.check(&self.response.bytes)?;
        }
        Ok(is_whole)
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Writes as much as the socket takes.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(some) => written += some,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// A response, as far as it has arrived.
struct Response {
    bytes: Vec<u8>,
    /// Its length, once its head has arrived.
    whole_bytes: Option<usize>,
    buffer: Box<[u8]>,
}

impl Response {
    fn new() -> Self {
        /// Large enough for few reads per body, small enough to leave the CPU caches to the server.
        const BUFFER_BYTES: usize = 64 * 1024;
        Self { bytes: Vec::new(), whole_bytes: None, buffer: vec![0; BUFFER_BYTES].into() }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.whole_bytes = None;
    }

    /// Reads what is available, up to the end of the response. Returns whether the response is complete.
    fn read(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        while self.whole_bytes.is_none_or(|whole| self.bytes.len() < whole) {
            match stream.read(&mut self.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.bytes.extend_from_slice(&self.buffer[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if self.whole_bytes.is_none() {
                self.whole_bytes = measure(&self.bytes)?;
            }
        }
        Ok(true)
    }
}

/// The length of the response, by its content-length, which all targets send; `None` while the head is incomplete.
fn measure(response: &[u8]) -> io::Result<Option<usize>> {
    /// No target sends as many.
    const HEADERS_MAX: usize = 32;
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(response).map_err(|error| invalid(error.to_string()))?;
    let httparse::Status::Complete(head_bytes) = parsed else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    let length = length.ok_or_else(|| invalid(format!("no content-length: {:?}", head.headers)))?;
    Ok(Some(head_bytes + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_as_long_as_its_head_and_its_content_length() {
        assert_eq!(measure(b"HTTP/1.1 200 OK\r\nContent-Le").expect("it goes on"), None);
        let measured = measure(b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nx");
        assert_eq!(measured.expect("it has a length"), Some(39));
        assert!(measure(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
