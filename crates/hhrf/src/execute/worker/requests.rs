//! The requests that one worker has, and their permits of the host.

use super::in_flight::{InFlight, Remains};
use crate::limiter::Permit;
use std::collections::HashMap;

/// The requests that a worker has, by their number.
///
/// The permits of the host bound the processes that run at a time, and a worker is one process. So its abandoned requests
/// have one such permit together: clients that disconnect can't take those of other functions, and a worker that is busy for
/// them still counts. Their permits of the function and their slots are kept, which bound what one function does.
#[derive(Debug, Default)]
pub(super) struct Requests {
    by_number: HashMap<u64, InFlight>,
}

impl Requests {
    pub(super) fn insert(&mut self, number: u64, request: InFlight) {
        self.by_number.insert(number, request);
    }

    pub(super) fn get(&self, number: u64) -> Option<&InFlight> {
        self.by_number.get(&number)
    }

    /// The worker has it no longer. If it keeps the permit for other abandoned ones, another one does from now on.
    pub(super) fn remove(&mut self, number: u64) -> Option<InFlight> {
        let mut removed = self.by_number.remove(&number)?;
        if let Some(of_host) = removed.abandoned_of_host()
            && of_host.is_some()
            && let Some(other) = self.abandoned_of_host()
        {
            *other = of_host.take();
        }
        Some(removed)
    }

    /// No response to it is wanted any more; `None` if that was so before.
    pub(super) fn abandon(&mut self, number: u64) -> Option<Remains> {
        let has_permit = self.abandoned_of_host().is_some();
        let (mut request, remains) = self.by_number.remove(&number)?.abandon();
        if has_permit
            && remains.is_some()
            && let Some(of_host) = request.abandoned_of_host()
        {
            *of_host = None;
        }
        self.by_number.insert(number, request);
        remains
    }

    /// Where an abandoned request may keep a permit of the host for all of them; `None` if none is abandoned.
    fn abandoned_of_host(&mut self) -> Option<&mut Option<Permit>> {
        self.by_number.values_mut().find_map(InFlight::abandoned_of_host)
    }

    /// The abandoned request that meets its deadline first.
    pub(super) fn first_abandoned(&self) -> Option<&InFlight> {
        let abandoned = self.by_number.values().filter(|request| !request.has_client());
        abandoned.min_by_key(|request| request.deadline())
    }

    /// The only one, if there is one alone.
    pub(super) fn only(&self) -> Option<&InFlight> {
        match self.by_number.len() {
            1 => self.by_number.values().next(),
            _ => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Takes all, with their numbers.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u64, InFlight)> + use<> {
        std::mem::take(&mut self.by_number).into_iter()
    }
}
