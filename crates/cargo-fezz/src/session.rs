//! What `watch` does at each event: a change, the end of a build, what its host tells, a signal.

use crate::builder::{Builder, Built};
use crate::commands::build::BuildError;
use crate::curl;
use crate::host::{Host, HostEvent};
use crate::publish::{Outcome, PublishError};
use crate::served::{FAILED_HEADER, Served};
use crate::sources::{Change, Sources};
use crate::terminal;
use fezz_sandbox::release::Release;
use std::process::ExitStatus;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    Changed(Change),
    Built(Box<Built>),
    Host(HostEvent),
    /// A signal that asks for the end.
    End,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Session {
    host: Host,
    served: Served,
    sources: Sources,
    builder: Builder,
    is_building: bool,
    /// What has changed while a build runs.
    changed: Option<Change>,
    /// Once the host listens.
    url: Option<String>,
    /// The time of a build that the host hasn't loaded yet.
    unloaded: Option<Duration>,
    /// Those that were printed.
    commands: Vec<String>,
    is_ending: bool,
    /// How the host has ended.
    ended: Option<ExitStatus>,
}

impl Session {
    /// Begins with a build.
    pub(crate) fn begin(host: Host, served: Served, sources: Sources, builder: Builder) -> Self {
        let is_building = builder.build(Change::default());
        Self {
            host,
            served,
            sources,
            builder,
            is_building,
            changed: None,
            url: None,
            unloaded: None,
            commands: Vec::new(),
            is_ending: false,
            ended: None,
        }
    }

    /// Until it is told to end: `None`. Or until the host has ended by itself.
    pub(crate) fn run(mut self, events: &Receiver<Event>) -> Option<ExitStatus> {
        while self.ended.is_none() || self.is_building {
            let event = events.recv().expect("the signals' thread holds a sender");
            match event {
                Event::Changed(change) => self.build(change),
                Event::Built(built) => self.built(*built),
                Event::Host(HostEvent::Listening(url)) => self.listening(url),
                Event::Host(HostEvent::Loaded) => self.loaded(),
                Event::Host(HostEvent::Refused) => self.refused(),
                Event::Host(HostEvent::Ended(status)) => {
                    self.builder.stop();
                    self.ended = Some(status);
                }
                Event::End => self.end(),
            }
        }
        self.ended.filter(|_| !self.is_ending)
    }

    /// Builds, or notes that another build is needed after the one that runs.
    fn build(&mut self, change: Change) {
        if self.is_ending || self.ended.is_some() {
            return;
        }
        if self.is_building {
            let before = self.changed.unwrap_or_default();
            let is_of_structure = before.is_of_structure || change.is_of_structure;
            self.changed = Some(Change { is_of_structure });
            return;
        }
        self.is_building = self.builder.build(change);
    }

    fn built(&mut self, built: Built) {
        self.is_building = false;
        if self.is_ending || self.ended.is_some() {
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
            commands.iter().for_each(|command| terminal::line(&terminal::escaped(command)));
            self.commands = commands;
        }
    }

    fn end(&mut self) {
        self.is_ending = true;
        self.builder.stop();
        self.host.end();
    }
}
