//! Loads a function's zygotes, replaces them when they are worn out or old, and supervises them until they end.

use super::{Plan, Serving, State, Zygotes};
use crate::execute::back_off::BackOff;
use crate::execute::fork::supervisor::{Supervisor, ZygoteEnd};
use crate::execute::fork::wear::Condition;
use crate::execute::fork::zygote::Zygote;
use crate::execute::load::LoadFailure;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

/// An old zygote isn't replaced before it has served this many times as long as it took to load. Clients that go away
/// make zygotes old; they must not be able to keep the host busy with loading.
const RENEW_AFTER_LOADS: u32 = 20;

impl Zygotes {
    /// Loads a zygote, unless one is being loaded: to replace `old`, or in addition.
    pub(super) fn load(self: &Arc<Self>, state: &mut State, old: Option<Arc<Zygote>>) {
        if !std::mem::replace(&mut state.is_loading, true) {
            tokio::spawn(Arc::clone(self).start_one(old));
        }
    }

    async fn start_one(self: Arc<Self>, old: Option<Arc<Zygote>>) {
        let begun = Instant::now();
        let started = self.start_supervisor().await;
        let mut state = self.lock();
        state.is_loading = false;
        match started {
            Ok(supervisor) => {
                let zygote = Arc::clone(&supervisor.zygote);
                let renew_after = Instant::now() + begun.elapsed() * RENEW_AFTER_LOADS;
                self.begin_service(&mut state, Serving { zygote, renew_after }, old.as_ref());
                tokio::spawn(Arc::clone(&self).supervise(supervisor));
            }
            Err(failure) => self.load_failed(&mut state, failure),
        }
        drop(state);
        self.changed.send_replace(());
    }

    fn begin_service(&self, state: &mut State, new: Serving, old: Option<&Arc<Zygote>>) {
        match old.filter(|old| state.is_serving(old)) {
            Some(old) => {
                state.remove(old);
                state.serving.push(new);
                self.end_service(state, old);
            }
            None if state.serving.is_empty() && !state.is_awaited => {
                // Meanwhile the function isn't called any more.
                new.zygote.retire();
            }
            None if state.serving.len() < state.wanted => state.serving.push(new),
            None => new.zygote.retire(),
        }
        state.is_awaited = false;
    }

    fn load_failed(&self, state: &mut State, failure: LoadFailure) {
        let retry = state.back_off.failed();
        tracing::error!(
            function = self.plan.function.name(),
            error = crate::log::chain(&failure),
            "module failed to load; {retry}"
        );
        if std::mem::take(&mut state.is_awaited) {
            state.failure = Some((failure, retry.at));
        } else {
            state.retry_after = Some(retry.at);
            // It was one more, or a successor: those that serve must do.
            state.wanted = state.serving.len().max(1);
        }
    }

    async fn start_supervisor(&self) -> Result<Supervisor, LoadFailure> {
        self.lock().started += 1;
        let Plan { starter, function, children, life, .. } = &self.plan;
        match Supervisor::start(starter, function, *children, *life).await {
            Ok((supervisor, separation)) => {
                tracing::debug!(function = function.name(), ?separation, "zygote ready");
                self.lock().separation = Some(separation);
                Ok(supervisor)
            }
            Err(failure) => {
                self.lock().started -= 1;
                Err(failure)
            }
        }
    }

    async fn supervise(self: Arc<Self>, supervisor: Supervisor) {
        let zygote = Arc::clone(&supervisor.zygote);
        let end = tokio::select! {
            end = supervisor.supervise() => end,
            never = self.replace_when_worn(&zygote) => match never {},
        };
        self.lose(&zygote, &end);
        end.log(&self.plan.function.name());
        self.changed.send_replace(());
    }

    /// A zygote has ended.
    fn lose(&self, zygote: &Arc<Zygote>, end: &ZygoteEnd) {
        let mut state = self.lock();
        state.started -= 1;
        if let ZygoteEnd::Retired = end {
            state.back_off = BackOff::default();
        }
        if !state.is_serving(zygote) {
            return;
        }
        state.remove(zygote);
        self.discard_idle(zygote);
        self.count_wear(&mut state, zygote);
        if let ZygoteEnd::Died(_) | ZygoteEnd::Hung = end
            && let Some(retry) = state.back_off.ended(zygote.lived())
        {
            match state.serving.is_empty() && !state.is_awaited {
                true => state.failure = Some((LoadFailure::Unstable, retry.at)),
                false => state.retry_after = Some(retry.at),
            }
        }
    }

    /// Replaces a zygote as soon as it is worn out, and wakes the requests that wait for it.
    async fn replace_when_worn(self: &Arc<Self>, zygote: &Zygote) -> Infallible {
        loop {
            zygote.worn().await;
            self.replace_worn(&mut self.lock());
            self.changed.send_replace(());
        }
    }

    /// Ends the service of zygotes that are worn out. Loads a successor for one whose time has come, and what is missing.
    pub(super) fn replace_worn(self: &Arc<Self>, state: &mut State) {
        let zygotes: Vec<_> = state.serving.iter().map(|serving| Arc::clone(&serving.zygote)).collect();
        for zygote in zygotes.iter().filter(|zygote| zygote.condition() == Condition::WornOut) {
            state.remove(zygote);
            self.end_service(state, zygote);
            // Requests may wait for it.
            state.is_awaited |= state.serving.is_empty();
        }
        let is_past = |after: Option<Instant>| after.is_none_or(|after| Instant::now() >= after);
        if state.is_awaited {
            self.load(state, None);
        } else if is_past(state.retry_after) && !state.is_loading && !state.serving.is_empty() {
            let is_due = |serving: &&Serving| match serving.zygote.condition() {
                Condition::Good => false,
                Condition::Old => Instant::now() >= serving.renew_after,
                Condition::Suspect | Condition::WornOut => true,
            };
            let due = state.serving.iter().find(is_due).map(|serving| Arc::clone(&serving.zygote));
            if due.is_some() || state.serving.len() < state.wanted {
                self.load(state, due);
            }
        }
    }

    /// A zygote and its idle children get no more requests. It ends after the requests that it has.
    fn end_service(&self, state: &mut State, zygote: &Zygote) {
        zygote.retire();
        self.discard_idle(zygote);
        state.streak.end(&zygote.wear()).report(&self.plan.function.name(), &self.plan.counters);
        // Requests that wait for it must look again.
        self.changed.send_replace(());
    }

    /// A zygote is gone before its successor was loaded. Its crashes still count: an attacker may have ended it, for
    /// example by using up all memory.
    pub(super) fn count_wear(&self, state: &mut State, zygote: &Zygote) {
        if zygote.wear().condition() >= Condition::Old {
            self.end_service(state, zygote);
        }
    }
}
