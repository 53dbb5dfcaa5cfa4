//! All settings as they are given; the doc comments are the text of `hhrf --help`, and `defaults` adds the defaults.

#[cfg(feature = "program")]
use super::defaults;
#[cfg(feature = "program")]
use super::execution::parse_execution;
use super::in_process::InProcessFunctions;
use super::jail_mode::JailMode;
use super::values::{LogFormat, Rpc};
#[cfg(feature = "program")]
use clap::Args;
#[cfg(feature = "program")]
use clap::builder::{OsStringValueParser, TypedValueParser};
use fezz_manifest::Execution;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One layer of settings: the flags and the environment, or the file.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "program", derive(Args))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "program", command(mut_args = defaults::add_to_help))]
pub struct Layer {
    /// A TOML file with any of these settings: `listen = "0.0.0.0:3000"`, `body_timeout_ms = 5000`
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_CONFIG", value_name = "FILE"))]
    #[serde(skip)]
    pub(super) config: Option<PathBuf>,

    /// The folder that holds functions/
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_ROOT", value_name = "FOLDER"))]
    pub(super) root: Option<PathBuf>,

    /// A YAML file with more functions, each with the keys of a fezz.json; functions/ may be missing then
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_GATEWAY", value_name = "FILE"))]
    pub(super) gateway: Option<PathBuf>,

    /// Where copies of the modules are kept while they are served, so that what was checked is what runs; not on a file
    /// system that is mounted noexec
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_MODULES", value_name = "FOLDER"))]
    pub(super) modules: Option<PathBuf>,

    /// The folder of secrets, a file each, which manifests name by `secrets` and `resources`. This program alone reads them, at
    /// its start and at each reload
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_SECRETS", value_name = "FOLDER"))]
    pub(super) secrets: Option<PathBuf>,

    /// Where HTTP/1.1 and HTTP/2 (cleartext) are answered
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_LISTEN", value_name = "IP:PORT"))]
    pub(super) listen: Option<SocketAddr>,

    /// A second address, for operators: /_metrics moves there; /_health and /_ready answer on both
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_ADMIN", value_name = "IP:PORT"))]
    pub(super) admin: Option<SocketAddr>,

    /// Where /rpc/ID@VERSION answers: main address, admin address, nowhere
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_RPC", value_enum))]
    pub(super) rpc: Option<Rpc>,

    /// The runner, or a wrapper that jails it and ends in `exec fezz-runner "$@"`. A name without a slash is looked for
    /// beside this program, then on PATH
    // By a parser of its own, for clap lets no path be empty, which is how a shell unsets a variable for one command.
    #[cfg_attr(feature = "program", arg(long, env = "FEZZ_RUNNER", value_name = "PROGRAM", value_parser = OsStringValueParser::new().map(PathBuf::from)))]
    pub(super) runner: Option<PathBuf>,

    /// How modules are confined. `off` is for modules that you trust with all that this user may do
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_JAIL", value_enum))]
    pub(super) jail: Option<JailMode>,

    /// Where this program is root: the first of 65536 uids, one for each function, that no other program uses
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_UID_BASE", value_name = "UID"))]
    pub(super) uid_base: Option<u32>,

    /// A cgroup (version 2) delegated to this user, to be divided between requests, so that all of their memory counts;
    /// `own` stands for the one that this program is in. Only with --jail strict
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_CGROUP", value_name = "FOLDER"))]
    pub(super) cgroup: Option<PathBuf>,

    /// How functions are executed whose manifest doesn't say
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_EXECUTION", value_parser = parse_execution(&Execution::ALL)))]
    pub(super) execution: Option<Execution>,

    /// Lets these functions have `"execution": "in-process"`: `--allow-in-process=ID,ID`, with the `=`; `*`, or no value, means
    /// every function. Such a module is loaded into this program: nothing confines it, and if it crashes, the
    /// host does. Only for code that you trust as much as the host
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_ALLOW_IN_PROCESS", value_name = "IDS", num_args = 0..=1, require_equals = true, default_missing_value = "*"))]
    pub(super) allow_in_process: Option<InProcessFunctions>,

    /// How long a module is kept in this program without a request
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_IN_PROCESS_IDLE_MS", value_name = "MS"))]
    pub(super) in_process_idle_ms: Option<u64>,

    /// Calls at a time of modules in this program, of all of them together; each has a thread, and one function has at
    /// most half of those that the others leave
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_IN_PROCESS_THREADS", value_name = "N"))]
    pub(super) in_process_threads: Option<u32>,

