//! The limit of connections for each address: half of all, so that no client can take all of them.

use crate::memory::Account;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A connection that counts for its address until it is dropped.
#[derive(Debug)]
pub struct Connected(Arc<Account>);

impl Connected {
    /// Counts one more for an address that has fewer than `max`; else `None`.
    pub fn new(address: Arc<Account>, max: usize) -> Option<Self> {
        let before = address.connections().fetch_add(1, Ordering::Relaxed);
        let connected = Self(address);
        (before < max).then_some(connected)
    }

    /// The address's account.
    pub fn address(&self) -> &Arc<Account> {
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
pub struct RefusalLog {
    logged: Option<Instant>,
    unlogged: u64,
}

impl RefusalLog {
    /// A connection of `peer` was refused.
    pub fn refused(&mut self, peer: IpAddr, connections_max: usize) {
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
            "connection refused: its address already has half of all connections; raise --connections, or set --trust-proxy \
             behind a proxy"
        );
        *self = Self { logged: Some(Instant::now()), unlogged: 0 };
    }
}
