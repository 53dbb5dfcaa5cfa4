//! The host's settings: a flag goes over an environment variable, that over the file, that over the default.
//!
//! [`Layer`] is one of these, `execution` reads one of its values, `runner` finds the runner, [`SettingsError`] is what
//! can be wrong.

mod error;
mod execution;
mod layer;
mod runner;

pub use error::SettingsError;
pub(crate) use execution::parse_execution;
pub use layer::Layer;
pub use runner::is_wrapper;

use crate::catalogue::Execution;
use crate::jail::mode::JailMode;
use crate::jail::uids::UIDS;
use crate::memory::{DataRate, MEMORY_BYTES_MIN};
use clap::ValueEnum;
use runner::{default_jail, find_runner};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that holds `functions/`.
    pub root: PathBuf,
    /// Where modules are kept while they are served.
    pub modules: PathBuf,
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// A second address, for what operators ask.
    pub admin: Option<SocketAddr>,
    /// Where `/rpc` answers.
    pub rpc: Rpc,
    /// The runner, or the wrapper that ends in it; absolute.
    pub runner: PathBuf,
    /// How modules are confined.
    pub jail: JailMode,
    /// If the host is root: the first of the functions' uids; `None` for the first range that no other host has.
    pub uid_base: Option<u32>,
    /// The cgroup that is divided between requests; `own` stands for the host's.
    pub cgroup: Option<PathBuf>,
    /// How functions are executed whose manifest doesn't say.
    pub execution: Execution,
    /// The form of the log.
    pub log_format: LogFormat,
    /// Whether the peer is a proxy whose header with the client's address is trusted.
    pub trust_proxy: bool,
    /// Limits of the host as a whole.
    pub limits: HostLimits,
}

/// Limits of the host as a whole, beside those of each function.
#[derive(Debug, Clone)]
pub struct HostLimits {
    /// Open connections, of each address; a further one waits to be accepted. One client has half at most.
    pub connections: usize,
    /// Processes at a time, of all functions together.
    pub processes: u32,
    /// The most idle processes of a function whose manifest doesn't say.
    pub spare: u32,
    /// The same, of all functions together.
    pub spare_total: u32,
    /// Zygotes of functions that have no request.
    pub zygotes: u32,
    /// Memory for heads and bodies, of all requests together.
    pub body_memory_bytes: usize,
    /// Memory for responses, from before their functions run to their last byte, of all requests together.
    pub response_memory_bytes: usize,
    /// Headers of one request, names and values together.
    pub header_bytes: usize,
    /// Headers of one request.
    pub headers: usize,
    /// What a client has to send of a body, and to take of a response.
    pub data_rate: DataRate,
    /// From a request's first byte to the end of its head.
    pub head_timeout: Duration,
    /// From a response to the next request's first byte.
    pub keep_alive: Duration,
    /// From the end of the headers to the end of the body.
    pub body_timeout: Duration,
    /// What one request's function may write into the log; the rest is counted.
    pub stderr_bytes: usize,
    /// From "not ready" to the end of accepting, so that a balancer can notice.
    pub drain_wait: Duration,
}

/// Where `/rpc` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rpc {
    /// On the main address.
    On,
    /// On the admin address.
    Admin,
    /// Nowhere.
    Off,
}

/// The listener that accepted a request's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// `--listen`.
    Main,
    /// `--admin`.
    Admin,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line a person reads.
    Text,
    /// A JSON object a line.
    Json,
}

/// A message to a function holds two more than the request: its id and its traceparent, which are the host's own.
const HEADERS_MAX: usize = fezz_wire::PAIRS_MAX - 2;

impl Settings {
    /// Puts the layers together: `flags`, which clap has filled from the command line and the environment, over the
    /// file that they name, over the defaults.
    ///
    /// # Errors
    ///
    /// See [`SettingsError`].
    pub fn new(flags: Layer) -> Result<Self, SettingsError> {
        let file = match &flags.config {
            Some(path) => read_file(path)?,
            None => Layer::default(),
        };
        Self::of(flags, file)
    }

