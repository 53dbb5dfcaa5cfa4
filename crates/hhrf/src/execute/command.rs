//! The runner's command line (`fezz-runner --help`).

use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::jail::Jail;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What a runner is started for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// A request that is there, and ends within `timeout`.
    Request {
        /// From now to its deadline.
        timeout: Duration,
    },
    /// A request that is yet to come, if it does, and ends within `timeout` from now.
    Prewarm {
        /// How long it waits, and its request may take.
        timeout: Duration,
    },
    /// Processes to be forked, up to `children` at a time.
    Zygote {
        /// The most of them.
        children: u64,
    },
}

/// What the loader and the allocator of a zygote do once, so that no forked process has to (ld.so(8), and the GNU C Library
/// manual, "Memory Allocation Tunables"): bind every symbol; and ask for huge pages, of which fork(2) copies one entry
/// where it copies 512 else. The module sees neither variable.
const ZYGOTE_LOADER: [(&str, &str); 2] = [("LD_BIND_NOW", "1"), ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")];

/// Well behind the host's own killing, which can tell a deadline from a crash.
const OWN_TIMEOUT_BEYOND_DEADLINE: Duration = Duration::from_secs(2);

/// How a runner of `function` is started: confined by `jail` in `cgroup`, to end itself some time after the deadline,
/// should this host be gone by then. A zygote hears of that end itself.
pub fn command(
    runner: &Path,
    jail: &Jail,
    cgroup: Option<&Cgroup>,
    function: &Function,
    purpose: Purpose,
) -> Command {
    let mut command = Command::new(runner);
    command
        .args(["--function", &function.release.id, "--function-version", &function.release.version])
        .args(["--memory-bytes", &function.release.limits.memory_bytes.to_string()])
        .args(["--cpu-ms", &function.release.limits.cpu_ms.to_string()])
        .args(["--descriptors", &function.release.limits.descriptors.to_string()])
        .env_clear();
    match purpose {
        Purpose::Request { timeout } => add_timeout(&mut command, timeout),
        Purpose::Prewarm { timeout } => add_timeout(command.arg("--ahead"), timeout),
        Purpose::Zygote { children } => {
            command.args(["--zygote", &children.to_string()]).envs(ZYGOTE_LOADER);
        }
    }
    if let Some(cgroup) = cgroup {
        command.arg("--cgroup").arg(cgroup.folder());
    }
    jail.confine(&mut command, function);
    for (name, value) in &function.release.env {
        // By name on the command line, which all can read; by value in the environment, which only this user can.
        command.args(["--env", name]).env(format!("FEZZ_ENV_{name}"), value);
    }
    // The last one, where wrappers look for it.
    command.arg(function.release.module.path());
    command
}

fn add_timeout(command: &mut Command, timeout: Duration) {
    let own_timeout = timeout + OWN_TIMEOUT_BEYOND_DEADLINE;
    command.args(["--timeout-ms", &own_timeout.as_millis().to_string()]);
}
