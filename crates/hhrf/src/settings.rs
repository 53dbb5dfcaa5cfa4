//! The host's settings: a flag goes over an environment variable, that over the file, that over the default.

use crate::catalogue::Execution;
use crate::jail::mode::JailMode;
use crate::jail::uids::UIDS;
use crate::memory::{DataRate, MEMORY_BYTES_MIN};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::ffi::OsString;
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
    /// Where the host is root: the first of the uids that functions get; `None` for a range that no other host has.
    pub uid_base: Option<u32>,
    /// The cgroup that is divided between requests; `own` stands for the host's.
    pub cgroup: Option<PathBuf>,
    /// How functions are executed that don't say it themselves.
    pub execution: Execution,
    /// The form of the log.
    pub log_format: LogFormat,
    /// Whether the peer is a proxy whose word on the client's address counts.
    pub trust_proxy: bool,
    /// Limits of the host as a whole.
    pub limits: HostLimits,
}

/// Limits of the host as a whole, beside those of each function.
#[derive(Debug, Clone)]
pub struct HostLimits {
    /// Open connections; a further one waits to be accepted.
    pub connections: usize,
    /// Processes at a time, of all functions together.
    pub processes: u32,
    /// Processes that wait ahead of requests, of a function that doesn't say it itself.
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

/// By which address a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
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

/// One layer of settings: the flags and the environment, or the file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// A TOML file with any of these settings: `listen = "0.0.0.0:3000"`, `body_timeout_ms = 5000`
    #[arg(long, env = "HHRF_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// The folder that holds functions/ [default: .]
    #[arg(long, env = "HHRF_ROOT", value_name = "FOLDER")]
    root: Option<PathBuf>,

    /// Where copies of the modules are kept while they are served, so that what was checked is what runs; not on a file
    /// system that is mounted noexec [default: .modules in the root]
    #[arg(long, env = "HHRF_MODULES", value_name = "FOLDER")]
    modules: Option<PathBuf>,

    /// Where HTTP/1.1 and HTTP/2 (cleartext) are answered [default: 127.0.0.1:3000]
    #[arg(long, env = "HHRF_LISTEN", value_name = "IP:PORT")]
    listen: Option<SocketAddr>,

    /// A second address, for operators: /_metrics moves there; /_health and /_ready answer on both
    #[arg(long, env = "HHRF_ADMIN", value_name = "IP:PORT")]
    admin: Option<SocketAddr>,

    /// Where /rpc/ID@VERSION answers: main address, admin address, nowhere [default: on]
    #[arg(long, env = "HHRF_RPC", value_enum)]
    rpc: Option<Rpc>,

    /// The runner, or a wrapper that jails it and ends in `exec fezz-runner "$@"`. A name without a slash is looked for
    /// beside this program, then on PATH [default: fezz-runner]
    // By a parser of its own, for clap lets no path be empty, which is how a shell unsets a variable for one command.
    #[arg(long, env = "FEZZ_RUNNER", value_name = "PROGRAM", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    runner: Option<PathBuf>,

    /// How modules are confined. `off` is for modules that you trust with all that this user may do
    /// [default: strict; inner where a runner is named, which is taken for a wrapper unless it is called fezz-runner]
    #[arg(long, env = "HHRF_JAIL", value_enum)]
    jail: Option<JailMode>,

    /// Where this program is root: the first of 65536 uids, one for each function, that nobody else has
    /// [default: the first range from 1879048192 on that no other host of this machine has locked in /run/fezz]
    #[arg(long, env = "HHRF_UID_BASE", value_name = "UID")]
    uid_base: Option<u32>,

    /// A cgroup (version 2) delegated to this user, to be divided between requests, so that all of their memory counts;
    /// `own` stands for the one that this program is in. Only with --jail strict [default: none]
    #[arg(long, env = "HHRF_CGROUP", value_name = "FOLDER")]
    cgroup: Option<PathBuf>,

    /// How functions are executed whose manifest doesn't say [default: spawn]
    #[arg(long, env = "HHRF_EXECUTION", value_enum)]
    execution: Option<Execution>,

    /// The log on stderr, as lines or as JSON objects [default: text]
    #[arg(long, env = "HHRF_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,