    /// The settings of a text as it may stand in the file, over the defaults: for a program that embeds the host.
    ///
    /// # Errors
    ///
    /// See [`SettingsError`].
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let layer = toml::from_str(text).map_err(|source| SettingsError::MalformedText(Box::new(source)))?;
        Self::of(layer, Layer::default())
    }

    fn of(flags: Layer, file: Layer) -> Result<Self, SettingsError> {
        let root = flags.root.or(file.root).unwrap_or_else(|| PathBuf::from("."));
        let runner = flags.runner.or(file.runner).filter(|path| !path.as_os_str().is_empty());
        let head_timeout_ms = flags.head_timeout_ms.or(file.head_timeout_ms).unwrap_or(30_000);
        let keep_alive_ms = flags.keep_alive_ms.or(file.keep_alive_ms).unwrap_or(90_000);
        let body_timeout_ms = flags.body_timeout_ms.or(file.body_timeout_ms).unwrap_or(30_000);
        let drain_wait_ms = flags.drain_wait_ms.or(file.drain_wait_ms).unwrap_or(1_000);
        let settings = Self {
            modules: absolute(&flags.modules.or(file.modules).unwrap_or_else(|| root.join(".modules")))?,
            root: absolute(&root)?,
            listen: flags.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000))),
            admin: flags.admin.or(file.admin),
            rpc: flags.rpc.or(file.rpc).unwrap_or(Rpc::On),
            jail: flags.jail.or(file.jail).unwrap_or_else(|| default_jail(runner.as_deref())),
            cgroup: flags.cgroup.or(file.cgroup),
            uid_base: flags.uid_base.or(file.uid_base),
            runner: find_runner(runner)?,
            execution: flags.execution.or(file.execution).unwrap_or(Execution::Spawn),
            log_format: flags.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            trust_proxy: flags.trust_proxy.or(file.trust_proxy).unwrap_or(false),
            limits: HostLimits {
                connections: flags.connections.or(file.connections).unwrap_or(4096),
                processes: flags.processes.or(file.processes).unwrap_or(256),
                spare: flags.spare.or(file.spare).unwrap_or(8),
                spare_total: flags.spare_total.or(file.spare_total).unwrap_or(128),
                zygotes: flags.zygotes.or(file.zygotes).unwrap_or(128),
                body_memory_bytes: flags.body_memory_bytes.or(file.body_memory_bytes).unwrap_or(256 << 20),
                response_memory_bytes: flags
                    .response_memory_bytes
                    .or(file.response_memory_bytes)
                    .unwrap_or(256 << 20),
                header_bytes: flags.header_bytes.or(file.header_bytes).unwrap_or(64 << 10),
                headers: flags.headers.or(file.headers).unwrap_or(100),
                data_rate: DataRate {
                    bytes_per_second: flags.min_data_rate.or(file.min_data_rate).unwrap_or(1024),
                },
                head_timeout: Duration::from_millis(head_timeout_ms),
                keep_alive: Duration::from_millis(keep_alive_ms),
                body_timeout: Duration::from_millis(body_timeout_ms),
                stderr_bytes: flags.stderr_bytes.or(file.stderr_bytes).unwrap_or(64 << 10),
                drain_wait: Duration::from_millis(drain_wait_ms),
            },
        };
        settings.check()
    }

    fn check(self) -> Result<Self, SettingsError> {
        let limits = &self.limits;
        for (name, is_zero) in [
            ("connections", limits.connections == 0),
            ("processes", limits.processes == 0),
            ("header_bytes", limits.header_bytes == 0),
            ("headers", limits.headers == 0),
            ("head_timeout_ms", limits.head_timeout.is_zero()),
            ("keep_alive_ms", limits.keep_alive.is_zero()),
            ("body_timeout_ms", limits.body_timeout.is_zero()),
        ] {
            if is_zero {
                return Err(SettingsError::Zero { name });
            }
        }
        for (name, bytes) in [
            ("body_memory_bytes", limits.body_memory_bytes),
            ("response_memory_bytes", limits.response_memory_bytes),
        ] {
            if bytes < MEMORY_BYTES_MIN {
                return Err(SettingsError::TooLittleMemory { name, bytes });
            }
        }
        if limits.headers > HEADERS_MAX {
            return Err(SettingsError::TooManyHeaders { headers: limits.headers });
        }
        if let Some(value) = self.uid_base.filter(|base| *base == 0 || base.checked_add(UIDS).is_none()) {
            return Err(SettingsError::UidBase { value });
        }
        if self.cgroup.is_some() && self.jail != JailMode::Strict {
            return Err(SettingsError::CgroupWithoutJail);
        }
        if self.rpc == Rpc::Admin && self.admin.is_none() {
            return Err(SettingsError::RpcWithoutAdmin);
        }
        Ok(self)
    }
}

fn read_file(path: &Path) -> Result<Layer, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| SettingsError::Malformed { path: path.to_owned(), source: Box::new(source) })
}

/// Processes are started in `/`, so paths must be absolute.
fn absolute(path: &Path) -> Result<PathBuf, SettingsError> {
    std::path::absolute(path)
        .map_err(|source| SettingsError::NoWorkingFolder { path: path.to_owned(), source })
}
