//! The real host, in a process of its own.

use crate::build::Build;
use crate::function::Function;
use crate::http::Page;
use crate::jail::{Jail, install_wrapper};
use crate::server::{Server, folder};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A host that runs, with a root and a log of its own; killed when it is dropped.
#[derive(Debug)]
pub struct Host {
    _server: Server,
    address: SocketAddr,
    root: TempDir,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Its root can't be made.
    #[error("failed to make the host's root")]
    Root(#[source] io::Error),
    /// It can't be started.
    #[error("failed to start `{}`", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It doesn't listen.
    #[error("the host doesn't listen; its log: {log}")]
    Silent {
        /// What it wrote on stderr.
        log: String,
    },
}

/// Starting takes some 10 ms; a machine that is busy building may take longer.
const START_MAX: Duration = Duration::from_secs(10);

/// What stands before the address in the log.
const LISTENING: &str = "listening on http://";

impl Host {
    /// Starts the host of `build` with the functions on a port that is free; with its own idea of a jail, where none
    /// is given.
    ///
    /// # Errors
    ///
    /// See [`HostError`].
    pub fn start(build: &Build, jail: Jail, functions: &[Function]) -> Result<Self, HostError> {
        let root = make_root(build, functions).map_err(HostError::Root)?;
        let log = root.path().join("log");
        let stderr = File::create(&log).map_err(HostError::Root)?;
        let runner = match jail {
            Jail::Bwrap => install_wrapper(build, root.path()).map_err(HostError::Root)?,
            _ => build.runner(),
        };
        let path = build.host();
        let process = Command::new(&path)
            .args(["--listen", "127.0.0.1:0", "--root"])
            .arg(root.path())
            .arg("--runner")
            .arg(runner)
            .args(["--jail", jail.setting()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|source| HostError::Start { path, source })?;
        let server = Server(process);
        Ok(Self { _server: server, address: wait_for_address(&log)?, root })
    }

    /// The host as a contender for one of its functions.
    pub fn page(&self, name: &str, function: Function) -> Page {
        Page {
            name: name.to_owned(),
            address: self.address,
            path: function.path(),
            expected: function.expected(),
            log: self.root.path().join("log"),
        }
    }

    /// The file of a function's module in the host's root.
    pub fn module(&self, function: Function) -> PathBuf {
        function_folder(self.root.path(), function).join(function.entry())
    }
}

fn function_folder(root: &Path, function: Function) -> PathBuf {
    root.join("functions").join(format!("{}@{}", function.id(), Function::VERSION))
}

fn make_root(build: &Build, functions: &[Function]) -> io::Result<TempDir> {
    let root = folder()?;
    for function in functions {
        let folder = function_folder(root.path(), *function);
        fs::create_dir_all(&folder)?;
        fs::copy(build.module(*function), folder.join(function.entry()))?;
        let (id, version, entry) = (function.id(), Function::VERSION, function.entry());
        let manifest = format!(r#"{{"id": "{id}", "version": "{version}", "entry": "{entry}"}}"#);
        fs::write(folder.join("fezz.json"), manifest)?;
    }
    Ok(root)
}

fn wait_for_address(log: &Path) -> Result<SocketAddr, HostError> {
    const PAUSE: Duration = Duration::from_millis(5);
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log).map_err(HostError::Root)?;
        // A line that isn't whole may hold half a port.
        let line = text.split_inclusive('\n').find(|line| line.contains(LISTENING) && line.ends_with('\n'));
        let address =
            line.and_then(|line| line.split(LISTENING).nth(1)?.split_whitespace().next()?.parse().ok());
        match address {
            Some(address) => return Ok(address),
            None if begun.elapsed() > START_MAX => return Err(HostError::Silent { log: text }),
            None => std::thread::sleep(PAUSE),
        }
    }
}