    /// Calls of one function in this program that may go on after their deadline, since a thread can't be killed: while
    /// there are as many, the function's further requests get 503
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_OVERDUE", value_name = "N"))]
    pub(super) overdue: Option<u32>,

    /// The log on stderr, as lines or as JSON objects
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_LOG_FORMAT", value_enum))]
    pub(super) log_format: Option<LogFormat>,

    /// Record the requests of functions that fail in this folder, to replay them: the newest 100, up to 128 MiB. They hold
    /// what clients sent
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_RECORD_FAILURES", value_name = "FOLDER"))]
    pub(super) record_failures: Option<PathBuf>,

    /// Take the client's address from the proxy's x-envoy-external-address: set it only where every peer is a proxy of
    /// yours
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_TRUST_PROXY", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true"))]
    pub(super) trust_proxy: Option<bool>,

    /// Open connections; a further one waits. One client address has half of those that others leave, except on --admin
    /// and with --trust-proxy; those above are closed
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_CONNECTIONS", value_name = "N"))]
    pub(super) connections: Option<usize>,

    /// Processes at a time, of all functions together
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_PROCESSES", value_name = "N"))]
    pub(super) processes: Option<u32>,

    /// The most idle processes of a function, where its manifest doesn't say: as many are kept as lately ran at the
    /// same time, and none some seconds after the last request
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_SPARE", value_name = "N"))]
    pub(super) spare: Option<u32>,

    /// The same for all functions together; beyond it, processes are started when their requests come
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_SPARE_TOTAL", value_name = "N"))]
    pub(super) spare_total: Option<u32>,

    /// Zygotes that are kept for functions without a request, for up to a minute; beyond this number, the longest
    /// unused end
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_ZYGOTES", value_name = "N"))]
    pub(super) zygotes: Option<u32>,

    /// Zygotes of one function: another is added while those that it has are busy for three quarters of their time,
    /// since a zygote forks on one processor, and given up when the others suffice
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_ZYGOTES_PER_FUNCTION", value_name = "N"))]
    pub(super) zygotes_per_function: Option<usize>,

    /// For functions with the executor `rewind`: how much of one processor's time is spent on comparing processes whole with
    /// their snapshots, after they were put back, in percent, from 0 to 100. 0: none; 100: each process after each request,
    /// however long that takes
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_REWIND_CHECKS_PERCENT", value_name = "N"))]
    pub(super) rewind_checks_percent: Option<u32>,

    /// A single-threaded runtime for each processor, with the processes of `fork` and `rewind` on the processor of their
    /// request: for a machine that does little else. A function's threads share one processor then, and --spare and
    /// --zygotes-per-function are divided between the processors
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_PER_CORE", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true"))]
    pub(super) per_core: Option<bool>,

    /// Memory for the heads and bodies of requests, of all together
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_BODY_MEMORY_BYTES", value_name = "BYTES"))]
    pub(super) body_memory_bytes: Option<usize>,

    /// Memory for responses, of all together: 64 KiB are reserved for each before its function runs
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_RESPONSE_MEMORY_BYTES", value_name = "BYTES"))]
    pub(super) response_memory_bytes: Option<usize>,

    /// Headers of one request
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_HEADER_BYTES", value_name = "BYTES"))]
    pub(super) header_bytes: Option<usize>,

    /// How many headers a request may have
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_HEADERS", value_name = "N"))]
    pub(super) headers: Option<usize>,

    /// What a client has to send of a body, and to take of a response, in bytes per second on average, after the first
    /// 5 seconds; 0 demands nothing
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_MIN_DATA_RATE", value_name = "BYTES"))]
    pub(super) min_data_rate: Option<u64>,

    /// From a request's first byte to the end of its head; longer ends the connection, HTTP/1.1's with 408
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_HEAD_TIMEOUT_MS", value_name = "MS"))]
    pub(super) head_timeout_ms: Option<u64>,

    /// How long a connection is kept without a request
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_KEEP_ALIVE_MS", value_name = "MS"))]
    pub(super) keep_alive_ms: Option<u64>,

    /// From the end of a request's headers to the end of its body
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_BODY_TIMEOUT_MS", value_name = "MS"))]
    pub(super) body_timeout_ms: Option<u64>,

    /// What one request's function may write into the log
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_STDERR_BYTES", value_name = "BYTES"))]
    pub(super) stderr_bytes: Option<usize>,

    /// From "not ready" to the end of accepting
    #[cfg_attr(feature = "program", arg(long, env = "HHRF_DRAIN_WAIT_MS", value_name = "MS"))]
    pub(super) drain_wait_ms: Option<u64>,
}
