//! The targets of `make bench`, one table row each.

use crate::build::Build;
use crate::function::Function;
use crate::host::{Host, HostError};
use crate::http::Page;
use crate::peers::lighttpd::CgiJail;
use crate::peers::{Peer, PeerError};
use crate::peers::{apache, axum, embedded, hyper, lighttpd, wasmtime, workerd};
use crate::prefork::{Prefork, PreforkError};
use crate::program::{MissingProgram, Program};
use crate::server::Server;
use crate::setup::{Execution, Setup};
use crate::target::Target;

/// A target and how to start it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetSpec {
    /// The name in the table.
    pub name: &'static str,
    /// The name on the command line.
    pub flag: &'static str,
    /// Whether each request has a process that no other request sees.
    pub process_per_request: bool,
    /// Whether the code that answers is confined: no files of the system, no network, no other processes.
    pub sandbox: bool,
    kind: Kind,
    /// The programs that it needs, for the versions in the results.
    programs: &'static [Program],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host(Execution),
    Prefork,
    Hyper,
    Axum,
    Embedded,
    Lighttpd(CgiJail),
    Apache,
    Workerd,
    Wasmtime,
}

/// The executor `fork`.
pub const FORK: &str = "fezz fork";
/// The executor `rewind`.
pub const REWIND: &str = "fezz rewind";
/// The executor `spawn` with prewarmed runners.
pub const SPAWN_PREWARMED: &str = "fezz spawn prewarmed";
/// The executor `spawn` without them.
pub const SPAWN: &str = "fezz spawn";
/// The executor `worker`.
pub const WORKER: &str = "fezz worker";
/// A module in the host's own process.
pub const IN_PROCESS: &str = "fezz in-process";
/// A native function of a program that embeds the host.
pub const EMBEDDED: &str = "fezz embedded";
/// The upper bound of every server that is built on hyper.
pub const HYPER: &str = "bare hyper";
/// The upper bound of `fork`.
pub const PREFORK: &str = "prefork loop (no HTTP, no jail)";
/// CGI without a jail.
pub const CGI: &str = "lighttpd cgi";
/// CGI with a jail.
pub const CGI_BWRAP: &str = "lighttpd cgi + bwrap";

/// All targets: ours first, then those with a process per request, then the others.
pub const TARGETS: [TargetSpec; 15] = [
    spec(FORK, "fezz-fork", true, true, Kind::Host(Execution::FORK), &[]),
    // Its processes serve request after request; that they are put back in between makes them no new ones.
    spec(REWIND, "fezz-rewind", false, true, Kind::Host(Execution::REWIND), &[]),
    spec(SPAWN_PREWARMED, "fezz-spawn-ahead", true, true, Kind::Host(Execution::SPAWN_PREWARMED), &[]),
    spec(SPAWN, "fezz-spawn", true, true, Kind::Host(Execution::SPAWN), &[]),
    spec(WORKER, "fezz-worker", false, true, Kind::Host(Execution::WORKER), &[]),
    spec(IN_PROCESS, "fezz-in-process", false, false, Kind::Host(Execution::IN_PROCESS), &[]),
    spec(EMBEDDED, "fezz-embedded", false, false, Kind::Embedded, &[]),
    spec(PREFORK, "prefork-loop", true, false, Kind::Prefork, &[Program::Cc]),
    spec(CGI, "lighttpd-cgi", true, false, Kind::Lighttpd(CgiJail::Off), &[Program::Lighttpd]),
    spec(
        CGI_BWRAP,
        "lighttpd-cgi-bwrap",
        true,
        true,
        Kind::Lighttpd(CgiJail::Bwrap),
        &[Program::Lighttpd, Program::Bwrap],
    ),
    spec("apache cgid", "apache-cgid", true, false, Kind::Apache, &[Program::Apache]),
    spec(wasmtime::NAME, "wasmtime-serve", false, true, Kind::Wasmtime, &[Program::Wasmtime]),
    spec("workerd", "workerd", false, true, Kind::Workerd, &[Program::Workerd]),
    spec("axum behind proxy", "axum-behind-proxy", false, false, Kind::Axum, &[]),
    spec(HYPER, "bare-hyper", false, false, Kind::Hyper, &[]),
];

const fn spec(
    name: &'static str,
    flag: &'static str,
    process_per_request: bool,
    sandbox: bool,
    kind: Kind,
    programs: &'static [Program],
) -> TargetSpec {
    TargetSpec { name, flag, process_per_request, sandbox, kind, programs }
}

/// A running target; ended when it is dropped.
#[derive(Debug)]
pub enum Running {
    /// The host, and the measured page.
    Host(Host, Page),
    /// A peer, and the measured page.
    Peer(Peer, Page),
    /// The prefork loop.
    Prefork(Prefork),
}

/// A target can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A peer.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The prefork loop.
    #[error(transparent)]
    Prefork(#[from] PreforkError),
}

impl StartError {
    /// The missing program, if that is the cause.
    pub fn missing(&self) -> Option<&MissingProgram> {
        match self {
            Self::Peer(PeerError::Missing(missing)) | Self::Prefork(PreforkError::Missing(missing)) => {
                Some(missing)
            }
            _ => None,
        }
    }
}

impl TargetSpec {
    /// The versions of the programs that it needs.
    pub fn versions(&self) -> impl Iterator<Item = String> {
        self.programs.iter().filter_map(|program| program.version())
    }

    /// Whether it keeps functions in memory between requests, so that each further function adds memory.
    pub fn holds_functions(&self) -> bool {
        matches!(self.kind, Kind::Host(_) | Kind::Workerd)
    }

    /// Starts it with `function` and `further` copies of it.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(&self, build: &Build, function: Function, further: usize) -> Result<Running, StartError> {
        let peer = match self.kind {
            Kind::Host(execution) => {
                let functions = [function];
                let setup = Setup { copies: further, ..Setup::strict(execution, &functions) };
                let host = Host::start(build, setup)?;
                let page = host.page(self.name, function);
                return Ok(Running::Host(host, page));
            }
            Kind::Prefork => {
                return Ok(Running::Prefork(Prefork::start(self.name, &build.module(function), function)?));
            }
            Kind::Hyper => hyper::start(function)?,
            Kind::Axum => axum::start(function)?,
            Kind::Embedded => embedded::start(function)?,
            Kind::Lighttpd(jail) => lighttpd::start(function, jail)?,
            Kind::Apache => apache::start(function)?,
            Kind::Workerd => workerd::start(function, 1 + further)?,
            Kind::Wasmtime => wasmtime::start(function)?,
        };
        let page = peer.page(self.name, function, 0);
        Ok(Running::Peer(peer, page))
    }
}

impl Running {
    /// Its process.
    pub fn server(&self) -> &Server {
        match self {
            Self::Host(host, _) => host.server(),
            Self::Peer(peer, _) => peer.server(),
            Self::Prefork(prefork) => prefork.server(),
        }
    }

    /// The measured target.
    pub fn target(&self) -> &dyn Target {
        match self {
            Self::Host(_, page) | Self::Peer(_, page) => page,
            Self::Prefork(prefork) => prefork,
        }
    }

    /// The n-th copy of its function, if it has copies.
    pub fn further(&self, function: Function, at: usize) -> Option<Page> {
        match self {
            Self::Host(host, _) => Some(host.copy(function, at)),
            Self::Peer(peer, page) => Some(peer.page(&page.name, function, 1 + at)),
            Self::Prefork(_) => None,
        }
    }
}
