//! The peers, the servers that the host is compared to: their common parts, and a file for each.

pub mod axum;
pub mod embedded;
pub mod hyper;

pub mod apache;
pub mod lighttpd;

pub mod postgres;

pub mod wasmtime;
pub mod workerd;

use crate::compile::CompileError;
use crate::function::Function;
use crate::http::Page;
use crate::program::MissingProgram;
use crate::server::{LOOK, Server};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running peer with a folder of its own; ended when it is dropped.
#[derive(Debug)]
pub struct Peer {
    server: Server,
    /// An address for each of its functions, which are all equal.
    addresses: Vec<SocketAddr>,
    path: &'static str,
}

/// A peer can't be started.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A program isn't installed.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// Its folder, its files or its socket can't be made.
    #[error("failed to make the folder or socket of a server")]
    Prepare(#[source] io::Error),
    /// A program that it runs can't be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It can't be started.
    #[error("failed to start `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It doesn't listen.
    #[error("`{}` doesn't listen; its log: {log}", program.display())]
    Silent {
        /// The program.
        program: PathBuf,
        /// What it wrote on stderr.
        log: String,
    },
}

/// Starting takes up to half a second; a machine that is busy building may take longer.
const START_MAX: Duration = Duration::from_secs(10);

impl Peer {
    /// Starts a command that listens on `addresses` and answers at `path`.
    ///
    /// # Errors
    ///
    /// See [`PeerError`].
    pub(crate) fn start(
        mut command: Command,
        folder: TempDir,
        addresses: Vec<SocketAddr>,
        path: &'static str,
    ) -> Result<Self, PeerError> {
        let program = PathBuf::from(command.get_program());
        let started = Server::start(&mut command, folder);
        let server = started.map_err(|source| PeerError::Start { program: program.clone(), source })?;
        let begun = Instant::now();
        while addresses.iter().any(|address| TcpStream::connect(address).is_err()) {
            if begun.elapsed() > START_MAX {
                let log = fs::read_to_string(server.log()).unwrap_or_default();
                return Err(PeerError::Silent { program, log });
            }
            std::thread::sleep(LOOK);
        }
        Ok(Self { server, addresses, path })
    }

    /// Its process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A target that calls the n-th of its functions, which answers as `function` does.
    pub fn page(&self, name: &str, function: Function, at: usize) -> Page {
        Page {
            name: name.to_owned(),
            address: self.addresses[at],
            path: self.path.to_owned(),
            body: Vec::new(),
            expected: function.expected(),
            log: self.server.log(),
        }
    }
}
