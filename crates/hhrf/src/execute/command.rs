//! The runner's command line (`fezz-runner --help`).

use super::demand::Life;
use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::jail::Jail;
use crate::release::Code;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The purpose of a runner.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// One request, which is at hand and ends within `timeout`.
    Request {
        /// From now to its deadline.
        timeout: Duration,
    },
    /// One later request: the runner is prewarmed, and ends within `timeout` from now.
    Prewarm {
        /// How long it may wait, and its request may take.
        timeout: Duration,
    },
    /// To fork processes, up to `children` at a time.
    Zygote {
        /// The most of them.
        children: u64,
        /// How many requests they may serve.
        life: Life,
    },
    /// To serve request after request: a module by `threads`, a program as it likes.
    Worker {
        /// How many requests a module has at a time.
        threads: u32,
    },
}

/// Has the loader and the allocator of a zygote do their work once, so that no forked process has to (ld.so(8), and the
/// GNU C Library manual, "Memory Allocation Tunables"): bind every symbol; and ask for huge pages, for which fork(2)
/// copies one entry instead of 512. The module sees neither variable.
const ZYGOTE_LOADER: [(&str, &str); 2] = [("LD_BIND_NOW", "1"), ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")];

/// Well after the host's own kill: the host can tell a deadline from a crash.
const OWN_TIMEOUT_BEYOND_DEADLINE: Duration = Duration::from_secs(2);

/// The command of a runner of `function`, confined by `jail` in `cgroup`. It ends itself some time after the deadline,
/// in case this host is gone by then. A zygote notices the host's end by its socket.
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
        .args(["--descriptors", &function.release.limits.descriptors.to_string()])
        .env_clear();
    // Of a worker it would add up over all of its requests.
    if !matches!(purpose, Purpose::Worker { .. }) {
        command.args(["--cpu-ms", &function.release.limits.cpu_ms.to_string()]);
    }
    match purpose {
        Purpose::Worker { .. } if matches!(function.release.code, Code::Program { .. }) => {
            command.arg("--program");
        }
        Purpose::Worker { threads } => {
            command.args(["--worker", &threads.to_string()]);
        }
        Purpose::Request { timeout } => add_timeout(&mut command, timeout),
        Purpose::Prewarm { timeout } => add_timeout(command.arg("--ahead"), timeout),
        Purpose::Zygote { children, life } => {
            command.args(["--zygote", &children.to_string()]).envs(ZYGOTE_LOADER);
            if life == Life::ManyRequests {
                command.arg("--rewind");
            }
        }
    }
    if let Some(cgroup) = cgroup {
        command.arg("--cgroup").arg(cgroup.folder());
    }
    jail.confine(&mut command, function);
    for (name, value) in function.release.env.iter() {
        // The name goes on the command line, which every user can read; the value into the environment, which only this
        // user can.
        command.args(["--env", name]).env(format!("FEZZ_ENV_{name}"), value);
    }
    let artifact = function.release.artifact().expect("native code is never executed by a runner");
    // The last argument, where wrappers expect it.
    command.arg(artifact.path());
    command
}

fn add_timeout(command: &mut Command, timeout: Duration) {
    let own_timeout = timeout + OWN_TIMEOUT_BEYOND_DEADLINE;
    command.args(["--timeout-ms", &own_timeout.as_millis().to_string()]);
}
