//! The `fork` executor: each request gets a process that is forked for it from one that has the module loaded, the
//! function's zygote (`fezz-runner --zygote`).
//!
//! `family` has a function's zygote and the children that wait ahead of their requests; `exchange` is one request with
//! one `child`. `keeper` starts, watches and ends a `zygote`, to which orders go and from which reports come; `fates` is
//! what is known of its children. `wear` is when it has crashed too often, and `streak` when its function has. [`load`] is
//! why there is no zygote.

mod child;
mod exchange;
mod family;
mod fates;
mod keeper;
pub mod load;
mod streak;
mod wear;
mod zygote;

pub use family::children_max;

use super::per_function::PerFunction;
use super::spare::Spares;
use super::start::Starter;
use super::{Failure, Outcome};
use crate::admit::AdmittedRequest;
use crate::catalogue::{Catalogue, Function};
use crate::metrics::WearCounters;
use exchange::Exchange;
use family::Family;
use fezz_wire::control::Separation;
use std::sync::Arc;
use std::time::Duration;

/// Forks processes by zygotes.
#[derive(Debug)]
pub struct Fork {
    starter: Arc<Starter>,
    spares: Spares,
    counters: WearCounters,
    spare_default: u32,
    zygotes_max: usize,
    families: PerFunction<Family>,
}

/// A family that a request is served by, and counts.
struct Member(Arc<Family>);

impl Fork {
    /// Starts zygotes when they are called for; keeps up to `spare_default` children ahead for functions that don't say
    /// it themselves, as long as there are `spares`, and `zygotes_max` zygotes of functions that have no request.
    pub fn new(
        starter: Arc<Starter>,
        spares: Spares,
        counters: WearCounters,
        spare_default: u32,
        zygotes_max: u32,
    ) -> Self {
        let zygotes_max = zygotes_max as usize;
        Self { starter, spares, counters, spare_default, zygotes_max, families: PerFunction::default() }
    }

    /// Executes the request. When this is dropped, because the client went away, the process is killed; in any case the
    /// places are given back when it is gone, not before.
    pub async fn execute(&self, request: AdmittedRequest) -> Outcome {
        /// A child that waited can be gone, killed by the kernel for instance; one after the other is where the zygote is
        /// gone, which a busy host hears of some milliseconds later. Then there is another one: the pauses, each twice as
        /// long as the one before, are an eighth of a second together.
        const ATTEMPTS: u32 = 8;
        const PAUSE: Duration = Duration::from_millis(1);
        let family = self.family(&request.function);
        family.begin();
        let member = Member(family);
        let mut request = request;
        for attempt in 1.. {
            let child = member.0.take(request.deadline).await?;
            match Exchange::begin(child, request, self.starter.stderr_bytes_max) {
                Ok((exchange, rest)) => {
                    // While the child is at work.
                    member.0.refill();
                    return exchange.answer(rest).await;
                }
                Err((error, _)) if attempt == ATTEMPTS => return Err(Failure::NotStarted(error)),
                Err((_, again)) => request = *again,
            }
            tokio::time::sleep(PAUSE * (1 << (attempt - 1))).await;
        }
        Err(Failure::Host)
    }

    /// A function has answered by what is no response, as turned out when it was decoded.
    pub fn blame(&self, function: &Arc<Function>) {
        if let Some(family) = self.families.get(function) {
            family.blame();
        }
    }

    /// Gives up what isn't needed any more; and where there are too many zygotes, those first that have waited longest.
    pub fn tidy(&self) {
        self.families.retain(|family| family.tidy());
        let families = self.families.all();
        let zygotes: usize = families.iter().map(|family| family.count().1).sum();
        let mut idle: Vec<_> =
            families.iter().filter_map(|family| Some((family.idle_for()?, family))).collect();
        idle.sort_by_key(|(idle_for, _)| std::cmp::Reverse(*idle_for));
        for (_, family) in idle.iter().take(zygotes.saturating_sub(self.zygotes_max)) {
            family.make_room();
        }
    }

    /// Has functions that aren't served any more end what waits for their requests.
    pub fn retain(&self, catalogue: &Catalogue) {
        self.families.gone_from(catalogue).iter().for_each(|family| family.retire());
    }

    /// Has all end that waits.
    pub fn retire(&self) {
        self.families.all().iter().for_each(|family| family.retire());
    }

    /// Whether no zygote is left.
    pub fn is_empty(&self) -> bool {
        self.families.all().iter().all(|family| family.count().1 == 0)
    }

    /// How many children of a function wait, and how many zygotes it has.
    pub fn count(&self, function: &Arc<Function>) -> (usize, usize) {
        self.families.get(function).map_or((0, 0), |family| family.count())
    }

    /// What keeps the processes of a function apart; `None` before there was one.
    pub fn separation(&self, function: &Arc<Function>) -> Option<Separation> {
        self.families.get(function).and_then(|family| family.separation())
    }

    fn family(&self, function: &Arc<Function>) -> Arc<Family> {
        self.families.of(function, || {
            let spare_max = function.spare.unwrap_or(self.spare_default);
            let (starter, spares) = (Arc::clone(&self.starter), self.spares.clone());
            Family::new(Arc::clone(function), starter, spares, self.counters.clone(), spare_max)
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.end();
    }
}
