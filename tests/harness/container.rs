//! A plain container, without Docker: `tests/fixtures/container`.

use super::host::command_of;
use super::{Host, Site, binary, is_root, skip};
use std::os::unix::fs::chown;
use std::process::Command;

/// The user of the programs in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// `docker run` with an image that sets no user.
    Root,
    /// `docker run --user 1000`.
    Ordinary,
}

impl User {
    pub(crate) const BOTH: [Self; 2] = [Self::Root, Self::Ordinary];

    fn id(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::Ordinary => 1000,
        }
    }
}

/// A program of `site` in a container; `None` where the test may not make one.
pub(crate) fn in_container(site: &Site, user: User, program: &str, options: &[&str]) -> Option<Command> {
    if !is_root() {
        skip("a container can be made by root alone");
        return None;
    }
    // In a folder that every user can read.
    for file in ["hhrf", "fezz-runner", "libfezz_attempts.so"] {
        std::fs::copy(binary(file), site.root().join(file)).unwrap();
    }
    let mut command = Command::new(binary("fixture_container"));
    command.args(["--user", &user.id().to_string()]).args(options).arg(site.root().join(program));
    Some(command)
}

/// A folder that the user owns.
pub(crate) fn folder_of(site: &Site, user: User, name: &str) -> std::path::PathBuf {
    let folder = site.root().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    chown(&folder, Some(user.id()), Some(user.id())).unwrap();
    folder
}

impl Host {
    /// A host in a container, with options for the container and flags for the host.
    pub(crate) fn in_container(site: Site, user: User, options: &[&str], flags: &[&str]) -> Option<Self> {
        let container = in_container(&site, user, "hhrf", options)?;
        let modules = folder_of(&site, user, "modules");
        let mut command = command_of(container, &site);
        command.args(flags).arg("--modules").arg(modules);
        Some(Self::of_command(command, site))
    }

    /// Runs `ask` in the host's network namespace.
    pub(crate) fn inside<T: Send>(&self, ask: impl FnOnce(&Self) -> T + Send) -> T {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        let network = std::fs::File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                use std::os::fd::AsFd;
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                ask(self)
            });
            asked.join().unwrap()
        })
    }
}
