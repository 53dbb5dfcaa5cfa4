//! The connection that a request came on.

use crate::host::Host;
use crate::memory::{Account, Accounts};
use crate::settings::Listener;
use crate::write_tracker::WriteTracker;
use std::net::IpAddr;
use std::sync::Arc;

/// Where requests come from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The listener that accepted the connection.
    pub(crate) listener: Listener,
    /// The other side's address.
    pub(crate) peer: IpAddr,
    /// What the connection holds.
    pub(crate) connection: Arc<Account>,
    /// What the other side's address holds.
    pub(crate) address: Arc<Account>,
    /// The connection's requests in flight and unsent responses.
    pub(crate) tracker: Arc<WriteTracker>,
}

impl Origin {
    /// For a connection that was accepted.
    pub(crate) fn new(host: &Host, listener: Listener, peer: IpAddr, address: Arc<Account>) -> Self {
        let connection = Arc::default();
        let accounts = accounts(host, &connection, &address);
        let tracker = WriteTracker::new(&host.response_memory, accounts, host.settings.limits.data_rate);
        Self { listener, peer, connection, address, tracker }
    }
}

/// The accounts for memory that belongs to no request.
pub(crate) fn accounts(host: &Host, connection: &Arc<Account>, address: &Arc<Account>) -> Accounts {
    let connection = (!host.settings.trust_proxy).then(|| Arc::clone(connection));
    Accounts { connection, address: Arc::clone(address), function: None }
}
