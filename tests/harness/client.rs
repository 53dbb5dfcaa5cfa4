//! Requests of HTTP/1.1 are written by hand, so that a test can send what no client library sends. The heads of
//! responses are parsed by hyper's parser.

use super::PATIENCE;
use rustix::net::{AddressFamily, SocketType};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A request, sent on a new connection.
pub(crate) struct Client<'a> {
    address: SocketAddr,
    method: &'a str,
    path: &'a str,
    headers: String,
    body: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

/// Connects. Reads and writes time out after [`PATIENCE`].
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

/// The same from another address of this machine's: each of 127.0.0.0/8 is one.
pub(crate) fn connect_from(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((source, 0))).unwrap();
    rustix::net::connect(&socket, &address).unwrap();
    patient(socket.into())
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends all bytes as they are, and then reads the answer up to the connection's end.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let begun = Instant::now();
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    Answer::read(stream, begun)
}

impl<'a> Client<'a> {
    pub(crate) fn new(address: SocketAddr, method: &'a str, path: &'a str) -> Self {
        Self {
            address,
            method,
            path,
            headers: "host: localhost\r\nconnection: close\r\n".to_owned(),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Sets the Host header.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.headers = self.headers.replace("host: localhost", &format!("host: {host}"));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.headers.push_str(&format!("content-length: {}\r\n", self.body.len()));
        self
    }

    /// Sends the request and returns the connection.
    pub(crate) fn begin(self) -> TcpStream {
        let mut stream = connect(self.address);
        let head = format!("{} {} HTTP/1.1\r\n{}\r\n", self.method, self.path, self.headers);
        stream.write_all(head.as_bytes()).unwrap();
        // A host that refuses may close before the whole body is sent. Its answer still arrives.
        stream.write_all(&self.body).ok();
        stream
    }

    /// Sends the request and reads the response.
    pub(crate) fn send(self) -> Answer {
        let begun = Instant::now();
        Answer::read(self.begin(), begun)
    }
}

/// A keep-alive connection, for tests in which a new connection per request would take most of the time.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self(BufReader::new(connect(address)))
    }

    /// Sends a GET and reads the response.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        let begun = Instant::now();
        self.write(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        let answer = self.read();
        Answer { took: begun.elapsed(), ..answer }
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Returns the connection, of which every response has been read.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.0.into_inner()
    }

    /// Reads the next response.
    pub(crate) fn read(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.0.read_until(b'\n', &mut head).unwrap();
            assert!(read > 0, "the connection ended after {:?}", String::from_utf8_lossy(&head));
        }
        let mut answer = Answer::parse(&head, Duration::ZERO).unwrap();
        answer.body = vec![0; answer.header("content-length").unwrap().parse().unwrap()];
        self.0.read_exact(&mut answer.body).unwrap();
        answer
    }
}

/// The answers to many GETs of one path, several at a time.
pub(crate) fn many(address: SocketAddr, path: &str, requests: usize) -> Vec<Answer> {
    const CONCURRENCY: usize = 8;
    std::thread::scope(|scope| {
        let get_part = |part: usize| {
            let mut connection = Connection::new(address);
            let share = requests / CONCURRENCY + usize::from(part < requests % CONCURRENCY);
            (0..share).map(|_| connection.get(path)).collect::<Vec<_>>()
        };
        let parts: Vec<_> = (0..CONCURRENCY).map(|part| scope.spawn(move || get_part(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

impl Answer {
    /// Reads a response up to the end that its headers give, or up to the connection's end.
    pub(crate) fn read(mut stream: TcpStream, begun: Instant) -> Self {
        let mut bytes = Vec::new();
        let mut piece = [0; 64 * 1024];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
                // A read with a timeout isn't restarted after the process was stopped or frozen (signal(7)).
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if Self::parse(&bytes, Duration::ZERO).is_some() => {
                    eprintln!("the connection ended with {error} after a whole response");
                    break;
                }
                Err(error) => panic!("no response: {error}, after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        let took = begun.elapsed();
        Self::parse(&bytes, took)
            .unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(&bytes)))
    }

    fn parse(bytes: &[u8], took: Duration) -> Option<Self> {
        /// More than a function may send.
        const HEADERS_MAX: usize = 2048;
        let mut headers = vec![httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = head.parse(bytes).ok()? else { return None };
        let text = |header: &httparse::Header<'_>| {
            (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned())
        };
        let (status, headers) = (head.code?, head.headers.iter().map(text).collect());
        Some(Self { status, headers, body: bytes[head_bytes..].to_vec(), took })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and problem kind; the kind is empty where there is none.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        (self.status, self.header("fezz-error").unwrap_or_default())
    }
}
