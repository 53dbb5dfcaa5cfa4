//! `cargo fezz watch`.

use super::build::{self, BuildError};
use crate::compile::{self, Stopper};
use crate::exit::Exit;
use crate::host::{self, Host, HostError, HostEvent};
use crate::project::{self, Project, ProjectError, Selection};
use crate::publish::{Outcome, PublishError};
use crate::served::{FAILED_HEADER, Served};
use crate::sources::{Change, Sources};
use crate::{curl, terminal};
use clap::{Args, ValueEnum};
use fezz_sandbox::release::Release;
use fezz_sandbox::runner::Jail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

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
    /// The program hhrf, if it isn't beside this one or on PATH.
    #[arg(long, value_name = "FILE")]
    hhrf: Option<PathBuf>,
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

/// What happens.
#[derive(Debug)]
enum Event {
    Changed(Change),
    Built(Box<Built>),
    Host(HostEvent),
    /// A signal that asks for the end.
    End,
}

/// A build has ended.
#[derive(Debug)]
struct Built {
    /// If it was read again.
    project: Option<Project>,
    result: Result<Release, BuildError>,
    took: Duration,
}

/// What runs.
struct Session {
    host: Host,
    served: Served,
    sources: Sources,
    /// Has a thread of its own build.
    builder: Sender<Change>,
    stopper: Arc<Stopper>,
    is_building: bool,
    /// What has changed while a build runs.
    changed: Option<Change>,
    /// Once the host listens.
    url: Option<String>,
    /// A build that the host hasn't loaded yet.
    unloaded: Option<Duration>,
    /// Those that were printed.
    commands: Vec<String>,
    is_ending: bool,
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
        let stopper = Arc::<Stopper>::default();
        let builder = self.start_builder(project, Arc::clone(&stopper), sender);
        let mut session = Session {
            host,
            served,
            sources,
            builder,
            stopper,
            is_building: false,
            changed: None,
            url: None,
            unloaded: None,
            commands: Vec::new(),
            is_ending: false,
        };
        session.build(Change::default());
        session.run(&events)
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
        let jail = self.jail.and_then(|jail| Some(jail.to_possible_value()?.get_name().to_owned()));
        if let Some(jail) = &jail {
            arguments.extend(["--jail", jail].map(OsStr::new));
        }
        let tell = move |event| drop(sender.send(Event::Host(event)));
        Ok(Host::start(&program, &arguments, tell)?)
    }

    /// A thread that builds when it is told to.
    fn start_builder(
        &self,
        mut project: Project,
        stopper: Arc<Stopper>,
        sender: Sender<Event>,
    ) -> Sender<Change> {
        let options = compile::Options { debug: !self.release, target: None, cargo: self.cargo.clone() };
        let selection = self.selection.clone();
        let (builder, orders) = mpsc::channel::<Change>();
        thread::spawn(move || {
            for change in orders {
                let start = Instant::now();
                let read = change.is_of_structure.then(|| Project::find(&selection)).transpose();
                let (read, result) = match read {
                    Ok(read) => {
                        project = read.unwrap_or(project);
                        (change.is_of_structure, build::make(&project, &options, Some(&stopper)))
                    }
                    Err(error) => (false, Err(error.into())),
                };
                let project = read.then(|| project.clone());
                let result = result.map(|(_, release)| release);
                let built = Built { project, result, took: start.elapsed() };
                sender.send(Event::Built(Box::new(built))).ok();
            }
        });
        builder
    }
}

fn send_signals(sender: Sender<Event>) -> Result<(), WatchError> {
    // SIGHUP: the terminal is gone.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(WatchError::Signals)?;
    thread::spawn(move || signals.forever().for_each(|_| drop(sender.send(Event::End))));
    Ok(())
}

