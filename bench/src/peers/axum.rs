//! A plain axum in a process of its own, behind an HTTP proxy and a Unix socket: our own `axum-behind-proxy`. What a worker is
//! without a host.

use crate::function::Function;
use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use std::process::{Command, Stdio};

/// Starts it to greet as `function` does.
///
/// # Errors
///
/// See [`PeerError`].
pub fn start(function: Function) -> Result<Peer, PeerError> {
    let program = Program::AxumBehindProxy.find()?;
    let folder = server::folder().map_err(PeerError::Prepare)?;
    let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    command.arg(addresses[0].to_string()).arg(folder.path().join("socket")).arg(function.greeting_end());
    command.stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/")
}
