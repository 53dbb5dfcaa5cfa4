//! The default of each setting: its value, and what `hhrf --help` and `docs/settings.md` say about it.

#[cfg(feature = "program")]
use super::bounds::UID_BASE_FIRST;
use super::jail_mode::JailMode;
use super::values::{LogFormat, Rpc};
#[cfg(feature = "program")]
use crate::memory::SMALL_BYTES;
#[cfg(feature = "program")]
use clap::{Arg, ValueEnum};
use fezz_manifest::Execution;
#[cfg(feature = "program")]
use fezz_manifest::Limits;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;

pub(super) const ROOT: &str = ".";
/// In the root.
pub(super) const MODULES: &str = ".modules";
pub(super) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
pub(super) const RPC: Rpc = Rpc::On;
pub(super) const RUNNER: &str = "fezz-runner";
pub(super) const JAIL: JailMode = JailMode::Strict;
pub(super) const JAIL_OF_WRAPPER: JailMode = JailMode::Inner;
pub(super) const EXECUTION: Execution = Execution::Spawn;
/// Longer than the pauses of a person who uses a page; a module that waits longer is mostly wasted.
pub(super) const IN_PROCESS_IDLE_MS: u64 = 5 * 60 * 1000;
/// One function has half of them at most: as many as calls of one function by default (`limits.concurrency`).
pub(super) const IN_PROCESS_THREADS: u32 = 128;
/// Enough to show that it is no accident; few enough that the threads of other functions remain.
pub(super) const OVERDUE: u32 = 8;
pub(super) const LOG_FORMAT: LogFormat = LogFormat::Text;
pub(super) const TRUST_PROXY: bool = false;
pub(super) const PER_CORE: bool = false;
pub(super) const CONNECTIONS: usize = 4096;
pub(super) const PROCESSES: u32 = 256;
pub(super) const SPARE: u32 = 8;
pub(super) const SPARE_TOTAL: u32 = 128;
pub(super) const ZYGOTES: u32 = 128;
/// Costs less than 1 % on a machine with two processors.
pub(super) const REWIND_CHECKS_PERCENT: u32 = 1;
pub(super) const BODY_MEMORY_BYTES: usize = 256 << 20;
pub(super) const RESPONSE_MEMORY_BYTES: usize = 256 << 20;
pub(super) const HEADER_BYTES: usize = 64 << 10;
pub(super) const HEADERS: usize = 100;
pub(super) const MIN_DATA_RATE: u64 = 1024;
pub(super) const HEAD_TIMEOUT_MS: u64 = 30_000;
pub(super) const KEEP_ALIVE_MS: u64 = 90_000;
pub(super) const BODY_TIMEOUT_MS: u64 = 30_000;
pub(super) const STDERR_BYTES: usize = 64 << 10;
pub(super) const DRAIN_WAIT_MS: u64 = 1_000;