    /// Take the client's address from the proxy's x-envoy-external-address: set it only where every peer is a proxy
    /// of yours [default: false]
    #[arg(long, env = "HHRF_TRUST_PROXY", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    trust_proxy: Option<bool>,

    /// Open connections; a further one waits [default: 4096; each takes two descriptors, and each process four: what is
    /// over the limit of open files is said at the start]
    #[arg(long, env = "HHRF_CONNECTIONS", value_name = "N")]
    connections: Option<usize>,

    /// Processes at a time, of all functions together [default: 256, which at 128 MiB each is 32 GiB at the worst]
    #[arg(long, env = "HHRF_PROCESSES", value_name = "N")]
    processes: Option<u32>,

    /// The most processes that wait ahead of a function's requests, where its manifest doesn't say: as many as lately ran
    /// at the same time; some seconds after the last request none [default: 8]
    #[arg(long, env = "HHRF_SPARE", value_name = "N")]
    spare: Option<u32>,

    /// The same for all functions together; those beyond are started when their requests come [default: 128]
    #[arg(long, env = "HHRF_SPARE_TOTAL", value_name = "N")]
    spare_total: Option<u32>,

    /// Zygotes that are kept for functions without a request, which then wait for up to a minute; beyond them, those that
    /// waited longest go [default: 128, each of three small processes]
    #[arg(long, env = "HHRF_ZYGOTES", value_name = "N")]
    zygotes: Option<u32>,

    /// Memory for the heads and bodies of requests, of all together [default: 268435456, 25 bodies of 10 MiB; a quarter
    /// is for requests up to 64 KiB alone, and one connection, client address or function takes half at most]
    #[arg(long, env = "HHRF_BODY_MEMORY_BYTES", value_name = "BYTES")]
    body_memory_bytes: Option<usize>,

    /// Memory for responses, of all together: 64 KiB are reserved for each before its function runs [default: 268435456,
    /// likewise]
    #[arg(long, env = "HHRF_RESPONSE_MEMORY_BYTES", value_name = "BYTES")]
    response_memory_bytes: Option<usize>,

    /// Headers of one request [default: 65536, what Envoy lets through by default is 60 KiB]
    #[arg(long, env = "HHRF_HEADER_BYTES", value_name = "BYTES")]
    header_bytes: Option<usize>,

    /// How many headers a request may have [default: 100, as Envoy's]
    #[arg(long, env = "HHRF_HEADERS", value_name = "N")]
    headers: Option<usize>,

    /// What a client has to send of a body, and to take of a response, in bytes per second on average, after the first 5
    /// seconds; 0 demands nothing [default: 1024, the slowest of mobile networks]
    #[arg(long, env = "HHRF_MIN_DATA_RATE", value_name = "BYTES")]
    min_data_rate: Option<u64>,
    /// From a request's first byte to the end of its head; longer ends the connection, HTTP/1.1's with 408 [default: 30000]
    #[arg(long, env = "HHRF_HEAD_TIMEOUT_MS", value_name = "MS")]
    head_timeout_ms: Option<u64>,

    /// How long a connection is kept without a request [default: 90000; a proxy's own time should be shorter, so that no
    /// request of it meets a connection that is being closed]
    #[arg(long, env = "HHRF_KEEP_ALIVE_MS", value_name = "MS")]
    keep_alive_ms: Option<u64>,

    /// From the end of a request's headers to the end of its body [default: 30000]
    #[arg(long, env = "HHRF_BODY_TIMEOUT_MS", value_name = "MS")]
    body_timeout_ms: Option<u64>,

    /// What one request's function may write into the log [default: 65536, the rest is counted]
    #[arg(long, env = "HHRF_STDERR_BYTES", value_name = "BYTES")]
    stderr_bytes: Option<usize>,

    /// From "not ready" to the end of accepting [default: 1000, one health check of a balancer]
    #[arg(long, env = "HHRF_DRAIN_WAIT_MS", value_name = "MS")]
    drain_wait_ms: Option<u64>,
}

