//! Bare hyper, the upper bound of every server that is built on it: our own `bare-hyper`, which answers without any
//! function.

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
    let program = Program::BareHyper.find()?;
    let folder = server::folder().map_err(PeerError::Prepare)?;
    let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    command.arg(addresses[0].to_string()).arg(function.greeting_end()).stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/")
}
