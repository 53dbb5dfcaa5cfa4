//! The limit of open files.

use hhrf::settings::Settings;

/// Raises the limit to what the system allows, and warns if the settings may need more. The runner lowers the limit
/// again for functions.
pub(crate) fn raise(settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const A_CONNECTION: u64 = 2;
    const A_PROCESS: u64 = 4; // and six while it is started
    const THE_HOST: u64 = 64;
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "failed to raise the limit of open files");
    }
    let connections = settings.limits.connections as u64 * A_CONNECTION;
    let wanted = connections + u64::from(settings.limits.processes) * A_PROCESS + THE_HOST;
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "connections and processes may need more open files than allowed: raise the limit (LimitNOFILE= in \
             systemd), or lower --connections or --processes"
        );
    }
}
