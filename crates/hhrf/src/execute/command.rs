//! The runner's command line (`fezz-runner --help`).

use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::jail::Jail;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// Well behind the host's own killing, which can tell a deadline from a crash.
const OWN_TIMEOUT_BEYOND_DEADLINE: Duration = Duration::from_secs(2);

/// How a request of `function` is served: by a process that is confined by `jail` in `cgroup`, and ends itself some
/// time after the deadline, should this host be gone by then.
pub fn command(
    runner: &Path,
    jail: &Jail,
    cgroup: Option<&Cgroup>,
    function: &Function,
    deadline: Instant,
) -> Command {
    let own_timeout = deadline.saturating_duration_since(Instant::now()) + OWN_TIMEOUT_BEYOND_DEADLINE;
    let mut command = Command::new(runner);
    command
        .args(["--function", &function.id, "--function-version", &function.version])
        .args(["--memory-bytes", &function.limits.memory_bytes.to_string()])
        .args(["--cpu-ms", &function.limits.cpu_ms.to_string()])
        .args(["--descriptors", &function.limits.descriptors.to_string()])
        .args(["--timeout-ms", &own_timeout.as_millis().to_string()])
        .env_clear();
    if let Some(cgroup) = cgroup {
        command.arg("--cgroup").arg(cgroup.folder());
    }
    jail.confine(&mut command, function);
    for (name, value) in &function.env {
        // By name on the command line, which all can read; by value in the environment, which only this user can.
        command.args(["--env", name]).env(format!("FEZZ_ENV_{name}"), value);
    }
    // The last one, where wrappers look for it.
    command.arg(function.module.path());
    command
}
