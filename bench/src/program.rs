//! Programs that the peers need.

use std::path::PathBuf;
use std::process::Command;

/// A program that may not be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A web server that starts CGI programs.
    Lighttpd,
    /// Another web server that starts CGI programs.
    Apache,
    /// The jail of a peer, and of `jail/bwrap-fezz-runner`.
    Bwrap,
    /// The C compiler, for the programs and modules of `c/`.
    Cc,
    /// The runtime of Cloudflare Workers.
    Workerd,
    /// A runtime of WebAssembly.
    Wasmtime,
    /// The component that it runs: `wasm/`, built.
    HelloWasm,
    /// Our own server without functions, in the folder of the running program.
    BareHyper,
    /// Our own proxy with a plain axum behind it, in the same folder.
    AxumBehindProxy,
    /// Our own program with the host inside, in the same folder.
    EmbeddedHello,
    /// Our own server that asks a database, in the same folder.
    AxumSelect,
    /// That database.
    Postgres,
    /// The program that makes its files.
    Initdb,
}

/// A peer can't be measured on this machine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` isn't installed: `{}`", .0.name(), .0.install_command())]
pub struct MissingProgram(Program);

/// The folder below the target folder in which `scripts/install-bench-peers` puts programs that Debian doesn't have.
const PEERS: &str = "peers";

/// The npm package that holds the program for this machine.
const WORKERD: &str = if cfg!(target_arch = "aarch64") { "workerd-linux-arm64" } else { "workerd-linux-64" };

impl Program {
    /// The path of the program.
    ///
    /// # Errors
    ///
    /// It isn't installed.
    pub fn find(self) -> Result<PathBuf, MissingProgram> {
        let files = self.folders().into_iter().map(|folder| folder.join(self.name()));
        files.into_iter().find(|file| file.is_file()).ok_or(MissingProgram(self))
    }

    /// The first line of its version text; `None` where it isn't installed.
    pub fn version(self) -> Option<String> {
        let flag = if self == Self::Apache { "-v" } else { "--version" };
        let output = Command::new(self.find().ok()?).arg(flag).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().map(|line| line.trim().to_owned())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lighttpd => "lighttpd",
            Self::Apache => "apache2",
            Self::Bwrap => "bwrap",
            Self::Cc => "cc",
            Self::Workerd => "workerd",
            Self::Wasmtime => "wasmtime",
            Self::HelloWasm => "hello_wasm.wasm",
            Self::BareHyper => "bare-hyper",
            Self::AxumBehindProxy => "axum-behind-proxy",
            Self::EmbeddedHello => "embedded-hello",
            Self::AxumSelect => "axum-select",
            Self::Postgres => "postgres",
            Self::Initdb => "initdb",
        }
    }

    /// The command that installs it on Debian.
    fn install_command(self) -> &'static str {
        match self {
            Self::Lighttpd => "apt-get install lighttpd",
            Self::Apache => "apt-get install apache2-bin",
            Self::Bwrap => "apt-get install bubblewrap",
            Self::Cc => "apt-get install gcc libc6-dev",
            Self::Workerd => "scripts/install-bench-peers workerd",
            Self::Wasmtime | Self::HelloWasm => "scripts/install-bench-peers wasmtime",
            Self::BareHyper | Self::AxumBehindProxy => "cargo build --release -p fezz-bench",
            Self::EmbeddedHello => "cargo build --release -p fezz-bench-embedded",
            Self::AxumSelect => "cargo build --release -p fezz-bench-postgres",
            Self::Postgres | Self::Initdb => "apt-get install postgresql",
        }
    }

    /// The folders to search, the likeliest first.
    fn folders(self) -> Vec<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path);
        match self {
            Self::BareHyper | Self::AxumBehindProxy | Self::EmbeddedHello | Self::AxumSelect => {
                own_folder().into_iter().collect()
            }
            Self::Postgres | Self::Initdb => path.chain(postgres_folders()).collect(),
            // The package's own `bin/workerd` is a script that starts this one.
            Self::Workerd => [peers().join("node_modules/@cloudflare").join(WORKERD).join("bin")].into(),
            Self::HelloWasm => [peers().join("wasm32-wasip2/release")].into(),
            Self::Wasmtime => [peers().join("bin")].into_iter().chain(path).collect(),
            // Debian puts servers into a folder that isn't in ordinary users' PATH.
            _ => path.chain([PathBuf::from("/usr/sbin")]).collect(),
        }
    }
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// The folder of peers that Debian doesn't have.
fn peers() -> PathBuf {
    target().join(PEERS)
}

/// Debian keeps the server's programs in a folder of their version; the newest first.
fn postgres_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

fn own_folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}
