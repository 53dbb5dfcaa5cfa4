//! All settings, with the values that are in force.

use super::in_process::InProcessFunctions;
use super::jail_mode::JailMode;
use crate::memory::DataRate;
use fezz_manifest::Execution;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What is in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that holds `functions/`.
    pub root: PathBuf,
    /// The gateway file, if there is one.
    pub gateway: Option<PathBuf>,
    /// Where modules are kept while they are served.
    pub modules: PathBuf,
    /// The folder of secrets, if there is one.
    pub secrets: Option<PathBuf>,
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// A second address, for what operators ask.
    pub admin: Option<SocketAddr>,
    /// Where `/rpc` answers.
    pub rpc: Rpc,
    /// The runner, or the wrapper that ends in it; absolute. `None` if none was named, and there is none beside this
    /// program or on PATH.
    pub runner: Option<PathBuf>,
    /// How modules are confined.
    pub jail: JailMode,
    /// If the host is root: the first of the functions' uids; `None` for the first range that no other host has.
    pub uid_base: Option<u32>,
    /// The cgroup that is divided between requests; `own` stands for the host's.
    pub cgroup: Option<PathBuf>,
    /// How functions are executed whose manifest doesn't say.
    pub execution: Execution,
    /// The functions that may be loaded into the host's process.
    pub allow_in_process: InProcessFunctions,
    /// The form of the log.
    pub log_format: LogFormat,
    /// Where failed requests are recorded; absolute.
    pub record_failures: Option<PathBuf>,
    /// Whether the peer is a proxy whose header with the client's address is trusted.
    pub trust_proxy: bool,
    /// Whether each processor has a runtime of its own.
    pub per_core: bool,
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
    /// Zygotes of one function.
    pub zygotes_per_function: usize,
    /// How much of one processor's time is spent on comparing processes with their snapshots, in percent.
    pub rewind_checks_percent: u32,
    /// How long a module is kept in the host's process without a request.
    pub in_process_idle: Duration,
    /// Calls of modules in the host's process, of all functions together.
    pub in_process_threads: u32,
    /// Calls of one function in the host's process that may go on after their deadline.
    pub overdue: u32,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line a person reads.
    Text,
    /// A JSON object a line.
    Json,
}
