//! lighttpd, which starts a CGI program for each request, optionally under bubblewrap.

use crate::compile::{Product, compile};
use crate::function::Function;
use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The jail of the CGI program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgiJail {
    /// No jail.
    Off,
    /// bubblewrap, as in `c/cgi-bwrap.c`.
    Bwrap,
}

/// Starts it with a CGI program that greets as `function` does.
///
/// # Errors
///
/// See [`PeerError`].
pub fn start(function: Function, jail: CgiJail) -> Result<Peer, PeerError> {
    let program = Program::Lighttpd.find()?;
    let folder = server::folder().map_err(PeerError::Prepare)?;
    build_hello(function, folder.path())?;
    let jailer = match jail {
        CgiJail::Off => None,
        CgiJail::Bwrap => Some(build_jailer(folder.path())?),
    };
    let configuration = folder.path().join("lighttpd.conf");
    fs::write(&configuration, configure(folder.path(), jailer.as_deref())).map_err(PeerError::Prepare)?;
    // The socket listens from here on: a client that connects before the server is ready waits.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(PeerError::Prepare)?;
    let address = listener.local_addr().map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    command.arg("-D").arg("-f").arg(configuration).stdin(OwnedFd::from(listener));
    Peer::start(command, folder, vec![address], "/hello.cgi")
}

/// Builds the CGI program that greets as `function` does: `hello.cgi`.
///
/// # Errors
///
/// See [`PeerError`].
pub(crate) fn build_hello(function: Function, folder: &Path) -> Result<PathBuf, PeerError> {
    let cc = Program::Cc.find()?;
    // Rust's Debug format of plain text with line ends is also a C string literal.
    let end = OsString::from(format!("GREETING_END={:?}", function.greeting_end()));
    Ok(compile(&cc, "cgi-hello.c", Product::StaticProgram, folder.join("hello.cgi"), &[end])?)
}

/// Builds the program that runs another one under bubblewrap.
fn build_jailer(folder: &Path) -> Result<PathBuf, PeerError> {
    let (cc, bwrap) = (Program::Cc.find()?, Program::Bwrap.find()?);
    let mut definition = OsString::from("BWRAP=\"");
    definition.push(bwrap);
    definition.push("\"");
    Ok(compile(&cc, "cgi-bwrap.c", Product::StaticProgram, folder.join("cgi-bwrap"), &[definition])?)
}

/// Everything that isn't set is lighttpd's default: one process that logs to stderr, which CGI programs inherit.
fn configure(folder: &Path, jailer: Option<&Path>) -> String {
    let folder = folder.display();
    // An empty handler starts the program itself.
    let jailer = jailer.unwrap_or(Path::new("")).display();
    // A connection lasts a whole interval, as with the host: this is the highest limit that lighttpd takes.
    format!(
        r#"server.modules = ("mod_cgi")
server.bind = "/dev/stdin"
server.document-root = "{folder}"
server.max-keep-alive-requests = 65535
cgi.assign = (".cgi" => "{jailer}")
"#
    )
}
