//! The peer: lighttpd, which starts a CGI program for each request.

use crate::cgi::{self, CgiError};
use crate::http::Page;
use crate::server::{Server, folder};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A server that runs, with a folder of its own; killed when it is dropped.
#[derive(Debug)]
pub struct Lighttpd {
    _server: Server,
    address: SocketAddr,
    folder: TempDir,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum LighttpdError {
    /// Its folder or its socket can't be made.
    #[error("failed to make lighttpd's folder or socket")]
    Prepare(#[source] io::Error),
    /// A program that it runs can't be built.
    #[error(transparent)]
    Cgi(#[from] CgiError),
    /// It can't be started.
    #[error("failed to start `{}`", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Lighttpd {
    /// Starts `program` on a port that is free, with a CGI program that `cc` builds. It runs that under `bwrap`, where
    /// there is one.
    ///
    /// # Errors
    ///
    /// See [`LighttpdError`].
    pub fn start(program: PathBuf, cc: &Path, bwrap: Option<&Path>) -> Result<Self, LighttpdError> {
        let folder = folder().map_err(LighttpdError::Prepare)?;
        cgi::build_hello(cc, folder.path())?;
        let jailer = bwrap.map(|bwrap| cgi::build_jailer(cc, folder.path(), bwrap)).transpose()?;
        let configuration = folder.path().join("lighttpd.conf");
        fs::write(&configuration, configure(folder.path(), jailer.as_deref()))
            .map_err(LighttpdError::Prepare)?;
        let stderr = File::create(folder.path().join("log")).map_err(LighttpdError::Prepare)?;
        // It listens from here on: whoever connects before the server is ready waits for it.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LighttpdError::Prepare)?;
        let address = listener.local_addr().map_err(LighttpdError::Prepare)?;
        let process = Command::new(&program)
            .arg("-D")
            .arg("-f")
            .arg(configuration)
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|source| LighttpdError::Start { path: program, source })?;
        Ok(Self { _server: Server(process), address, folder })
    }

    /// The server as a contender.
    pub fn page(&self, name: &str) -> Page {
        Page {
            name: name.to_owned(),
            address: self.address,
            path: "/hello.cgi".to_owned(),
            expected: cgi::EXPECTED,
            log: self.folder.path().join("log"),
        }
    }
}

/// All that it doesn't say is as lighttpd has it by default: one process, whose log is its stderr, which CGI programs
/// have, too.
fn configure(folder: &Path, jailer: Option<&Path>) -> String {
    let folder = folder.display();
    // An empty handler starts the program itself.
    let jailer = jailer.unwrap_or(Path::new("")).display();
    // A connection lasts a whole turn, as it does with the host: the limit is the highest that lighttpd takes.
    format!(
        r#"server.modules = ("mod_cgi")
server.bind = "/dev/stdin"
server.document-root = "{folder}"
server.max-keep-alive-requests = 65535
cgi.assign = (".cgi" => "{jailer}")
"#
    )
}
