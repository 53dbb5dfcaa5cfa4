//! The real host, in a process of its own, over keep-alive connections on the loopback.

use crate::build::Build;
use crate::contender::{Client, Contender, ContenderError};
use crate::function::Function;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A host that runs, with a root and a log of its own; killed when it is dropped.
#[derive(Debug)]
pub struct Host {
    process: Child,
    address: SocketAddr,
    root: TempDir,
    build_name: String,
}

/// Why the host gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Its root can't be made.
    #[error("failed to make the host's root")]
    Root(#[source] io::Error),
    /// It can't be started.
    #[error("failed to start `{}`", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It doesn't listen.
    #[error("the host doesn't listen; its log: {log}")]
    Silent {
        /// What it wrote on stderr.
        log: String,
    },
    /// The connection broke.
    #[error("failed to talk to the host")]
    Connection(#[source] io::Error),
    /// It answered something else than expected.
    #[error("the host answered: {response}\n\nand logged: {log}")]
    Answer {
        /// The whole response.
        response: String,
        /// The end of its log, where the reason stands.
        log: String,
    },
}

/// Starting takes some 10 ms; a machine that is busy building may take longer.
const START_MAX: Duration = Duration::from_secs(10);

/// What stands before the address in the log.
const LISTENING: &str = "listening on http://";

impl Host {
    /// Starts the host of `build` with the functions on a port that is free.
    ///
    /// # Errors
    ///
    /// See [`HostError`].
    pub fn start(build: &Build, functions: &[Function]) -> Result<Self, HostError> {
        let root = make_root(build, functions).map_err(HostError::Root)?;
        let log = root.path().join("log");
        let stderr = File::create(&log).map_err(HostError::Root)?;
        let path = build.host();
        let process = Command::new(&path)
            .args(["--listen", "127.0.0.1:0", "--root"])
            .arg(root.path())
            .arg("--runner")
            .arg(build.runner())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|source| HostError::Start { path, source })?;
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut host = Self { process, address: unknown, root, build_name: build.name.clone() };
        host.address = wait_for_address(&log)?;
        Ok(host)
    }

    /// The host as a contender for one of its functions.
    pub fn contender(&self, function: Function) -> OfFunction {
        let name = format!("host {}", self.build_name).trim_end().to_owned();
        OfFunction { name, address: self.address, log: self.root.path().join("log"), function }
    }

    /// The file of a function's module in the host's root.
    pub fn module(&self, function: Function) -> PathBuf {
        folder(self.root.path(), function).join(function.entry())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It holds nothing worth a drain, and its runners die with it. Errors mean that it is gone already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn folder(root: &Path, function: Function) -> PathBuf {
    root.join("functions").join(format!("{}@{}", function.id(), Function::VERSION))
}

fn make_root(build: &Build, functions: &[Function]) -> io::Result<TempDir> {
    let root = tempfile::tempdir()?;
    for function in functions {
        let folder = folder(root.path(), *function);
        fs::create_dir_all(&folder)?;
        fs::copy(build.module(*function), folder.join(function.entry()))?;
        let (id, version, entry) = (function.id(), Function::VERSION, function.entry());
        let manifest = format!(r#"{{"id": "{id}", "version": "{version}", "entry": "{entry}"}}"#);
        fs::write(folder.join("fezz.json"), manifest)?;
    }
    Ok(root)
}

fn wait_for_address(log: &Path) -> Result<SocketAddr, HostError> {
    const PAUSE: Duration = Duration::from_millis(5);
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log).map_err(HostError::Root)?;
        // A line that isn't whole may hold half a port.
        let line = text.split_inclusive('\n').find(|line| line.contains(LISTENING) && line.ends_with('\n'));
        let address =
            line.and_then(|line| line.split(LISTENING).nth(1)?.split_whitespace().next()?.parse().ok());
        match address {
            Some(address) => return Ok(address),
            None if begun.elapsed() > START_MAX => return Err(HostError::Silent { log: text }),
            None => std::thread::sleep(PAUSE),
        }
    }
}

/// One function of a host.
#[derive(Debug)]
pub struct OfFunction {
    name: String,
    address: SocketAddr,
    log: PathBuf,
    function: Function,
}

impl Contender for OfFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn client(&self) -> Result<Client, ContenderError> {
        let mut stream = TcpStream::connect(self.address).map_err(HostError::Connection)?;
        stream.set_nodelay(true).map_err(HostError::Connection)?;
        let head =
            format!("GET {} HTTP/1.1\r\nHost: {}\r\nX-Name: Ada\r\n\r\n", self.function.path(), self.address);
        let (expected, log) = (self.function.expected(), self.log.clone());
        let mut response = Vec::with_capacity(8 * 1024);
        Ok(Box::new(move || {
            exchange(&mut stream, head.as_bytes(), &mut response).map_err(HostError::Connection)?;
            let text = String::from_utf8_lossy(&response);
            if text.starts_with("HTTP/1.1 200 ") && text.contains(expected) {
                return Ok(());
            }
            Err(HostError::Answer { response: text.into_owned(), log: warnings(&log) }.into())
        }))
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

/// Sends a request and reads a response up to the end that its content-length gives; the host always sends one.
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
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head_bytes + length.parse::<usize>().ok()?)
}
