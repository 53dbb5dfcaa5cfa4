//! How the host has its runners confine themselves: the mode, and what a runner needs for it of its host.

use crate::catalogue::{Function, Limits};
use crate::cgroups::{Cgroup, CgroupError, Cgroups};
use crate::settings::Settings;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// How modules are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JailMode {
    /// The runner confines itself, in all that the kernel offers
    Strict,
    /// A wrapper makes the namespaces and the root, the runner adds the rest
    Inner,
    /// Not at all: modules have all rights of the host's user
    Off,
}

impl JailMode {
    /// The word on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Inner => "inner",
            Self::Off => "off",
        }
    }
}

/// What the runners of one host are confined by.
#[derive(Debug)]
pub struct Jail {
    mode: JailMode,
    /// Where the host is root: who each function is.
    uids: Option<Uids>,
    /// Namespaces that every runner without a network enters: a network without anything in it, and before it the user
    /// namespace that it belongs to, where the host isn't root.
    empty_network: Vec<OwnedFd>,
    cgroups: Option<Arc<Cgroups>>,
}

/// Why modules can't be confined.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The runner can't be started, or not asked.
    #[error("failed to have the runner try the jail")]
    Io(#[source] io::Error),
    /// The cgroup that the settings name.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The runner says why not.
    #[error("modules can't be confined here (--jail): {words}")]
    Refused {
        /// The runner's own words.
        words: String,
    },
}

impl Jail {
    /// Makes what the runners share.
    ///
    /// # Errors
    ///
    /// See [`JailError`].
    pub fn prepare(settings: &Settings) -> Result<Self, JailError> {
        let is_root = rustix::process::geteuid().is_root();
        let uids = (is_root && settings.jail != JailMode::Off).then(|| Uids::new(settings.uid_base));
        let empty_network = match settings.jail {
            JailMode::Strict => empty_network(&settings.runner, is_root)?,
            JailMode::Inner | JailMode::Off => Vec::new(),
        };
        let cgroups = settings.cgroup.as_deref().map(Cgroups::divide).transpose()?;
        Ok(Self { mode: settings.jail, uids, empty_network, cgroups })
    }

    /// Has the runner confine itself for nothing but to see whether it can.
    ///
    /// # Errors
    ///
    /// The runner says why not, or can't be started.
    pub fn try_out(&self, runner: &Path) -> Result<(), JailError> {
        let mut command = Command::new(runner);
        let uid = self.uids.as_ref().map(|uids| uids.base);
        self.confine_to(&mut command, &Limits::default(), &[], uid);
        // For a module, any file will do that is there.
        let output =
            command.arg("--try").arg(runner).env_clear().stdin(Stdio::null()).current_dir("/").output();
        let output = output.map_err(JailError::Io)?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Err(JailError::Refused { words: if words.is_empty() { output.status.to_string() } else { words } })
    }

    /// The cgroup of one request, where there are some.
    ///
    /// # Errors
    ///
    /// It can't be made: the request must not begin.
    pub fn cgroup(&self, function: &Function) -> io::Result<Option<Cgroup>> {
        self.cgroups.as_ref().map(|all| all.make(&function.limits)).transpose()
    }

    /// Adds the runner's arguments that say how a function is confined.
    pub fn confine(&self, command: &mut Command, function: &Function) {
        let uid = self.uids.as_ref().map(|uids| uids.of(&function.name()));
        self.confine_to(command, &function.limits, &function.connect, uid);
    }

    fn confine_to(&self, command: &mut Command, limits: &Limits, connect: &[u16], uid: Option<u32>) {
        command.args(["--jail", self.mode.as_str()]);
        if self.mode == JailMode::Off {
            return;
        }
        command.args(["--threads", &limits.threads.to_string()]);
        if limits.scratch_bytes > 0 {
            command.args(["--scratch-bytes", &limits.scratch_bytes.to_string()]);
        }
        if let Some(uid) = uid {
            command.args(["--uid", &uid.to_string()]);
        }
        for port in connect {
            command.args(["--connect", &port.to_string()]);
        }
        if connect.is_empty() {
            for namespace in &self.empty_network {
                command.args(["--join", &namespace.as_raw_fd().to_string()]);
            }
        }
    }
}

/// An unprivileged uid for each function, so that no function has any right over another's processes.
#[derive(Debug)]
struct Uids {
    base: u32,
    given: Mutex<HashMap<String, u32>>,
}

/// As many functions as a host may well serve in its life; beyond them, uids are given a second time.
pub const UIDS: u32 = 1 << 16;

impl Uids {
    fn new(base: u32) -> Self {
        Self { base, given: Mutex::default() }
    }

    /// The same for the same function, as long as this host lives: nothing that it owns stays longer.
    fn of(&self, function: &str) -> u32 {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uid) = given.get(function) {
            return *uid;
        }
        let next = u32::try_from(given.len()).unwrap_or_default() % UIDS;
        given.insert(function.to_owned(), self.base + next);
        self.base + next
    }
}

/// Has the runner make a network namespace, and takes hold of it: to make one for each request would cost as much as all
/// else in the jail.
fn empty_network(runner: &Path, is_root: bool) -> Result<Vec<OwnedFd>, JailError> {
    let mut holder = Command::new(runner)
        .arg("--hold-network")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(JailError::Io)?;
    let opened = take_hold(&mut holder, is_root);
    // Its end doesn't end the namespaces, which live as long as a descriptor of them.
    drop(holder.stdin.take());
    let mut words = String::new();
    if let Some(stderr) = holder.stderr.take() {
        stderr.take(4096).read_to_string(&mut words).map_err(JailError::Io)?;
    }
    let ended = holder.wait().map_err(JailError::Io)?;
    match opened {
        Ok(namespaces) if ended.success() => Ok(namespaces),
        Err(error) if words.is_empty() => Err(JailError::Io(error)),
        _ => Err(JailError::Refused { words: words.trim_end().to_owned() }),
    }
}

/// Opens the holder's namespaces, in the order in which they are to be entered, for every process that is started.
fn take_hold(holder: &mut Child, is_root: bool) -> io::Result<Vec<OwnedFd>> {
    let mut line = String::new();
    if let Some(stdout) = holder.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let names: &[&str] = if is_root { &["net"] } else { &["user", "net"] };
    let open = |name: &&str| {
        let namespace: OwnedFd = File::open(format!("/proc/{}/ns/{name}", holder.id()))?.into();
        // Inherited by every process that this one starts; the runner closes it before it loads a module.
        fcntl_setfd(&namespace, FdFlags::empty())?;
        Ok(namespace)
    };
    names.iter().map(open).collect()
}
