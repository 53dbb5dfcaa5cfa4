//! A server of a run: a process, and a temporary folder. Both end with the run.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A process and its folder; ended when it is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Holds the log and the process's other files.
    folder: TempDir,
}

/// The time that an idle server may take to end before it is killed.
const END_MAX: Duration = Duration::from_secs(5);

/// The interval of polling for events that take some milliseconds.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

impl Server {
    /// Starts the command. Its stderr becomes the log.
    ///
    /// # Errors
    ///
    /// The log can't be made, or the program not be started.
    pub(crate) fn start(command: &mut Command, folder: TempDir) -> io::Result<Self> {
        let log = File::create(log(&folder))?;
        let process = command.stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Self { process, folder })
    }

    /// What it wrote on stderr.
    pub(crate) fn log(&self) -> PathBuf {
        log(&self.folder)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The process that the others, if there are any, descend from.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first, since a server that is killed leaves its children. Errors mean that it has ended already.
        kill_process(Pid::from_child(&self.process), Signal::TERM).ok();
        let asked = Instant::now();
        while asked.elapsed() < END_MAX {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

/// Makes a temporary folder that other users may read: a jail that root starts changes its user before it opens its
/// files.
///
/// # Errors
///
/// Errors of mkdir(2) and chmod(2).
pub(crate) fn folder() -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// `count` free addresses, for servers that can't choose a free port and report it. Another program could take an
/// address before the server does; the server then fails with an error.
///
/// # Errors
///
/// Errors of bind(2).
pub(crate) fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = (0..count).map(bind).collect::<io::Result<Vec<_>>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}
