//! The limit of connections for each address: half of those that the others leave. So no client can take all of them, and
//! each further address that takes all it may still leaves as many.

use crate::memory::Account;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How many connections an address may have that has `own` of the `taken` ones.
pub(crate) fn share(connections_max: usize, taken: usize, own: usize) -> usize {
    connections_max.saturating_sub(taken.saturating_sub(own)).div_ceil(2)
}

/// A connection that counts for its address until it is dropped.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Account>);

impl Connected {
    /// Counts one more for an address that has fewer than `max`; else `None`.
    pub(crate) fn new(address: Arc<Account>, max: usize) -> Option<Self> {
        let before = address.connections().fetch_add(1, Ordering::Relaxed);
        let connected = Self(address);
        (before < max).then_some(connected)
    }

    pub(crate) fn address(&self) -> &Arc<Account> {
        &self.0
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections().fetch_sub(1, Ordering::Relaxed);
    }
}

/// Logs refused connections, at most once a minute.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog {
    logged: Option<Instant>,
    unlogged: u64,
}

impl RefusalLog {
    /// A connection of `peer` was refused.
    pub(crate) fn refused(&mut self, peer: IpAddr, connections_max: usize) {
        /// A client that connects as fast as it can must not fill the log.
        const EVERY: Duration = Duration::from_secs(60);
        self.unlogged += 1;
        if self.logged.is_some_and(|logged| logged.elapsed() < EVERY) {
            return;
        }
        tracing::warn!(
            %peer,
            connections_max,
            refused = self.unlogged,
            "connection refused: its address has half of the connections that the others leave; raise --connections, or set --trust-proxy \
             behind a proxy"
        );
        *self = Self { logged: Some(Instant::now()), unlogged: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_may_take_half_of_what_the_others_leave() {
        assert_eq!(share(4096, 0, 0), 2048);
        assert_eq!(share(4096, 2048, 2048), 2048);
        assert_eq!(share(4096, 2048, 0), 1024);
        assert_eq!(share(4096, 3072, 0), 512);
        assert_eq!(share(4096, 4095, 0), 1);
        assert_eq!(share(3, 1, 0), 1);
    }
}
