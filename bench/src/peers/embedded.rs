//! The host embedded in a program, with a native function: our own `embedded-hello`.

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
    let program = Program::EmbeddedHello.find()?;
    let folder = server::folder().map_err(PeerError::Prepare)?;
    let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    command.arg(addresses[0].port().to_string()).arg(function.greeting_end()).stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/hello")
}
