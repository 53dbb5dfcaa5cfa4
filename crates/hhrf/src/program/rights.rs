//! What the log says about the jail at the start.

use hhrf::jail::JailMode;
use hhrf::settings::{Settings, is_wrapper};
use std::path::Path;

/// Warns about rights that the jail's mode leaves to modules.
pub(crate) fn warn(settings: &Settings, runner: &Path) {
    match settings.jail {
        JailMode::Strict => {}
        JailMode::Inner if !is_wrapper(runner) => tracing::warn!(
            runner = %runner.display(),
            user = if rustix::process::geteuid().is_root() { "root" } else { "ordinary" },
            "no wrapper makes namespaces or a root for functions: capabilities, Landlock, seccomp and limits alone confine \
             them. They can't open files, reach the network or signal processes, but can see that those exist: names, sizes, \
             owners. `limits.scratch_bytes` can't be granted (503), `limits.threads` counts all threads of a uid, and \
             `network` is this machine's or container's. jail/README.md says what holds in a plain container; where \
             namespaces can be had, use --jail strict"
        ),
        JailMode::Inner => tracing::info!(
            runner = %runner.display(),
            "modules are confined by this runner, if it is a wrapper that makes namespaces and a root, and inside it by \
             fezz-runner; `hhrf check-jail` tries whether they hold"
        ),
        JailMode::Off => tracing::warn!(
            user = if rustix::process::geteuid().is_root() { "root" } else { "ordinary" },
            "modules run unconfined, with all rights of this user: `network`, `limits.threads` and `limits.scratch_bytes` \
             of manifests are not in force; leave out `--jail off` for code that you don't trust"
        ),
    }
}
