//! Whether a function's processes are put back to their snapshots, and why not.

use super::preparation::Impossible;
use super::rewinder::Taint;
use crate::catalogue::Function;
use crate::metrics::{FunctionRewinds, RewindCounters};
use fezz_rewind::Difference;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Whether a function's processes serve more than one request. The later ones outweigh the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rewinding {
    /// None has been prepared yet.
    Preparing,
    /// Some do.
    Active,
    /// They can't, for this reason: `fork` serves the function.
    Impossible(Arc<str>),
    /// One differed in this from its snapshot: `fork` serves the function.
    Defective(Arc<str>),
}

/// The verdict on one release.
#[derive(Debug)]
pub(super) struct Verdict {
    function: Arc<Function>,
    counters: RewindCounters,
    rewinds: FunctionRewinds,
    rewinding: Mutex<Rewinding>,
    has_logged_taint: AtomicBool,
}

/// The verdicts that are in use: the pools of one function share theirs.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<Vec<Weak<Verdict>>>);

impl Verdicts {
    /// The verdict on a function.
    pub(super) fn of(&self, function: &Arc<Function>, counters: &RewindCounters) -> Arc<Verdict> {
        // Nothing that is done under the lock can panic halfway.
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.retain(|verdict| verdict.strong_count() > 0);
        let mut known = verdicts.iter().filter_map(Weak::upgrade);
        known.find(|verdict| Arc::ptr_eq(&verdict.function, function)).unwrap_or_else(|| {
            let verdict = Arc::new(Verdict::new(Arc::clone(function), counters.clone()));
            verdicts.push(Arc::downgrade(&verdict));
            verdict
        })
    }
}

impl Verdict {
    fn new(function: Arc<Function>, counters: RewindCounters) -> Self {
        let rewinds = counters.of(&function.name());
        let (rewinding, has_logged_taint) = (Mutex::new(Rewinding::Preparing), AtomicBool::new(false));
        Self { function, counters, rewinds, rewinding, has_logged_taint }
    }

    /// The counters of the function.
    pub(super) fn rewinds(&self) -> &FunctionRewinds {
        &self.rewinds
    }

    pub(super) fn rewinding(&self) -> Rewinding {
        self.lock().clone()
    }

    /// Whether its processes may serve more than one request.
    pub(super) fn may_rewind(&self) -> bool {
        matches!(*self.lock(), Rewinding::Preparing | Rewinding::Active)
    }

    pub(super) fn is_defective(&self) -> bool {
        matches!(*self.lock(), Rewinding::Defective(_))
    }

    /// A process is prepared.
    pub(super) fn prepared(&self) {
        let mut rewinding = self.lock();
        if *rewinding == Rewinding::Preparing {
            *rewinding = Rewinding::Active;
        }
    }

    /// A process can't be put back after this request, and is replaced. Logged for the first one.
    pub(super) fn tainted(&self, taint: Taint, request_id: impl FnOnce() -> Option<String>) {
        if !self.has_logged_taint.swap(true, Ordering::Relaxed) {
            tracing::info!(
                function = self.function.name(),
                request_id = request_id(),
                reason = taint.to_string(),
                "a request's process can't be rewound and is replaced; this is logged once, and counted from now on"
            );
        }
    }

    /// They can't be put back here. Logged once; again, when the function is called after a pause in which it was given up.
    pub(super) fn impossible(&self, reason: &Impossible) {
        let (function, label, reason) = (self.function.name(), reason.label(), crate::log::chain(reason));
        if self.set(Rewinding::Impossible(reason.as_str().into())) {
            self.counters.fell_back(&function, label);
            tracing::warn!(
                function,
                reason,
                "the function's processes can't be rewound: each request gets a forked process, as with `fork`"
            );
        }
    }

    /// One wasn't put back as it should have been. No process of this function serves a second request from here on.
    pub(super) fn defective(&self, difference: &Difference) {
        let (function, difference) = (self.function.name(), crate::log::chain(difference));
        self.rewinds.differences.inc();
        tracing::error!(
            function,
            difference,
            "a process differed from its snapshot after it was rewound: please report this; from now on each request gets a \
             forked process, as with `fork`"
        );
        if self.set(Rewinding::Defective(difference.into())) {
            self.counters.fell_back(&function, "difference");
        }
    }

    /// Returns whether it is new: the first reason stays, and a defect outweighs the rest.
    fn set(&self, new: Rewinding) -> bool {
        let mut rewinding = self.lock();
        let is_new = match *rewinding {
            Rewinding::Preparing | Rewinding::Active => true,
            Rewinding::Impossible(_) => matches!(new, Rewinding::Defective(_)),
            Rewinding::Defective(_) => false,
        };
        if is_new {
            *rewinding = new;
        }
        is_new
    }

    fn lock(&self) -> MutexGuard<'_, Rewinding> {
        // Nothing that is done under the lock can panic halfway.
        self.rewinding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
