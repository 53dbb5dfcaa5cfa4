//! Every attempt, by theme. The module `fezz-attempts` has a file of the same name for each.

mod descriptors;
mod devices;
mod environment;
mod files;
mod ipc;
mod kernel;
mod locks;
mod namespaces;
mod network;
mod privileges;
mod processes;
mod procfs;
mod resources;
mod siblings;
mod signals;
mod state;
mod tracing;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::attempt::Attempt;

#[derive(Debug)]
pub(super) struct Group {
    /// Its name, for `--only`.
    pub name: &'static str,
    pub attempts: &'static [Attempt],
}

/// All, in the order of the report.
pub(super) const GROUPS: &[Group] = &[
    Group { name: "files", attempts: files::ATTEMPTS },
    Group { name: "environment", attempts: environment::ATTEMPTS },
    Group { name: "descriptors", attempts: descriptors::ATTEMPTS },
    Group { name: "procfs", attempts: procfs::ATTEMPTS },
    Group { name: "network", attempts: network::ATTEMPTS },
    Group { name: "signals", attempts: signals::ATTEMPTS },
    Group { name: "tracing", attempts: tracing::ATTEMPTS },
    Group { name: "namespaces", attempts: namespaces::ATTEMPTS },
    Group { name: "privileges", attempts: privileges::ATTEMPTS },
    Group { name: "kernel", attempts: kernel::ATTEMPTS },
    Group { name: "ipc", attempts: ipc::ATTEMPTS },
    Group { name: "locks", attempts: locks::ATTEMPTS },
    Group { name: "processes", attempts: processes::ATTEMPTS },
    Group { name: "siblings", attempts: siblings::ATTEMPTS },
    Group { name: "devices", attempts: devices::ATTEMPTS },
    #[cfg(target_arch = "x86_64")]
    Group { name: "x86", attempts: x86::ATTEMPTS },
    Group { name: "resources", attempts: resources::ATTEMPTS },
    Group { name: "state", attempts: state::ATTEMPTS },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_attempts_have_one_name() {
        let mut ids: Vec<&str> =
            GROUPS.iter().flat_map(|group| group.attempts).map(|attempt| attempt.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
