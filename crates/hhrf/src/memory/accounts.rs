//! Accounts of memory: of connections, clients' addresses and functions.

use super::usage::Use;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What one connection, address or function holds, by use; and an address's connections.
#[derive(Debug, Default)]
pub(crate) struct Account {
    request_bytes: AtomicUsize,
    response_bytes: AtomicUsize,
    connections: AtomicUsize,
}

/// The accounts that a holding is charged to.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    /// `None` where the connection is a trusted proxy's, which carries the requests of many clients.
    pub connection: Option<Arc<Account>>,
    /// The client's.
    pub address: Arc<Account>,
    /// The function's. `None` before the request counts for its function, and where the host answers itself.
    pub function: Option<Arc<Account>>,
}

/// The accounts of all addresses that have a connection or a request.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    accounts: Mutex<HashMap<IpAddr, Weak<Account>>>,
}

impl Account {
    pub(crate) fn taken_bytes(&self, r#use: Use) -> usize {
        self.taken(r#use).load(Ordering::Relaxed)
    }

    /// How many connections an address has.
    pub(crate) fn connections(&self) -> &AtomicUsize {
        &self.connections
    }

    /// Call it only under the lock of that use's memory.
    pub(super) fn recharge(&self, r#use: Use, before: usize, after: usize) {
        self.taken(r#use).store(self.taken_bytes(r#use) - before + after, Ordering::Relaxed);
    }

    fn taken(&self, r#use: Use) -> &AtomicUsize {
        match r#use {
            Use::Requests => &self.request_bytes,
            Use::Responses => &self.response_bytes,
        }
    }
}

impl Accounts {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.connection.iter().chain([&self.address]).chain(&self.function)
    }
}

impl Addresses {
    /// The account of a client's address. All addresses of an IPv6 /64 share one, since a single client usually gets a
    /// whole /64 (RFC 6177).
    pub(crate) fn of(&self, address: IpAddr) -> Arc<Account> {
        const PRUNED_AT: usize = 1024;
        let address = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address => address,
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&address).and_then(Weak::upgrade) {
            return account;
        }
        // Pruned when the map would grow, so that dead entries never outnumber the live ones.
        if accounts.len() == accounts.capacity() && accounts.len() >= PRUNED_AT {
            accounts.retain(|_, account| account.strong_count() > 0);
        }
        let account = Arc::default();
        accounts.insert(address, Arc::downgrade(&account));
        account
    }
}
