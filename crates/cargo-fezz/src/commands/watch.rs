//! `cargo fezz watch`.

use crate::builder::Builder;
use crate::compile;
use crate::exit::Exit;
use crate::host::{self, Host, HostError};
use crate::project::{self, Project, ProjectError, Selection};
use crate::served::Served;
use crate::session::{Event, Session};
use crate::sources::Sources;
use clap::{Args, ValueEnum};
use fezz_sandbox::runner::Jail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{self, Sender};
use std::thread;

/// Serve a function by a local host, and build it again at each change of its sources
///
/// Builds by cargo's profile `dev`, whose builds are fast, and shares them with `cargo build` and `cargo test`. If a build
/// fails, the function of the last one is served, and each of its responses has the header `fezz-build: failed`. Ctrl-C ends
/// it.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    selection: Selection,
    /// The host's address; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Compile as `cargo fezz build` does, which takes longer.
    #[arg(long)]
    release: bool,
    /// The program hhrf; else the one beside this program, or on PATH.
    #[arg(long, value_name = "FILE")]
    hhrf: Option<PathBuf>,
    /// The folder of secrets, a file each, which `secrets` and `resources` of the manifest name.
    #[arg(long, value_name = "FOLDER", env = "HHRF_SECRETS")]
    secrets: Option<PathBuf>,
    /// How the function is confined; else as the host does by default.
    #[arg(long, value_enum)]
    jail: Option<Jail>,
    /// Options of `cargo build`, after `--`: `-- --features postgres`.
    #[arg(last = true, value_name = "OPTIONS")]
    cargo: Vec<OsString>,
}

/// Why there is nothing to watch any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("failed to watch the sources: is the limit fs.inotify.max_user_watches reached?")]
    Sources(#[from] notify::Error),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the host ended by itself ({status}): its message is above")]
    HostEnded { status: ExitStatus },
    #[error("failed to receive signals")]
    Signals(#[source] std::io::Error),
    #[error("failed to make the folder `{}`", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
}

impl Watch {
    pub(crate) fn run(&self) -> Result<Exit, WatchError> {
        let project = Project::find(&self.selection)?;
        let served = Served::of(&project);
        let failures = project.fezz_folder().join(project::FAILURES);
        let folder = served.functions();
        std::fs::create_dir_all(&folder).map_err(|source| WatchError::Folder { folder, source })?;
        let (sender, events) = mpsc::channel();
        // First, so that no signal ends this without the host.
        send_signals(sender.clone())?;
        let changed = sender.clone();
        let sources = Sources::watch(&project, move |change| drop(changed.send(Event::Changed(change))))?;
        let host = self.start_host(&served, &failures, sender.clone())?;
        let options = compile::Options { debug: !self.release, target: None, cargo: self.cargo.clone() };
        let done = move |built| drop(sender.send(Event::Built(Box::new(built))));
        let builder = Builder::start(project, self.selection.clone(), options, done);
        match Session::begin(host, served, sources, builder).run(&events) {
            None => Ok(Exit::Done),
            Some(status) => Err(WatchError::HostEnded { status }),
        }
    }

    fn start_host(
        &self,
        served: &Served,
        failures: &Path,
        sender: Sender<Event>,
    ) -> Result<Host, WatchError> {
        let program = host::find(self.hhrf.as_deref())?;
        let listen = self.listen.to_string();
        let mut arguments: Vec<&OsStr> = vec!["--root".as_ref(), served.root().as_ref()];
        // For `cargo fezz invoke --failure`.
        arguments.extend(["--record-failures".as_ref(), failures.as_os_str()]);
        // No balancer has to notice that it ends.
        arguments.extend(["--listen", &listen, "--drain-wait-ms", "0"].map(OsStr::new));
        if let Some(secrets) = &self.secrets {
            arguments.extend(["--secrets".as_ref(), secrets.as_os_str()]);
        }
        let jail = self.jail.and_then(|jail| Some(jail.to_possible_value()?.get_name().to_owned()));
        if let Some(jail) = &jail {
            arguments.extend(["--jail", jail].map(OsStr::new));
        }
        let tell = move |event| drop(sender.send(Event::Host(event)));
        Ok(Host::start(&program, &arguments, tell)?)
    }
}

fn send_signals(sender: Sender<Event>) -> Result<(), WatchError> {
    // SIGHUP: the terminal is gone.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(WatchError::Signals)?;
    thread::spawn(move || signals.forever().for_each(|_| drop(sender.send(Event::End))));
    Ok(())
}
