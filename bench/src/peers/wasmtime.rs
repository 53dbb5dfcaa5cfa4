//! `wasmtime serve`: WebAssembly in one process, with a new instance for each request.

use crate::function::Function;
use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use std::process::{Command, Stdio};

/// Its name in the table.
pub const NAME: &str = "wasmtime serve";

/// Starts it with the component of `wasm/`, which greets as `function` does, and returns a body that is sent.
///
/// # Errors
///
/// See [`PeerError`].
pub fn start(function: Function) -> Result<Peer, PeerError> {
    let (program, component) = (Program::Wasmtime.find()?, Program::HelloWasm.find()?);
    let folder = server::folder().map_err(PeerError::Prepare)?;
    let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    // Rust's standard library always imports these: environment, standard streams, exit.
    command.args(["serve", "-S", "cli", "--addr", &addresses[0].to_string()]);
    command.args(["--env", &format!("GREETING_END={}", function.greeting_end())]);
    command.arg(component).stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/")
}
