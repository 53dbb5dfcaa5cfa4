//! Postgres itself, for the function and for the peer that ask it; and that peer, our own `axum-select`.

use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use rustix::process::geteuid;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// A running Postgres, whose user `postgres` needs no password; ended when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    _server: Peer,
    address: SocketAddr,
}

/// As root, the server refuses to run: it runs as the user nobody.
const NOBODY: u32 = 65534;

/// Connections of all pools together: four times the two processors of a small machine, so that the database always has
/// a query.
pub const CONNECTIONS: u32 = 8;

impl Postgres {
    /// Makes a database in a folder of its own, and starts its server.
    ///
    /// # Errors
    ///
    /// See [`PeerError`].
    pub fn start() -> Result<Self, PeerError> {
        let (initdb, program) = (Program::Initdb.find()?, Program::Postgres.find()?);
        let folder = server::folder().map_err(PeerError::Prepare)?;
        if geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), None).map_err(PeerError::Prepare)?;
        }
        let data = folder.path().join("data");
        let mut init = as_user(Command::new(&initdb));
        init.args(["--username", "postgres", "--auth", "trust", "--no-sync", "--pgdata"]).arg(&data);
        let output = init.current_dir("/").stdin(Stdio::null()).output();
        let output = output.map_err(|source| PeerError::Start { program: initdb.clone(), source })?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(PeerError::Silent { program: initdb, log });
        }
        let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
        let address = addresses[0];
        let mut command = as_user(Command::new(program));
        command.args(["-F", "-h", "127.0.0.1", "-p", &address.port().to_string(), "-D"]).arg(&data);
        command.arg("-k").arg(folder.path()).current_dir("/").stdin(Stdio::null());
        Ok(Self { _server: Peer::start(command, folder, addresses, "")?, address })
    }

    /// What a client takes.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address)
    }

    /// Starts the peer.
    ///
    /// # Errors
    ///
    /// See [`PeerError`].
    pub fn axum(&self) -> Result<Peer, PeerError> {
        let program = Program::AxumSelect.find()?;
        let folder = server::folder().map_err(PeerError::Prepare)?;
        let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
        let mut command = Command::new(program);
        command.args([addresses[0].to_string(), self.url(), CONNECTIONS.to_string()]).stdin(Stdio::null());
        Peer::start(command, folder, addresses, "/")
    }
}

fn as_user(mut command: Command) -> Command {
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
