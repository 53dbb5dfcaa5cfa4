//! Apache with mod_cgid, which forks a CGI program for each request from a small daemon beside its threaded workers.
//! Before a connection's next request it checks whether the previous program has ended, and sleeps for 10 ms if not:
//! with one client, that is most of the latency.

use crate::function::Function;
use crate::peers::lighttpd::build_hello;
use crate::peers::{Peer, PeerError};
use crate::program::Program;
use crate::server;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts it with a CGI program that greets as `function` does.
///
/// # Errors
///
/// See [`PeerError`].
pub fn start(function: Function) -> Result<Peer, PeerError> {
    let program = Program::Apache.find()?;
    let folder = server::folder().map_err(PeerError::Prepare)?;
    build_hello(function, folder.path())?;
    let addresses = server::free_addresses(1).map_err(PeerError::Prepare)?;
    let configuration = folder.path().join("apache.conf");
    fs::write(&configuration, configure(folder.path(), addresses[0])).map_err(PeerError::Prepare)?;
    let mut command = Command::new(program);
    command.args(["-D", "FOREGROUND", "-f"]).arg(configuration).stdin(Stdio::null());
    Peer::start(command, folder, addresses, "/hello.cgi")
}

/// The configuration has only the modules that Apache needs to answer. Everything else is Apache's default.
fn configure(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    // It refuses to serve as root; the names are Debian's.
    let user = if rustix::process::geteuid().is_root() { "User nobody\nGroup nogroup\n" } else { "" };
    // A connection lasts a whole interval, as with the host. A process with more connections than threads would close
    // some, so one process has threads for all clients. And Apache takes a program's Content-Length, or it would send
    // answers in chunks, unlike all other targets.
    format!(
        r#"ServerName localhost
Listen {address}
{user}DefaultRuntimeDir "{folder}"
PidFile "{folder}/pid"
ErrorLog "{folder}/log"
LoadModule mpm_event_module "{MODULES}/mod_mpm_event.so"
StartServers 1
ThreadsPerChild 128
ThreadLimit 128
MaxRequestWorkers 128
LoadModule authz_core_module "{MODULES}/mod_authz_core.so"
LoadModule cgid_module "{MODULES}/mod_cgid.so"
LoadModule env_module "{MODULES}/mod_env.so"
SetEnv ap_trust_cgilike_cl 1
ScriptSock "{folder}/cgid.socket"
MaxKeepAliveRequests 0
KeepAliveTimeout 60
DocumentRoot "{folder}"
<Directory "{folder}">
    Require all granted
    Options +ExecCGI
    SetHandler cgi-script
</Directory>
"#
    )
}

/// Debian's folder of Apache modules.
const MODULES: &str = "/usr/lib/apache2/modules";
