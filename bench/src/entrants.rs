//! All that `make bench` measures: a row each.

use crate::build::Build;
use crate::contender::Contender;
use crate::function::Function;
use crate::host::{Host, HostError};
use crate::http::Page;
use crate::peers::lighttpd::CgiJail;
use crate::peers::{Peer, PeerError};
use crate::peers::{apache, hyper, lighttpd, wasmtime, workerd};
use crate::prefork::{Prefork, PreforkError};
use crate::program::{MissingProgram, Program};
use crate::server::Server;
use crate::setup::{Execution, Setup};

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrant {
    /// Its name in the table.
    pub name: &'static str,
    /// Its name on the command line.
    pub flag: &'static str,
    /// Whether each request has a process that no other request sees.
    pub process_per_request: bool,
    /// Whether what answers can do no more than answer: read no files of the system, call nobody, see nobody.
    pub sandbox: bool,
    kind: Kind,
    /// What it takes beside what is built with it, for the versions in the results.
    programs: &'static [Program],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host(Execution),
    Prefork,
    Hyper,
    Lighttpd(CgiJail),
    Apache,
    Workerd,
    Wasmtime,
}

/// The executor `fork`.
pub const FORK: &str = "fezz fork";
/// The executor `spawn`, with processes started ahead of need.
pub const SPAWN_AHEAD: &str = "fezz spawn ahead";
/// The executor `spawn`, without.
pub const SPAWN: &str = "fezz spawn";
/// The ceiling of `fork`.
pub const PREFORK: &str = "prefork loop (no HTTP, no jail)";
/// CGI as one would have it without a host.
pub const CGI: &str = "lighttpd cgi";
/// ... and with a jail.
pub const CGI_BWRAP: &str = "lighttpd cgi + bwrap";

/// All of them: ours, what has a process per request, what has not.
pub const ENTRANTS: [Entrant; 10] = [
    entrant(FORK, "fezz-fork", true, true, Kind::Host(Execution::FORK), &[]),
    entrant(SPAWN_AHEAD, "fezz-spawn-ahead", true, true, Kind::Host(Execution::SPAWN_AHEAD), &[]),
    entrant(SPAWN, "fezz-spawn", true, true, Kind::Host(Execution::SPAWN), &[]),
    entrant(PREFORK, "prefork-loop", true, false, Kind::Prefork, &[Program::Cc]),
    entrant(CGI, "lighttpd-cgi", true, false, Kind::Lighttpd(CgiJail::Off), &[Program::Lighttpd]),
    entrant(
        CGI_BWRAP,
        "lighttpd-cgi-bwrap",
        true,
        true,
        Kind::Lighttpd(CgiJail::Bwrap),
        &[Program::Lighttpd, Program::Bwrap],
    ),
    entrant("apache cgid", "apache-cgid", true, false, Kind::Apache, &[Program::Apache]),
    entrant("wasmtime serve", "wasmtime-serve", false, true, Kind::Wasmtime, &[Program::Wasmtime]),
    entrant("workerd", "workerd", false, true, Kind::Workerd, &[Program::Workerd]),
    entrant("bare hyper", "bare-hyper", false, false, Kind::Hyper, &[]),
];

const fn entrant(
    name: &'static str,
    flag: &'static str,
    process_per_request: bool,
    sandbox: bool,
    kind: Kind,
    programs: &'static [Program],
) -> Entrant {
    Entrant { name, flag, process_per_request, sandbox, kind, programs }
}

/// An entrant that runs; ended when it is dropped.
#[derive(Debug)]
pub enum Running {
    /// One of ours, and the page that is measured.
    Host(Host, Page),
    /// A peer, and the page that is measured.
    Peer(Peer, Page),
    /// The bare loop.
    Prefork(Prefork),
}

/// Why it doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum EntrantError {
    /// Ours.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A peer.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The bare loop.
    #[error(transparent)]
    Prefork(#[from] PreforkError),
}

impl EntrantError {
    /// What isn't installed, if that's all.
    pub fn missing(&self) -> Option<&MissingProgram> {
        match self {
            Self::Peer(PeerError::Missing(missing)) | Self::Prefork(PreforkError::Missing(missing)) => {
                Some(missing)
            }
            _ => None,
        }
    }
}

impl Entrant {
    /// The versions of what it takes.
    pub fn versions(&self) -> impl Iterator<Item = String> {
        self.programs.iter().filter_map(|program| program.version())
    }

    /// Whether it holds a function in memory between requests, so that a further one costs something.
    pub fn holds_functions(&self) -> bool {
        matches!(self.kind, Kind::Host(_) | Kind::Workerd)
    }

    /// Starts it with `function`, and so many further ones of its kind.
    ///
    /// # Errors
    ///
    /// See [`EntrantError`].
    pub fn start(&self, build: &Build, function: Function, further: usize) -> Result<Running, EntrantError> {
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

    /// What is measured.
    pub fn contender(&self) -> &dyn Contender {
        match self {
            Self::Host(_, page) | Self::Peer(_, page) => page,
            Self::Prefork(prefork) => prefork,
        }
    }

    /// The n-th of its further functions, where it has any.
    pub fn further(&self, function: Function, at: usize) -> Option<Page> {
        match self {
            Self::Host(host, _) => Some(host.copy(function, at)),
            Self::Peer(peer, page) => Some(peer.page(&page.name, function, 1 + at)),
            Self::Prefork(_) => None,
        }
    }
}