/// More than one for each processor could not fork at the same time.
pub(super) fn zygotes_per_function() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Where systemd puts the credentials of a service (systemd.exec(5), "Credentials").
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The credentials of this service, if systemd has given it some.
pub(super) fn secrets() -> Option<PathBuf> {
    std::env::var_os(CREDENTIALS).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

#[cfg(feature = "program")]
/// Adds the default to a flag's help. clap's own `default_value` would hide the settings of the file.
pub(super) fn add_to_help(flag: Arg) -> Arg {
    match (help(flag.get_id().as_str()), flag.get_help()) {
        (Some(default), Some(text)) => {
            let text = format!("{text} [default: {default}]");
            flag.help(text)
        }
        _ => flag,
    }
}

#[cfg(feature = "program")]
/// What is said about the default of a setting, if it has one: the value first, then the reason.
fn help(setting: &str) -> Option<String> {
    const MIB: u64 = 1 << 20;
    let of_functions = Limits::default();
    Some(match setting {
        "root" => ROOT.to_owned(),
        "modules" => format!("{MODULES} in the root"),
        "secrets" => format!("${CREDENTIALS}, which systemd sets; else none"),
        "listen" => LISTEN.to_string(),
        "rpc" => word(RPC),
        "runner" => RUNNER.to_owned(),
        "jail" => format!(
            "{}; {} where a runner is named, which is taken for a wrapper unless it is called {RUNNER}",
            JAIL.as_str(),
            JAIL_OF_WRAPPER.as_str()
        ),
        "uid_base" => format!(
            "the first range from {UID_BASE_FIRST} on that no other host of this machine has locked in /run/fezz"
        ),
        "cgroup" => "none".to_owned(),
        "execution" => EXECUTION.as_str().to_owned(),
        "allow_in_process" => "none".to_owned(),
        "in_process_idle_ms" => IN_PROCESS_IDLE_MS.to_string(),
        "in_process_threads" => IN_PROCESS_THREADS.to_string(),
        "overdue" => OVERDUE.to_string(),
        "log_format" => word(LOG_FORMAT),
        "record_failures" => "none".to_owned(),
        "trust_proxy" => TRUST_PROXY.to_string(),
        "per_core" => PER_CORE.to_string(),
        "connections" => format!(
            "{CONNECTIONS}; each takes two descriptors, and each process four, with `rewind` nine: a warning at the start \
             tells if the limit of open files is too low for nine"
        ),
        "processes" => format!(
            "{PROCESSES}, which at {} MiB each is {} GiB at the worst",
            of_functions.memory_bytes / MIB,
            u64::from(PROCESSES) * of_functions.memory_bytes / (1024 * MIB)
        ),
        "spare" => SPARE.to_string(),
        "spare_total" => SPARE_TOTAL.to_string(),
        "zygotes" => format!("{ZYGOTES}, each of three small processes"),
        "zygotes_per_function" => "the number of processors".to_owned(),
        "rewind_checks_percent" => REWIND_CHECKS_PERCENT.to_string(),
        "body_memory_bytes" => format!(
            "{BODY_MEMORY_BYTES}, {} bodies of {} MiB; a quarter is for requests up to {} KiB alone, and one connection, \
             client address or function takes half at most",
            BODY_MEMORY_BYTES as u64 / of_functions.request_body_bytes,
            of_functions.request_body_bytes / MIB,
            SMALL_BYTES / 1024
        ),
        "response_memory_bytes" => format!("{RESPONSE_MEMORY_BYTES}, likewise"),
        "header_bytes" => format!("{HEADER_BYTES}, what Envoy lets through by default is 60 KiB"),
        "headers" => format!("{HEADERS}, as Envoy's"),
        "min_data_rate" => format!("{MIN_DATA_RATE}, the slowest of mobile networks"),
        "head_timeout_ms" => HEAD_TIMEOUT_MS.to_string(),
        "keep_alive_ms" => format!(
            "{KEEP_ALIVE_MS}; a proxy's own time should be shorter, so that no request of it meets a connection that is \
             being closed"
        ),
        "body_timeout_ms" => BODY_TIMEOUT_MS.to_string(),
        "stderr_bytes" => format!("{STDERR_BYTES}, the rest is counted"),
        "drain_wait_ms" => format!("{DRAIN_WAIT_MS}, one health check of a balancer"),
        _ => return None,
    })
}

#[cfg(feature = "program")]
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
#[cfg(feature = "program")]
mod tests {
    use super::super::Settings;
    use super::*;
    use crate::command_line::CommandLine;
    use clap::CommandFactory;

    /// Those that have no default, and those whose default is no value.
    const WITHOUT: [&str; 3] = ["config", "gateway", "admin"];
    const IN_WORDS: [&str; 6] =
        ["secrets", "uid_base", "cgroup", "allow_in_process", "record_failures", "zygotes_per_function"];
    /// Given to each host below, since a runner must exist.
    const GIVEN: [&str; 2] = ["runner", "jail"];

    fn in_force(setting: &str) -> String {
        format!("{:?}", Settings::from_toml(&format!("runner = '/bin/true'\n{setting}")).unwrap())
    }

    #[test]
    fn the_default_that_the_help_has_is_the_one_in_force() {
        let mut checked = 0;
        for flag in CommandLine::command().get_arguments().filter(|flag| !flag.is_hide_set()) {
            let name = flag.get_id().as_str();
            let Some(help) = help(name) else {
                assert!(WITHOUT.contains(&name), "{name} has no default");
                continue;
            };
            let text = flag.get_help().unwrap().to_string();
            assert!(text.ends_with(&format!("[default: {help}]")), "{name}");
            if IN_WORDS.iter().chain(&GIVEN).any(|other| *other == name) {
                continue;
            }
            let value = help.split([' ', ',', ';']).next().unwrap();
            let is_word = value.parse::<u64>().is_err() && value.parse::<bool>().is_err();
            let value = if is_word { format!("'{value}'") } else { value.to_owned() };
            assert_eq!(in_force(&format!("{name} = {value}")), in_force(""), "{name}");
            checked += 1;
        }
        assert_eq!(checked, 27);
    }
}
