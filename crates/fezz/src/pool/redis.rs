//! Connections to Redis: the feature `redis`.

use super::{Authority, Kept, PoolError};
use crate::{FezzError, LoadContext};
use deadpool_redis::Manager;
pub use deadpool_redis::{Connection, redis as client};

/// A pool of connections to Redis. With the feature `redis-tls` they use TLS if the URL begins with `rediss:`, and check the
/// server's certificate. Without it, such a URL is an error. Each connection is asked for a PONG before a request gets it.
///
/// ```no_run
/// use fezz::LoadContext;
/// use fezz::prelude::*;
/// use fezz::redis::Pool;
///
/// use fezz::redis::client::AsyncCommands;
///
/// static CACHE: Pool = Pool::of("redis");
///
/// fn load(context: &LoadContext) -> Result<(), FezzError> {
///     CACHE.open(context)
/// }
///
/// #[fezz_function(path = "/visits", on_load = load)]
/// async fn visits(_: FezzRequest) -> Result<String, fezz::Error> {
///     let visits: u64 = CACHE.get().await?.incr("visits", 1).await?;
///     Ok(visits.to_string())
/// }
/// ```
#[derive(Debug)]
pub struct Pool(Kept<Manager, Connection>);

impl Pool {
    /// A pool of up to 4 connections to the resource of that name in the manifest's `resources`. Each process has one:
    /// what a server gets is this number times the function's workers.
    pub const fn of(resource: &'static str) -> Self {
        Self(Kept::of(resource))
    }

    /// The same with up to `connections`, 1 or more.
    #[must_use]
    pub const fn max(mut self, connections: usize) -> Self {
        self.0.connections_max = connections;
        self
    }

    /// Trusts this certificate authority instead of those that the machine trusts: the variable, one of the manifest's
    /// `secrets` or `env`, has its certificate in PEM.
    #[cfg(feature = "redis-tls")]
    #[must_use]
    pub const fn authority(mut self, variable: &'static str) -> Self {
        self.0.authority = Some(variable);
        self
    }

    /// Opens the pool, for `on_load`. It doesn't connect: a function is served while its database is away, and its requests
    /// fail until it is back.
    ///
    /// # Errors
    ///
    /// The manifest has no such resource, or its URL isn't one of Redis or asks for TLS that can't be had.
    pub fn open(&self, context: &LoadContext) -> Result<(), FezzError> {
        self.0.open(context, manager)
    }

    /// A connection, which goes back to the pool when it is dropped. Waits up to 5 s for one that others use, and as long
    /// for a new one.
    ///
    /// # Errors
    ///
    /// There is none in that time, or the server refuses it; or the pool isn't open.
    pub async fn get(&self) -> Result<Connection, PoolError> {
        self.0.get().await
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Closes the pool and its connections, for `on_unload`. [`open`](Self::open) opens it again.
    pub fn close(&self) {
        self.0.close();
    }
}

fn manager(url: &str, authority: Authority<'_>) -> Result<Manager, FezzError> {
    if url.starts_with("rediss:") {
        return by_tls(url, &authority);
    }
    Manager::new(url).map_err(FezzError::other)
}

#[cfg(feature = "redis-tls")]
fn by_tls(url: &str, authority: &Authority<'_>) -> Result<Manager, FezzError> {
    use redis_client::{Client, TlsCertificates};
    // The client takes the process's default one. Another may be it already, which serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    let root_cert = authority.pem()?.map(|pem| pem.as_bytes().to_vec());
    let client = Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert });
    let client = client.map_err(FezzError::other)?;
    Manager::new(client.get_connection_info().clone()).map_err(FezzError::other)
}

#[cfg(not(feature = "redis-tls"))]
fn by_tls(_: &str, _: &Authority<'_>) -> Result<Manager, FezzError> {
    Err(super::no_tls("rediss:", "redis-tls"))
}
