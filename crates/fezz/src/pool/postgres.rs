//! Connections to Postgres: the feature `postgres`.

use super::{Authority, Kept, PoolError};
use crate::{FezzError, LoadContext};
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use std::str::FromStr;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
pub use {deadpool_postgres::Client, tokio_postgres};

/// A pool of connections to Postgres. With the feature `postgres-tls` they use TLS if the URL has `sslmode=require`, and check the
/// server's certificate. Without it, such a URL is an error. Connections to other URLs are without TLS.
///
/// ```no_run
/// use fezz::LoadContext;
/// use fezz::prelude::*;
/// use fezz::postgres::Pool;
///
/// static DB: Pool = Pool::of("postgres");
///
/// fn load(context: &LoadContext) -> Result<(), FezzError> {
///     DB.open(context)
/// }
///
/// #[fezz_function(path = "/items/{id}", on_load = load)]
/// async fn item(request: FezzRequest) -> Result<String, fezz::Error> {
///     let id: i32 = request.param("id").unwrap_or_default().parse()?;
///     let row = DB.get().await?.query_one("SELECT name FROM items WHERE id = $1", &[&id]).await?;
///     Ok(row.get(0))
/// }
/// ```
#[derive(Debug)]
pub struct Pool(Kept<Manager>);

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
    #[cfg(feature = "postgres-tls")]
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
    /// The manifest has no such resource, or its URL isn't one of Postgres or asks for TLS that can't be had.
    pub fn open(&self, context: &LoadContext) -> Result<(), FezzError> {
        self.0.open(context, manager)
    }

    /// A connection, which goes back to the pool when it is dropped. Waits up to 5 s for one that others use, and as long
    /// for a new one.
    ///
    /// # Errors
    ///
    /// There is none in that time, or the server refuses it; or the pool isn't open.
    pub async fn get(&self) -> Result<Client, PoolError> {
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

/// A connection whose task has ended is replaced. Its server isn't asked each time, which would double a request's way to it.
fn manager(url: &str, authority: Authority<'_>) -> Result<Manager, FezzError> {
    const RECYCLING: ManagerConfig = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let config = Config::from_str(url).map_err(FezzError::other)?;
    if config.get_ssl_mode() == SslMode::Require {
        return by_tls(config, &authority, RECYCLING);
    }
    Ok(Manager::from_config(config, NoTls, RECYCLING))
}

#[cfg(feature = "postgres-tls")]
fn by_tls(config: Config, authority: &Authority<'_>, recycling: ManagerConfig) -> Result<Manager, FezzError> {
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(authority.client()?);
    Ok(Manager::from_config(config, tls, recycling))
}

#[cfg(not(feature = "postgres-tls"))]
fn by_tls(_: Config, _: &Authority<'_>, _: ManagerConfig) -> Result<Manager, FezzError> {
    Err(super::no_tls("sslmode=require", "postgres-tls"))
}
