//! A page of a server on the loopback, over keep-alive connections: hosts and their peers are asked in the same way.

use crate::contender::{Client, Contender, ContenderError};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is asked for, and how a right answer is known.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its name in the table.
    pub name: String,
    /// Where the server listens.
    pub address: SocketAddr,
    /// The path of the URL.
    pub path: String,
    /// What the answer holds.
    pub expected: &'static str,
    /// The server's log.
    pub log: PathBuf,
}

/// Why a page wasn't got.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection broke, or was never made.
    #[error("failed to talk to `{name}`, which logged: {log}")]
    Connection {
        /// The page's name.
        name: String,
        /// The end of the server's log, where the reason may stand.
        log: String,
        /// The cause.
        source: io::Error,
    },
    /// It answered something else than expected.
    #[error("`{name}` answered: {response}\n\nand logged: {log}")]
    Answer {
        /// The page's name.
        name: String,
        /// The whole response.
        response: String,
        /// The end of the server's log, where the reason stands.
        log: String,
    },
}

impl Contender for Page {
    fn name(&self) -> &str {
        &self.name
    }

    fn client(&self) -> Result<Client, ContenderError> {
        let page = self.clone();
        let mut stream = connect(page.address).map_err(|source| page.broken(source))?;
        let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\nX-Name: Ada\r\n\r\n", page.path, page.address);
        let mut response = Vec::with_capacity(8 * 1024);
        Ok(Box::new(move || {
            exchange(&mut stream, head.as_bytes(), &mut response).map_err(|source| page.broken(source))?;
            Ok(page.check(&response)?)
        }))
    }
}

impl Page {
    fn check(&self, response: &[u8]) -> Result<(), HttpError> {
        let response = String::from_utf8_lossy(response);
        if response.starts_with("HTTP/1.1 200 ") && response.contains(self.expected) {
            return Ok(());
        }
        let (name, response) = (self.name.clone(), response.into_owned());
        Err(HttpError::Answer { name, response, log: warnings(&self.log) })
    }

    fn broken(&self, source: io::Error) -> HttpError {
        HttpError::Connection { name: self.name.clone(), log: warnings(&self.log), source }
    }
}

/// The last few lines of a log that aren't of requests that went well.
fn warnings(log: &Path) -> String {
    const LINES_MAX: usize = 5;
    // The host writes its log from a thread of its own, a moment later.
    std::thread::sleep(Duration::from_millis(100));
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("status=200")).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request and reads a response up to the end that its content-length gives; all servers here send one.
fn exchange(stream: &mut TcpStream, head: &[u8], response: &mut Vec<u8>) -> io::Result<()> {
    stream.write_all(head)?;
    response.clear();
    let mut buffer = [0; 8 * 1024];
    while whole_bytes(response).is_none_or(|whole| response.len() < whole) {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => response.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(())
}

/// How long the response is, once its head is there.
fn whole_bytes(response: &[u8]) -> Option<usize> {
    let head_bytes = response.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&response[..head_bytes]).ok()?;
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let (_, length) = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    Some(head_bytes + length.parse::<usize>().ok()?)
}
