//! The real host, in a process of its own.

use crate::build::Build;
use crate::function::Function;
use crate::http::Page;
use crate::server::{LOOK, Server, folder};
use crate::setup::{Execution, Setup, copy_id, function_folder};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A running host with a root and a log of its own; ended when it is dropped.
#[derive(Debug)]
pub struct Host {
    server: Server,
    address: SocketAddr,
}

/// The host can't be started.
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
    /// Its metrics can't be read.
    #[error("failed to read the host's metrics")]
    Metrics(#[source] io::Error),
}

/// Starting takes some 10 ms, with a thousand functions a second or two; a machine that is busy building may take
/// longer.
const START_MAX: Duration = Duration::from_secs(20);

/// The text before the address in the log.
const LISTENING: &str = "listening on http://";

impl Host {
    /// Starts the host of `build` on a port that is free.
    ///
    /// # Errors
    ///
    /// See [`HostError`].
    pub fn start(build: &Build, setup: Setup<'_>) -> Result<Self, HostError> {
        let root = folder().map_err(HostError::Root)?;
        setup.install(build, root.path()).map_err(HostError::Root)?;
        let runner = setup.jail.runner(build, root.path()).map_err(HostError::Root)?;
        let path = build.host();
        let mut command = Command::new(&path);
        // Without a drain wait: there is no load balancer.
        command.args(["--listen", "127.0.0.1:0", "--drain-wait-ms", "0", "--jail", setup.jail.setting()]);
        if setup.execution == Execution::IN_PROCESS {
            command.arg("--allow-in-process");
        }
        if setup.per_core {
            command.arg("--per-core");
        }
        command.arg("--root").arg(root.path()).arg("--runner").arg(runner).stdin(Stdio::null());
        let server = Server::start(&mut command, root).map_err(|source| HostError::Start { path, source })?;
        let address = wait_for_address(&server.log())?;
        Ok(Self { server, address })
    }

    /// Its process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A target that calls one of its functions.
    pub fn page(&self, name: &str, function: Function) -> Page {
        Page {
            name: name.to_owned(),
            address: self.address,
            path: function.path(),
            body: Vec::new(),
            expected: function.expected(),
            log: self.server.log(),
        }
    }

    /// A target that calls the n-th copy of a function.
    pub fn copy(&self, function: Function, copy: usize) -> Page {
        let path = format!("/bench/{}", copy_id(function, copy));
        Page { path, ..self.page("copy", function) }
    }

    /// A target that calls the function `echo` with a body of `body_bytes` bytes.
    pub fn echo(&self, name: &str, body_bytes: usize) -> Page {
        let page = self.page(name, Function::Echo);
        if body_bytes == 0 { page } else { page.with_body(body_bytes) }
    }

    /// What it answers at `/_metrics`: a series a line, with its value.
    ///
    /// # Errors
    ///
    /// It can't be asked, or answers with an error.
    pub fn metrics(&self) -> Result<String, HostError> {
        self.get("/_metrics").map_err(HostError::Metrics)
    }

    /// The whole response, over a connection of its own.
    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        let address = self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        if response.starts_with("HTTP/1.1 200 ") { Ok(response) } else { Err(io::Error::other(response)) }
    }

    /// The file of a function's module in the host's root.
    pub fn module(&self, function: Function) -> PathBuf {
        function_folder(self.server.folder(), function.id()).join(function.entry())
    }
}

fn wait_for_address(log: &Path) -> Result<SocketAddr, HostError> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log).map_err(HostError::Root)?;
        // An incomplete line may have only a part of the port.
        let line = text.split_inclusive('\n').find(|line| line.contains(LISTENING) && line.ends_with('\n'));
        let address =
            line.and_then(|line| line.split(LISTENING).nth(1)?.split_whitespace().next()?.parse().ok());
        match address {
            Some(address) => return Ok(address),
            None if begun.elapsed() > START_MAX => return Err(HostError::Silent { log: text }),
            None => std::thread::sleep(LOOK),
        }
    }
}
