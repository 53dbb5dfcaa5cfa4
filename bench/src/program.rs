//! What a distribution has to bring before a peer can be measured.

use std::path::PathBuf;

/// A program that may not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The web server of the peers.
    Lighttpd,
    /// The jail of the peers, and of `jail/bwrap-fezz-runner`.
    Bwrap,
    /// The C compiler, for the CGI programs.
    Cc,
}

/// A peer can't be measured on this machine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` isn't installed: `{}`", .0.name(), .0.install_command())]
pub struct MissingProgram(Program);

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Lighttpd => "lighttpd",
            Self::Bwrap => "bwrap",
            Self::Cc => "cc",
        }
    }

    /// On Debian.
    fn install_command(self) -> &'static str {
        match self {
            Self::Lighttpd => "apt-get install lighttpd",
            Self::Bwrap => "apt-get install bubblewrap",
            Self::Cc => "apt-get install gcc libc6-dev",
        }
    }

    /// Its file.
    ///
    /// # Errors
    ///
    /// It isn't installed.
    pub fn find(self) -> Result<PathBuf, MissingProgram> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Servers lie in a folder that Debian leaves out of ordinary users' PATH.
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        folders.map(|folder| folder.join(self.name())).find(|file| file.is_file()).ok_or(MissingProgram(self))
    }
}
