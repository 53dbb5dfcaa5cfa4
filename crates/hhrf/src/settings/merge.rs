//! Puts the layers together.

use super::check::check;
use super::defaults;
use super::error::SettingsError;
use super::layer::Layer;
use super::runner::{absolute, default_jail, find_runner};
use super::values::{HostLimits, Settings};
use crate::memory::DataRate;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

    /// The runner, which a host needs that starts processes.
    ///
    /// # Errors
    ///
    /// There is none: [`SettingsError::NoRunner`].
    pub fn runner(&self) -> Result<&Path, SettingsError> {
        self.runner.as_deref().ok_or(SettingsError::NoRunner)
    }

    fn of(flags: Layer, file: Layer) -> Result<Self, SettingsError> {
        let root = flags.root.or(file.root).unwrap_or_else(|| PathBuf::from(defaults::ROOT));
        let runner = flags.runner.or(file.runner).filter(|path| !path.as_os_str().is_empty());
        let head_timeout_ms =
            flags.head_timeout_ms.or(file.head_timeout_ms).unwrap_or(defaults::HEAD_TIMEOUT_MS);
        let keep_alive_ms = flags.keep_alive_ms.or(file.keep_alive_ms).unwrap_or(defaults::KEEP_ALIVE_MS);
        let body_timeout_ms =
            flags.body_timeout_ms.or(file.body_timeout_ms).unwrap_or(defaults::BODY_TIMEOUT_MS);
        let drain_wait_ms = flags.drain_wait_ms.or(file.drain_wait_ms).unwrap_or(defaults::DRAIN_WAIT_MS);
        let in_process_idle_ms =
            flags.in_process_idle_ms.or(file.in_process_idle_ms).unwrap_or(defaults::IN_PROCESS_IDLE_MS);
        let settings = Self {
            modules: absolute(
                &flags.modules.or(file.modules).unwrap_or_else(|| root.join(defaults::MODULES)),
            )?,
            secrets: flags
                .secrets
                .or(file.secrets)
                .or_else(defaults::secrets)
                .map(|folder| absolute(&folder))
                .transpose()?,
            gateway: flags.gateway.or(file.gateway).map(|path| absolute(&path)).transpose()?,
            root: absolute(&root)?,
            listen: flags.listen.or(file.listen).unwrap_or(defaults::LISTEN),
            admin: flags.admin.or(file.admin),
            rpc: flags.rpc.or(file.rpc).unwrap_or(defaults::RPC),
            jail: flags.jail.or(file.jail).unwrap_or_else(|| default_jail(runner.as_deref())),
            cgroup: flags.cgroup.or(file.cgroup),
            uid_base: flags.uid_base.or(file.uid_base),
            runner: find_runner(runner)?,
            execution: flags.execution.or(file.execution).unwrap_or(defaults::EXECUTION),
            record_failures: flags
                .record_failures
                .or(file.record_failures)
                .map(|folder| absolute(&folder))
                .transpose()?,
            allow_in_process: flags.allow_in_process.or(file.allow_in_process).unwrap_or_default(),
            log_format: flags.log_format.or(file.log_format).unwrap_or(defaults::LOG_FORMAT),
            trust_proxy: flags.trust_proxy.or(file.trust_proxy).unwrap_or(defaults::TRUST_PROXY),
            per_core: flags.per_core.or(file.per_core).unwrap_or(defaults::PER_CORE),
            limits: HostLimits {
                connections: flags.connections.or(file.connections).unwrap_or(defaults::CONNECTIONS),
                processes: flags.processes.or(file.processes).unwrap_or(defaults::PROCESSES),
                spare: flags.spare.or(file.spare).unwrap_or(defaults::SPARE),
                spare_total: flags.spare_total.or(file.spare_total).unwrap_or(defaults::SPARE_TOTAL),
                zygotes: flags.zygotes.or(file.zygotes).unwrap_or(defaults::ZYGOTES),
                zygotes_per_function: flags
                    .zygotes_per_function
                    .or(file.zygotes_per_function)
                    .unwrap_or_else(defaults::zygotes_per_function),
                rewind_checks_percent: flags
                    .rewind_checks_percent
                    .or(file.rewind_checks_percent)
                    .unwrap_or(defaults::REWIND_CHECKS_PERCENT),
                in_process_idle: Duration::from_millis(in_process_idle_ms),
                in_process_threads: flags
                    .in_process_threads
                    .or(file.in_process_threads)
                    .unwrap_or(defaults::IN_PROCESS_THREADS),
                overdue: flags.overdue.or(file.overdue).unwrap_or(defaults::OVERDUE),
                body_memory_bytes: flags
                    .body_memory_bytes
                    .or(file.body_memory_bytes)
                    .unwrap_or(defaults::BODY_MEMORY_BYTES),
                response_memory_bytes: flags
                    .response_memory_bytes
                    .or(file.response_memory_bytes)
                    .unwrap_or(defaults::RESPONSE_MEMORY_BYTES),
                header_bytes: flags.header_bytes.or(file.header_bytes).unwrap_or(defaults::HEADER_BYTES),
                headers: flags.headers.or(file.headers).unwrap_or(defaults::HEADERS),
                data_rate: DataRate {
                    bytes_per_second: flags
                        .min_data_rate
                        .or(file.min_data_rate)
                        .unwrap_or(defaults::MIN_DATA_RATE),
                },
                head_timeout: Duration::from_millis(head_timeout_ms),
                keep_alive: Duration::from_millis(keep_alive_ms),
                body_timeout: Duration::from_millis(body_timeout_ms),
                stderr_bytes: flags.stderr_bytes.or(file.stderr_bytes).unwrap_or(defaults::STDERR_BYTES),
                drain_wait: Duration::from_millis(drain_wait_ms),
            },
        };
        check(settings)
    }
}

fn read_file(path: &Path) -> Result<Layer, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| SettingsError::Malformed { path: path.to_owned(), source: Box::new(source) })
}
