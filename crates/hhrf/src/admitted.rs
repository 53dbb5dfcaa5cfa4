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
    /// All but the body.
    pub facts: RequestFacts,
    /// The body.
    pub body: RequestBody,
    /// Room for a small response.
    pub response_memory: Holding,
    /// The permits, of the function and of the host; released when the process is gone.
    pub permits: [Permit; 2],
    /// Keeps its message, if failed requests are recorded.
    pub(crate) kept: Option<Arc<KeptMessage>>,
}

/// What is known of a request that may run, beside its body.
#[derive(Debug)]
pub struct RequestFacts {
    /// The function.
    pub function: Arc<Function>,
    /// The route's parameters, percent-decoded.
    pub params: BTreeMap<String, String>,
    /// Method, target and headers. Hop-by-hop headers are still among them; [`passed_headers`] are those that the function
    /// sees.
    ///
    /// [`passed_headers`]: crate::execute::message::passed_headers
    pub head: Parts,
    /// The target as received, if the function sees another: it was called by its name.
    pub original_uri: Option<PathAndQuery>,
    /// The request's id and trace.
    pub identity: Arc<Identity>,
    /// The client's address.
    pub client_ip: Option<IpAddr>,
    /// When its process is killed, and the client is answered 504.
    pub deadline: Instant,
}

/// A body, with the memory of the whole request; cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestBody {
    /// The whole body.
    pub bytes: Bytes,
    pub(crate) holding: Arc<Holding>,
}
