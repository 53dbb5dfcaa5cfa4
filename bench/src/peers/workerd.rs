//! workerd, the runtime of Cloudflare Workers: JavaScript in isolates of one process, which all requests share.

use crate::function::Function;
use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// The worker's source in the repository.
const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/js/hello.js");

/// Starts it with `workers` workers, each on an address of its own, that greet as `function` does.
///
/// # Errors
///
/// See [`PeerError`].
pub fn start(function: Function, workers: usize) -> Result<Peer, PeerError> {
    let program = Program::Workerd.find()?;
    let folder = server::folder().map_err(PeerError::Prepare)?;
    let addresses = server::free_addresses(workers).map_err(PeerError::Prepare)?;
    fs::copy(WORKER, folder.path().join("hello.js")).map_err(PeerError::Prepare)?;
    let configuration = folder.path().join("workerd.capnp");
    fs::write(&configuration, configure(function, &addresses)).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    command.arg("serve").arg(configuration).stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/")
}

fn configure(function: Function, addresses: &[SocketAddr]) -> String {
    let end = function.greeting_end();
    let service = |at: usize| {
        format!(
            r#"(name = "hello{at}", worker = (
    modules = [(name = "hello.js", esModule = embed "hello.js")],
    bindings = [(name = "END", text = {end:?})],
    compatibilityDate = "2025-01-01"))"#
        )
    };
    let socket = |(at, address): (usize, &SocketAddr)| {
        format!(r#"(name = "http{at}", address = "{address}", http = (), service = "hello{at}")"#)
    };
    let services: Vec<String> = (0..addresses.len()).map(service).collect();
    let sockets: Vec<String> = addresses.iter().enumerate().map(socket).collect();
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n  services = [{}],\n  sockets = [{}],\n);\n",
        services.join(",\n  "),
        sockets.join(",\n  ")
    )
}
