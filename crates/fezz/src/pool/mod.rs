//! Pools of connections to a [resource](crate::LoadContext::resource), kept from one request to the next.
//!
//! [`postgres`] and [`redis`] have the pools; this file has what is the same for both. A pool stands in a static. It opens
//! no connection by itself: [`postgres::Pool::open`] checks its URL at the start, and the first requests connect. A
//! connection that broke is replaced by the next request that gets it.
//!
//! Connections last as long as their process. So a pool is for `worker` and `in-process`. With `spawn` and `fork` it works,
//! but each request opens a connection of its own.

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;

mod runtime;
#[cfg(any(feature = "postgres-tls", feature = "redis-tls"))]
mod tls;

use crate::{FezzError, LoadContext};
use deadpool::Runtime;
use deadpool::managed::{self, Manager, Object};
use runtime::OwnRuntime;
use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Connections of one pool, unless its author says otherwise: a server has some hundred for all of its clients.
const CONNECTIONS: usize = 4;

/// How long a request waits for a connection that others use; the same for a new connection to be made. Well below the
/// 30 s of a request by default, so that the error is told rather than the deadline.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a connection may take to prove that it still works.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// How long closing a pool waits for its thread, which only has to notice it.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Why a request gets no connection.
#[derive(Debug)]
pub struct PoolError {
    resource: &'static str,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// A pool in a static: its resource, and once it is open its connections.
struct Kept<M: Manager, W: From<Object<M>> = Object<M>> {
    resource: &'static str,
    connections_max: usize,
    /// The variable with the certificate authority of the server, in PEM. Read where the URL asks for TLS.
    authority: Option<&'static str>,
    open: RwLock<Option<Arc<Open<M, W>>>>,
}

struct Open<M: Manager, W: From<Object<M>>> {
    pool: managed::Pool<M, W>,
    runtime: OwnRuntime,
}

/// Who signs the certificate of a server.
#[cfg_attr(
    not(any(feature = "postgres-tls", feature = "redis-tls")),
    expect(dead_code, reason = "a pool without TLS asks for no certificate")
)]
struct Authority<'a> {
    variable: Option<&'static str>,
    context: &'a LoadContext,
}

/// A URL that asks for TLS, by `demand`, where `feature` isn't enabled.
#[cfg(any(
    all(feature = "postgres", not(feature = "postgres-tls")),
    all(feature = "redis", not(feature = "redis-tls"))
))]
fn no_tls(demand: &str, feature: &str) -> FezzError {
    FezzError::new(format!(
        "the resource's URL asks for TLS by `{demand}`: enable the feature `{feature}` of fezz in Cargo.toml"
    ))
}

impl<M, W> Kept<M, W>
where
    M: Manager<Error: Error + Send + Sync> + 'static,
    W: From<Object<M>> + Send + 'static,
{
    const fn of(resource: &'static str) -> Self {
        Self { resource, connections_max: CONNECTIONS, authority: None, open: RwLock::new(None) }
    }

    /// Opens the pool whose manager `make` makes of the resource's URL.
    fn open(
        &self,
        context: &LoadContext,
        make: impl FnOnce(&str, Authority<'_>) -> Result<M, FezzError>,
    ) -> Result<(), FezzError> {
        let authority = Authority { variable: self.authority, context };
        let manager = make(context.require_resource(self.resource)?, authority)?;
        let pool = managed::Pool::builder(manager)
            .max_size(self.connections_max)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_MAX))
            .create_timeout(Some(WAIT_MAX))
            .recycle_timeout(Some(CHECK_MAX))
            .build()
            .map_err(FezzError::other)?;
        let open = Arc::new(Open { pool, runtime: OwnRuntime::default() });
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
        Ok(())
    }

    /// On the pool's own runtime, which drives the connection from then on: the function's may end with the request.
    async fn get(&self) -> Result<W, PoolError> {
        let failed = |cause| PoolError { resource: self.resource, cause };
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        let open = open.ok_or_else(|| failed(None))?;
        let pool = open.pool.clone();
        let getting = open.runtime.spawn(async move { pool.get().await });
        let got = getting.map_err(|error| failed(Some(error.into())))?.await;
        let got = got.map_err(|error| failed(Some(error.into())))?;
        got.map_err(|error| failed(Some(error.into())))
    }

    fn connections(&self) -> usize {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map_or(0, |open| open.pool.status().size)
    }

    fn close(&self) {
        let Some(open) = self.open.write().unwrap_or_else(PoisonError::into_inner).take() else { return };
        open.pool.close();
        // Requests that still have it drop it later.
        if let Ok(open) = Arc::try_unwrap(open) {
            open.runtime.end(CLOSE_MAX);
        }
    }
}

/// Without the managers, which have the URL with its password.
impl<M: Manager, W: From<Object<M>>> Debug for Kept<M, W> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let Self { resource, connections_max, .. } = self;
        write!(to, "up to {connections_max} connections to the resource `{resource}`")
    }
}

impl Display for PoolError {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let Self { resource, cause } = self;
        match cause {
            Some(_) => write!(to, "failed to connect to the resource `{resource}`"),
            None => {
                write!(to, "the pool of the resource `{resource}` isn't open: call its `open` in on_load")
            }
        }
    }
}

impl Error for PoolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(feature = "postgres", not(feature = "postgres-tls")))]
    #[test]
    fn a_url_of_postgres_that_asks_for_tls_is_refused_with_the_feature_that_has_it() {
        let pool = super::postgres::Pool::of("postgres");
        let open = |url| pool.open(&crate::LoadContext::new().with_resource("postgres", url));
        let error = open("postgres://app:hunter2@db/app?sslmode=require").unwrap_err().to_string();
        assert!(error.contains("`sslmode=require`: enable the feature `postgres-tls`"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        open("postgres://app@db/app?sslmode=prefer").unwrap();
    }

    #[cfg(all(feature = "redis", not(feature = "redis-tls")))]
    #[test]
    fn a_url_of_redis_that_asks_for_tls_is_refused_with_the_feature_that_has_it() {
        let pool = super::redis::Pool::of("redis");
        let context = crate::LoadContext::new().with_resource("redis", "rediss://:hunter2@cache");
        let error = pool.open(&context).unwrap_err().to_string();
        assert!(error.contains("`rediss:`: enable the feature `redis-tls`"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[cfg(feature = "postgres-tls")]
    #[test]
    fn an_authority_that_cannot_be_read_is_told_by_its_variable() {
        let pool = super::postgres::Pool::of("postgres").authority("DB_CA");
        let context =
            crate::LoadContext::new().with_resource("postgres", "postgres://app@db/app?sslmode=require");
        let error = pool.open(&context).unwrap_err().to_string();
        assert!(error.contains("`DB_CA` isn't set"), "{error}");
        for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = pool.open(&context.clone().with_env("DB_CA", text)).unwrap_err().to_string();
            assert!(error.contains("`DB_CA`"), "{text}: {error}");
        }
    }
}
