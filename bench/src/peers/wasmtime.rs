//! `wasmtime serve`: WebAssembly in one process, with an instance of its own for each request.

use crate::function::Function;
use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use std::process::{Command, Stdio};

/// Starts it with the component of `wasm/`, which greets as `function` does.
///
/// # Errors
///
/// See [`PeerError`].
pub fn start(function: Function) -> Result<Peer, PeerError> {
    let (program, component) = (Program::Wasmtime.find()?, Program::HelloWasm.find()?);
    let folder = server::folder().map_err(PeerError::Prepare)?;
    let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    // What Rust's standard library is linked to, whether it is used or not: environment, standard streams, exit.
    command.args(["serve", "-S", "cli", "--addr", &addresses[0].to_string()]);
    command.args(["--env", &format!("GREETING_END={}", function.greeting_end())]);
    command.arg(component).stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/")
}