impl Session {
    /// Until it is told to end, or the host is gone.
    fn run(mut self, events: &Receiver<Event>) -> Result<Exit, WatchError> {
        let mut ended = None;
        while ended.is_none() || self.is_building {
            let event = events.recv().expect("the signals' thread holds a sender");
            match event {
                Event::Changed(change) => self.build(change),
                Event::Built(built) => self.built(*built),
                Event::Host(HostEvent::Listening(url)) => self.listening(url),
                Event::Host(HostEvent::Loaded) => self.loaded(),
                Event::Host(HostEvent::Refused) => self.refused(),
                Event::Host(HostEvent::Ended(status)) => {
                    self.stopper.stop();
                    ended = Some(status);
                }
                Event::End => self.end(),
            }
        }
        match ended {
            Some(status) if !self.is_ending => Err(WatchError::HostEnded { status }),
            _ => Ok(Exit::Done),
        }
    }

    /// Builds, or notes that another build is needed after the one that runs.
    fn build(&mut self, change: Change) {
        if self.is_ending {
            return;
        }
        if self.is_building {
            let before = self.changed.unwrap_or_default();
            let is_of_structure = before.is_of_structure || change.is_of_structure;
            self.changed = Some(Change { is_of_structure });
            return;
        }
        self.is_building = self.builder.send(change).is_ok();
    }

    fn built(&mut self, built: Built) {
        self.is_building = false;
        if self.is_ending {
            return;
        }
        if let Some(project) = &built.project
            && let Err(error) = self.sources.follow(project)
        {
            terminal::warning(&format!("failed to watch a new folder: {error}"));
        }
        match built.result {
            Ok(release) => self.serve(release, built.took),
            Err(error) => self.failed(&error),
        }
        if let Some(change) = self.changed.take() {
            self.build(change);
        }
    }

    fn serve(&mut self, release: Release, took: Duration) {
        match self.served.replace(release) {
            Ok(Outcome::Created | Outcome::Replaced) => self.reload(Some(took)),
            Ok(Outcome::Unchanged) => {
                self.unloaded = Some(took);
                self.loaded();
            }
            Err(error) => self.not_published(&error),
        }
    }

    fn failed(&mut self, error: &BuildError) {
        terminal::error(&fezz_wire::chain(error));
        match self.served.mark_failed() {
            Ok(()) => self.reload(None),
            Err(error) => self.not_published(&error),
        }
        let (name, value) = FAILED_HEADER;
        terminal::banner(&match self.served.last() {
            Some(last) => format!(
                "BUILD FAILED: the last good {} is served, with the header `{name}: {value}`",
                last.name
            ),
            None => "BUILD FAILED: nothing is served yet".to_owned(),
        });
    }

    fn not_published(&self, error: &PublishError) {
        terminal::error(&fezz_wire::chain(error));
        terminal::banner("NOT SERVED: the new module isn't in the host's folder");
    }

    /// Has the host load the folder, and not wait until the folder is at rest. A host that doesn't listen yet would be
    /// ended by the signal; it notices the change by itself.
    fn reload(&mut self, took: Option<Duration>) {
        self.unloaded = took;
        if self.url.is_some() {
            self.host.reload();
        }
    }

    /// The host has read the folder some time before.
    fn listening(&mut self, url: String) {
        self.url = Some(url);
        if self.unloaded.is_some() {
            self.host.reload();
        }
    }

    fn refused(&mut self) {
        if self.unloaded.take().is_some() {
            terminal::banner("NOT SERVED: the host refuses the new module, for the reason above");
        }
    }

    /// The host has loaded the folder.
    fn loaded(&mut self) {
        let (Some(url), Some(release)) = (&self.url, self.served.last()) else { return };
        let Some(took) = self.unloaded.take() else { return };
        let seconds = took.as_secs_f64();
        terminal::status("Serving", &format!("{} at {url} (built in {seconds:.2} s)", release.name));
        let commands = curl::lines(release, url);
        if commands != self.commands {
            commands.iter().for_each(|command| terminal::line(command));
            self.commands = commands;
        }
    }

    fn end(&mut self) {
        self.is_ending = true;
        self.stopper.stop();
        self.host.end();
    }
}
