//! The ways to execute a request, by the name that a manifest gives them.

use super::Outcome;
use super::fork::Fork;
use super::spare::Spares;
use super::spawn::Spawn;
use super::start::Starter;
use crate::admit::AdmittedRequest;
use crate::catalogue::{Catalogue, Execution, Function};
use crate::metrics::WearCounters;
use crate::settings::Settings;
use fezz_wire::control::Separation;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// All executors of a host.
#[derive(Debug)]
pub struct Executors {
    starter: Arc<Starter>,
    spares: Spares,
    default: Execution,
    spawn: Spawn,
    fork: Fork,
}

/// What a function has ahead of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// Processes that wait.
    pub idle: usize,
    /// Zygotes.
    pub zygotes: usize,
}

impl Executors {
    /// Those that start runners by `starter`, and count what is worn out.
    pub fn new(settings: &Settings, starter: Starter, counters: WearCounters) -> Self {
        let limits = &settings.limits;
        let (starter, spares) = (Arc::new(starter), Spares::new(limits.spare_total));
        Self {
            default: settings.execution,
            spawn: Spawn::new(Arc::clone(&starter), spares.clone(), limits.spare),
            fork: Fork::new(Arc::clone(&starter), spares.clone(), counters, limits.spare, limits.zygotes),
            starter,
            spares,
        }
    }

    /// Executes a request. When this is dropped, because the client went away, its process is killed; and in any case the
    /// places are given back when the process is gone, not before.
    pub async fn execute(&self, request: AdmittedRequest) -> Outcome {
        match request.function.execution_or(self.default) {
            Execution::Spawn => self.spawn.execute(request).await,
            Execution::Fork => self.fork.execute(request).await,
        }
    }

    /// A function has answered by what is no response: it counts as a crash does, where processes have much in common.
    pub fn blame(&self, function: &Arc<Function>) {
        self.fork.blame(function);
    }

    /// What a function has ahead of its requests.
    pub fn ahead(&self, function: &Arc<Function>) -> Ahead {
        let (children, zygotes) = self.fork.count(function);
        Ahead { idle: children + self.spawn.count(function), zygotes }
    }

    /// What keeps the forked processes of a function apart; `None` before there was one.
    pub fn separation(&self, function: &Arc<Function>) -> Option<Separation> {
        self.fork.separation(function)
    }

    /// Ends what processes leave behind, beside and between requests, for ever.
    pub async fn keep_sweeping(&self) -> Infallible {
        let children = &self.starter.children;
        children.keep_sweeping(|processes| self.starter.tell_of_strays(processes, None, None)).await
    }

    /// Gives up what waits for requests that don't come, for ever.
    pub async fn keep_tidy(&self) -> Infallible {
        const EVERY: Duration = Duration::from_secs(1);
        loop {
            tokio::time::sleep(EVERY).await;
            self.spawn.tidy();
            self.fork.tidy();
        }
    }

    /// Has functions that `catalogue` serves no more end what waits for their requests.
    pub fn retain(&self, catalogue: &Catalogue) {
        self.spawn.retain(catalogue);
        self.fork.retain(catalogue);
    }

    /// Has all end that waits: no more requests come.
    pub fn retire(&self) {
        self.spawn.retire();
        self.fork.retire();
    }

    /// Whether nothing waits any more.
    pub fn is_empty(&self) -> bool {
        self.spares.taken() == 0 && self.fork.is_empty()
    }

    /// Kills every process at once; those who wait for them go on as after any other end.
    pub async fn kill_all(&self) {
        self.starter.children.kill_all().await;
    }
}