/// A message to a function holds two more than the request: its id and its traceparent, which are the host's own.
const HEADERS_MAX: usize = fezz_wire::PAIRS_MAX - 2;

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("failed to read the settings file `{}`", path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file says something wrong.
    #[error("the settings file `{}` is wrong: its keys are the flags of hhrf --help with `_` for `-`", path.display())]
    Malformed {
        /// As given.
        path: PathBuf,
        /// The place and what was expected.
        source: Box<toml::de::Error>,
    },
    /// No runner was found.
    #[error(
        "failed to find `fezz-runner` beside this program or on PATH: build it with `{BUILD_RUNNER}`, or set FEZZ_RUNNER"
    )]
    NoRunner,
    /// The runner that was named isn't there.
    #[error("the runner `{}` is no executable file: correct FEZZ_RUNNER or --runner", path.display())]
    BadRunner {
        /// As given.
        path: PathBuf,
    },
    /// The runner's or the root's path can't be made absolute.
    #[error("failed to find the folder that `{}` is relative to", path.display())]
    NoWorkingFolder {
        /// As given.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A limit that would refuse everything.
    #[error("`{name}` is 0, which would refuse every request: give it 1 or more")]
    Zero {
        /// The setting.
        name: &'static str,
    },
    /// A memory in which hardly a request has room.
    #[error(
        "`{name}` is {bytes}: give it {MEMORY_BYTES_MIN} or more, or large requests and responses find no room"
    )]
    TooLittleMemory {
        /// The setting.
        name: &'static str,
        /// What was set.
        bytes: usize,
    },
    /// More headers than a message to a function holds.
    #[error("`headers` is {headers}: a function is given {HEADERS_MAX} at most")]
    TooManyHeaders {
        /// What was set.
        headers: usize,
    },
    /// Uids that can't be given.
    #[error("`uid_base` is {value}: it must leave 65536 uids from 1 to 4294967294")]
    UidBase {
        /// What was set.
        value: u32,
    },
    /// What a wrapper starts can't be counted from its beginning on.
    #[error("`cgroup` needs `jail` to be `strict`: elsewhere let the wrapper divide its own")]
    CgroupWithoutJail,
    /// `/rpc` has no address to answer on.
    #[error("`rpc` is `admin`, but there is no admin address: set --admin too")]
    RpcWithoutAdmin,
}

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

/// What a wrapper does needn't be done again, and can't be, as a rule; what is called as the runner is no wrapper.
fn default_jail(runner: Option<&Path>) -> JailMode {
    match runner {
        Some(runner) if is_wrapper(runner) => JailMode::Inner,
        _ => JailMode::Strict,
    }
}

/// Whether a runner is taken for a wrapper around one: by its name.
pub fn is_wrapper(runner: &Path) -> bool {
    runner.file_name().is_some_and(|name| name != RUNNER)
}

/// The runner's program.
const RUNNER: &str = "fezz-runner";

/// Builds the runner of the same profile, which Cargo puts beside this program.
const BUILD_RUNNER: &str = if cfg!(debug_assertions) {
    "cargo build -p fezz-runner"
} else {
    "cargo build --release -p fezz-runner"
};

fn read_file(path: &Path) -> Result<Layer, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| SettingsError::Malformed { path: path.to_owned(), source: Box::new(source) })
}

/// The runner that was named, or `fezz-runner`. A bare name is looked for beside this program, then on PATH; anything with
/// a slash is a path.
fn find_runner(named: Option<PathBuf>) -> Result<PathBuf, SettingsError> {
    let name = named.unwrap_or_else(|| RUNNER.into());
    let found = match name.file_name() {
        Some(bare) if bare == name.as_os_str() => beside_program(bare).or_else(|| on_path(bare)),
        _ => Some(name.clone()).filter(|path| is_executable(path)),
    };
    match found {
        Some(path) => absolute(&path),
        None if name.as_os_str() == RUNNER => Err(SettingsError::NoRunner),
        None => Err(SettingsError::BadRunner { path: name }),
    }
}

fn beside_program(name: &std::ffi::OsStr) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.with_file_name(name)).filter(|path| is_executable(path))
}

fn on_path(name: &std::ffi::OsStr) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Processes are started in `/`, so that a path has to say where it is.
fn absolute(path: &Path) -> Result<PathBuf, SettingsError> {
    std::path::absolute(path)
        .map_err(|source| SettingsError::NoWorkingFolder { path: path.to_owned(), source })
}
