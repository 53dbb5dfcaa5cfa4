//! The limit of open files.

use hhrf::settings::Settings;

/// Raises the limit to what the system allows, and warns if the settings may need more. The runner lowers the limit
/// again for functions.
pub(crate) fn raise(settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const A_CONNECTION: u64 = 2;
    // Of `rewind`; four with `spawn`, and six while it is started.
    const A_PROCESS: u64 = 9;
    const A_ZYGOTE: u64 = 3;
    const THE_HOST: u64 = 64;
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "failed to raise the limit of open files");
    }
    let limits = &settings.limits;
    let processes = u64::from(limits.processes) + u64::from(limits.spare_total);
    let wanted = limits.connections as u64 * A_CONNECTION
        + processes * A_PROCESS
        + u64::from(limits.zygotes) * A_ZYGOTE
        + THE_HOST;
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "connections and processes may need more open files than allowed: raise the limit (LimitNOFILE= in \
             systemd), or lower --connections, --processes or --spare-total"
        );
    }
}
