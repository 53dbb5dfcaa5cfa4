//! A thread that builds a package each time that it is told to.

use crate::commands::build::{self, BuildError};
use crate::compile::{Options, Stopper};
use crate::project::{Project, Selection};
use crate::sources::Change;
use fezz_sandbox::release::Release;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// A build has ended.
#[derive(Debug)]
pub(crate) struct Built {
    /// The package, if it was read again.
    pub(crate) project: Option<Project>,
    pub(crate) result: Result<Release, BuildError>,
    pub(crate) took: Duration,
}

/// Gives the orders.
#[derive(Debug)]
pub(crate) struct Builder {
    orders: Sender<Change>,
    stopper: Arc<Stopper>,
}

impl Builder {
    /// For a `project`, which `selection` has found. `done` is called from the thread, after each build.
    pub(crate) fn start(
        mut project: Project,
        selection: Selection,
        options: Options,
        done: impl Fn(Built) + Send + 'static,
    ) -> Self {
        let stopper = Arc::<Stopper>::default();
        let of_thread = Arc::clone(&stopper);
        let (sender, orders) = mpsc::channel::<Change>();
        thread::spawn(move || {
            for change in orders {
                done(build(&mut project, change, &selection, &options, &of_thread));
            }
        });
        Self { orders: sender, stopper }
    }

    /// Begins a build, after those that were ordered before. Returns whether there will be a result.
    pub(crate) fn build(&self, change: Change) -> bool {
        self.orders.send(change).is_ok()
    }

    /// Ends the build that runs, and those that were ordered.
    pub(crate) fn stop(&self) {
        self.stopper.stop();
    }
}

fn build(
    project: &mut Project,
    change: Change,
    selection: &Selection,
    options: &Options,
    stopper: &Stopper,
) -> Built {
    let start = Instant::now();
    let mut read = None;
    let result = match change.is_of_structure.then(|| Project::find(selection)).transpose() {
        Ok(again) => {
            if let Some(again) = again {
                project.clone_from(&again);
                read = Some(again);
            }
            build::make(project, options, Some(stopper)).map(|(_, release)| release)
        }
        Err(error) => Err(error.into()),
    };
    Built { project: read, result, took: start.elapsed() }
}
