//! Checks settings, each by itself and with the others.

use super::bounds::{HEADERS_MAX, IN_PROCESS_THREADS_MAX, UIDS};
use super::error::SettingsError;
use super::in_process::InProcessFunctions;
use super::jail_mode::JailMode;
use super::values::{HostLimits, Rpc, Settings};
use crate::memory::MEMORY_BYTES_MIN;
use fezz_manifest::Execution;

/// Returns the settings if they can be served with.
pub(super) fn check(settings: Settings) -> Result<Settings, SettingsError> {
    check_limits(&settings.limits)?;
    if let Some(value) = settings.uid_base.filter(|base| *base == 0 || base.checked_add(UIDS).is_none()) {
        return Err(SettingsError::UidBase { value });
    }
    if settings.cgroup.is_some() && settings.jail != JailMode::Strict {
        return Err(SettingsError::CgroupWithoutJail);
    }
    if settings.rpc == Rpc::Admin && settings.admin.is_none() {
        return Err(SettingsError::RpcWithoutAdmin);
    }
    if settings.execution == Execution::InProcess && settings.allow_in_process != InProcessFunctions::All {
        return Err(SettingsError::InProcessNotAllowed);
    }
    Ok(settings)
}

fn check_limits(limits: &HostLimits) -> Result<(), SettingsError> {
    for (name, is_zero) in [
        ("connections", limits.connections == 0),
        ("processes", limits.processes == 0),
        ("zygotes_per_function", limits.zygotes_per_function == 0),
        ("in_process_threads", limits.in_process_threads == 0),
        ("overdue", limits.overdue == 0),
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
    if limits.in_process_threads > IN_PROCESS_THREADS_MAX {
        return Err(SettingsError::TooManyThreads { threads: limits.in_process_threads });
    }
    if limits.rewind_checks_percent > 100 {
        return Err(SettingsError::MoreThanAll {
            name: "rewind_checks_percent",
            percent: limits.rewind_checks_percent,
        });
    }
    if limits.headers > HEADERS_MAX {
        return Err(SettingsError::TooManyHeaders { headers: limits.headers });
    }
    Ok(())
}
