//! What the stage `admit` returns and an executor takes.

use crate::catalogue::Function;
use crate::failure_recorder::KeptMessage;
use crate::identity::Identity;
use crate::limiter::Permit;
use crate::memory::Holding;
use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// A request that may run: it is complete and has its permits.
#[derive(Debug)]
pub struct AdmittedRequest {
    /// The function.
    pub function: Arc<Function>,
    /// The route's parameters, percent-decoded.
    pub params: BTreeMap<String, String>,
    /// Method, target and headers, as the function sees them.
    pub head: Parts,
    /// The target as received, if the function sees another: it was called by its name.
    pub original_uri: Option<PathAndQuery>,
    /// The body.
    pub body: RequestBody,
    /// The request's id and trace.
    pub identity: Arc<Identity>,
    /// The client's address.
    pub client_ip: Option<IpAddr>,
    /// When the process is killed.
    pub deadline: Instant,
    /// Room for a small response.
    pub response_memory: Holding,
    /// The permits, of the function and of the host; released when the process is gone.
    pub permits: [Permit; 2],
    /// Keeps its message, if failed requests are recorded.
    pub(crate) kept: Option<Arc<KeptMessage>>,
}

/// A body, with the memory of the whole request; cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestBody {
    /// The whole body.
    pub bytes: Bytes,
    pub(crate) holding: Arc<Holding>,
}
