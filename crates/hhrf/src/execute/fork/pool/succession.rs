//! Loads a function's zygotes, replaces them when they are worn out or old, and supervises them until they end.

use super::{Phase, State, ZygotePool};
use crate::execute::back_off::BackOff;
use crate::execute::fork::load::LoadFailure;
use crate::execute::fork::supervisor::{Supervisor, ZygoteEnd};
use crate::execute::fork::wear::Condition;
use crate::execute::fork::zygote::Zygote;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

/// An old zygote isn't replaced before it has served this many times as long as it took to load. Clients that go away
/// make zygotes old; they must not be able to keep the host busy with loading.
const RENEW_AFTER_LOADS: u32 = 20;

impl ZygotePool {
    /// Loads a zygote, unless one is being loaded.
    pub(super) fn load(self: &Arc<Self>, state: &mut State) {
        if !std::mem::replace(&mut state.is_loading, true) {
            tokio::spawn(Arc::clone(self).start());
        }
    }

    /// Starts a zygote: for requests that wait for one, or to replace another without an interruption.
    async fn start(self: Arc<Self>) {
        let begun = Instant::now();
        let started = self.start_supervisor().await;
        let mut state = self.lock();
        state.is_loading = false;
        match started {
            Ok(supervisor) => {
                state.renew_after = Some(Instant::now() + begun.elapsed() * RENEW_AFTER_LOADS);
                self.take_over(&mut state, &supervisor.zygote);
                tokio::spawn(Arc::clone(&self).supervise(supervisor));
            }
            Err(failure) => {
                let retry = state.back_off.failed();
                tracing::error!(
                    function = self.function.name(),
                    error = crate::log::chain(&failure),
                    "module failed to load; {retry}"
                );
                let until = retry.at;
                match state.phase {
                    Phase::Loading => state.phase = Phase::Failed { failure, until },
                    Phase::Unloaded | Phase::Loaded(_) | Phase::Failed { .. } => {
                        state.retry_after = Some(until)
                    }
                }
            }
        }
        drop(state);
        self.news.send_replace(());
    }

    fn take_over(&self, state: &mut State, zygote: &Arc<Zygote>) {
        match &state.phase {
            Phase::Loaded(old) => {
                let old = Arc::clone(old);
                state.phase = Phase::Loaded(Arc::clone(zygote));
                self.end_service(state, &old);
            }
            Phase::Loading => state.phase = Phase::Loaded(Arc::clone(zygote)),
            // Meanwhile the old one has ended, or the function isn't called any more.
            Phase::Unloaded | Phase::Failed { .. } => zygote.retire(),
        }
    }

    async fn start_supervisor(&self) -> Result<Supervisor, LoadFailure> {
        self.lock().zygotes += 1;
        match Supervisor::start(&self.starter, &self.function, self.children).await {
            Ok((supervisor, separation)) => {
                tracing::debug!(function = self.function.name(), ?separation, "zygote ready");
                self.lock().separation = Some(separation);
                Ok(supervisor)
            }
            Err(failure) => {
                self.lock().zygotes -= 1;
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
        let mut state = self.lock();
        state.zygotes -= 1;
        if let ZygoteEnd::Retired = end {
            state.back_off = BackOff::default();
        }
        if let Phase::Loaded(current) = &state.phase
            && Arc::ptr_eq(current, &zygote)
        {
            state.idle.clear();
            self.count_wear(&mut state, &zygote);
            let again = match end {
                ZygoteEnd::Retired => None,
                ZygoteEnd::Died(_) | ZygoteEnd::Hung => {
                    state.back_off.ended(zygote.lived()).map(|retry| retry.at)
                }
            };
            state.phase = match again {
                None => Phase::Unloaded,
                Some(until) => Phase::Failed { failure: LoadFailure::Unstable, until },
            };
        }
        drop(state);
        end.log(&self.function.name());
        self.news.send_replace(());
    }

    /// Replaces a zygote as soon as it is worn out, and wakes the requests that wait for it.
    async fn replace_when_worn(self: &Arc<Self>, zygote: &Arc<Zygote>) -> Infallible {
        loop {
            zygote.worn().await;
            let mut state = self.lock();
            if matches!(&state.phase, Phase::Loaded(current) if Arc::ptr_eq(current, zygote)) {
                self.replace_if_worn(&mut state);
            }
            drop(state);
            self.news.send_replace(());
        }
    }

    /// Loads the zygote's successor when it is time, and retires the zygote once it is worn out.
    pub(super) fn replace_if_worn(self: &Arc<Self>, state: &mut State) {
        let Phase::Loaded(zygote) = &state.phase else { return };
        let is_past = |after: Option<Instant>| after.is_none_or(|after| Instant::now() >= after);
        match zygote.condition() {
            Condition::Good => {}
            Condition::Old if !is_past(state.renew_after) => {}
            Condition::Old | Condition::Suspect => {
                if is_past(state.retry_after) {
                    self.load(state);
                }
            }
            Condition::WornOut => {
                let zygote = Arc::clone(zygote);
                state.phase = Phase::Loading;
                self.end_service(state, &zygote);
                self.load(state);
            }
        }
    }

    /// A zygote and its idle children get no more requests. It ends after the requests that it has.
    fn end_service(&self, state: &mut State, zygote: &Zygote) {
        zygote.retire();
        state.idle.clear();
        state.streak.end(&zygote.wear()).report(&self.function.name(), &self.counters);
        // Requests that wait for it must look again.
        self.news.send_replace(());
    }

    /// A zygote is gone before its successor was loaded. Its crashes still count: an attacker may have ended it, for
    /// example by using up all memory.
    pub(super) fn count_wear(&self, state: &mut State, zygote: &Zygote) {
        if zygote.condition() >= Condition::Suspect {
            self.end_service(state, zygote);
        }
    }
}
