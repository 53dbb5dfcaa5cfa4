//! What the host says about a request.

use crate::variables::{Variables, resource_variable};
use crate::{FezzError, FezzRequest, FromRequest};
use fezz_wire::Meta;
#[cfg(feature = "server")]
use std::any::Any;
use std::convert::Infallible;
use std::fmt::{self, Debug, Formatter};
#[cfg(feature = "server")]
use std::panic::RefUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The longest deadline: an [`Instant`] may not represent a later time.
const TIME_LEFT_MAX: Duration = Duration::from_hours(24 * 365);

/// The function, the request's id, the time left, the variables, the client's address and target.
///
/// A function takes it as `ctx: &FunctionContext`, or owned. The host makes it; a unit test makes its own:
///
/// ```
/// use fezz::prelude::*;
/// use std::time::Duration;
///
/// #[fezz_function(path = "/region")]
/// fn region(_: FezzRequest, ctx: &FunctionContext) -> String {
///     format!("{} in {}", ctx.function_name(), ctx.env("REGION").unwrap_or("no region"))
/// }
///
/// let ctx = FunctionContext::new().with_env("REGION", "eu").with_time_left(Duration::from_secs(5));
/// assert_eq!(region(FezzRequest::new("GET", "/region"), &ctx), "test in eu");
/// ```
// An `Arc`, so that a request and each parameter that asks for it share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionContext(Arc<Facts>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) request_id: String,
    pub(crate) function: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) time_left: Duration,
    /// Counted when it is first asked for, or taken by a function: reading the clock costs a forked process two page
    /// faults, and most functions don't need it.
    pub(crate) deadline: OnceLock<Instant>,
    pub(crate) client_ip: Option<String>,
    pub(crate) original_uri: Option<String>,
    /// Those of the process are read when they are first asked for: most functions don't.
    pub(crate) env: OnceLock<Arc<Variables>>,
    pub(crate) held: Held,
}

/// What a host in this process wants back when all that works for the request is done: the context of a request is
/// cloned by what works for it. It is no property of the request.
#[derive(Clone, Default)]
pub(crate) struct Held {
    #[cfg(feature = "server")]
    pub(crate) _guard: Option<Arc<dyn Any + Send + Sync + RefUnwindSafe>>,
}

impl FunctionContext {
    /// A context for a test: everything is called `test`, and there are 30 seconds left, the host's default.
    #[expect(clippy::new_without_default, reason = "a default context would be one that no host has given")]
    pub fn new() -> Self {
        let meta = Meta {
            request_id: "test",
            function: "test",
            version: "test",
            deadline_ms: 30_000,
            client_ip: None,
            original_uri: None,
        };
        Self::from_wire(&meta)
    }

    pub(crate) fn from_wire(meta: &Meta<'_>) -> Self {
        Self(Arc::new(Facts {
            request_id: meta.request_id.to_owned(),
            function: meta.function.into(),
            version: meta.version.into(),
            time_left: Duration::from_millis(meta.deadline_ms),
            deadline: OnceLock::new(),
            client_ip: meta.client_ip.map(str::to_owned),
            original_uri: meta.original_uri.map(str::to_owned),
            env: OnceLock::new(),
            held: Held::default(),
        }))
    }

    #[cfg(feature = "server")]
    pub(crate) fn of(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// The same function and variables, for its `on_load`.
    #[cfg(feature = "server")]
    pub(crate) fn for_load(&self) -> crate::LoadContext {
        let context = crate::LoadContext::new().with_function(self.function_name(), self.version());
        let env = self.0.env.get_or_init(variables).iter();
        env.fold(context, |context, (name, value)| context.with_env(name, value))
    }

    /// Names the request in every line of the host's log, and in its answer's `x-request-id`.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The function's id.
    pub fn function_name(&self) -> &str {
        &self.0.function
    }

    /// The function's version.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The deadline: then the process is killed, and the client gets 504.
    pub fn deadline(&self) -> Instant {
        *self.0.deadline.get_or_init(|| Instant::now() + self.0.time_left.min(TIME_LEFT_MAX))
    }

    /// What is left until then; zero when it is over.
    pub fn time_left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// The client's IP address in text, where the host knows it.
    pub fn client_ip(&self) -> Option<&str> {
        self.0.client_ip.as_deref()
    }

    /// Path and query as the client sent them, where they differ from the request's
    /// [`uri`](FezzRequest::uri): with `/rpc/<name>`, where the function was called by its name.
    pub fn original_uri(&self) -> Option<&str> {
        self.0.original_uri.as_deref()
    }

    /// The variable of that name: one of the manifest's `env` or `secrets`. [`std::env::var`] has the same, but no unit test should
    /// set it there.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.0.env.get_or_init(variables).get(name)
    }

    /// The same variable, which the function can't do without.
    ///
    /// # Errors
    ///
    /// It isn't set; the error says where to write it.
    pub fn require_env(&self, name: &str) -> Result<&str, FezzError> {
        self.env(name).ok_or_else(|| FezzError::no_variable(name))
    }

    /// The URL of the resource of that name, one of the manifest's `resources`: `ctx.resource("postgres")`. The variable
    /// `FEZZ_RESOURCE_POSTGRES` has the same.
    pub fn resource(&self, name: &str) -> Option<&str> {
        self.0.env.get_or_init(variables).resource(name)
    }

    /// The same URL, which the function can't do without.
    ///
    /// # Errors
    ///
    /// The manifest has no such resource; the error says where to write it.
    pub fn require_resource(&self, name: &str) -> Result<&str, FezzError> {
        self.resource(name).ok_or_else(|| FezzError::no_resource(name))
    }
}

/// What a test changes in its context.
impl FunctionContext {
    /// Sets the request's id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.facts().request_id = request_id.to_owned();
        self
    }

    /// Sets the function's id and version.
    #[must_use]
    pub fn with_function(mut self, id: &str, version: &str) -> Self {
        self.facts().function = id.into();
        self.facts().version = version.into();
        self
    }

    /// Sets the deadline, counted from now.
    #[must_use]
    pub fn with_time_left(mut self, time_left: Duration) -> Self {
        self.facts().time_left = time_left;
        self.facts().deadline = OnceLock::new();
        self.deadline();
        self
    }

    /// Sets the client's IP address.
    #[must_use]
    pub fn with_client_ip(mut self, client_ip: &str) -> Self {
        self.facts().client_ip = Some(client_ip.to_owned());
        self
    }

    /// Sets path and query as the client sent them.
    #[must_use]
    pub fn with_original_uri(mut self, original_uri: &str) -> Self {
        self.facts().original_uri = Some(original_uri.to_owned());
        self
    }

    /// Sets a variable, beside those of the test's process.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        let mut env = self.0.env.get_or_init(variables).clone();
        Arc::make_mut(&mut env).set(name, value);
        self.facts().env = env.into();
        self
    }

    /// Sets the URL of a resource.
    #[must_use]
    pub fn with_resource(self, name: &str, url: &str) -> Self {
        self.with_env(&resource_variable(name), url)
    }

    fn facts(&mut self) -> &mut Facts {
        Arc::make_mut(&mut self.0)
    }
}

impl FromRequest for FunctionContext {
    type Rejection = Infallible;

    fn from_request(request: &FezzRequest) -> Result<Self, Infallible> {
        let context = request.context().clone();
        context.deadline();
        Ok(context)
    }
}

/// Those of the module's `on_load`, else those of the process.
fn variables() -> Arc<Variables> {
    crate::shim::variables().map_or_else(process_env, Arc::new)
}

/// Variables that aren't UTF-8 are left out: a manifest has none.
fn process_env() -> Arc<Variables> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Arc::new(std::env::vars_os().filter_map(text).collect())
}

impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl Debug for Held {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Held")
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionContext;
    use std::time::{Duration, Instant};

    #[test]
    fn a_deadline_beyond_every_clock_is_no_panic() {
        assert!(FunctionContext::new().with_time_left(Duration::MAX).deadline() > Instant::now());
    }

    #[test]
    fn a_deadline_that_is_over_leaves_no_time() {
        assert_eq!(FunctionContext::new().with_time_left(Duration::ZERO).time_left(), Duration::ZERO);
    }

    #[test]
    fn a_variable_of_the_process_is_there_beside_those_of_a_test() {
        let context = FunctionContext::new().with_env("FEZZ_TEST_ONLY", "1");
        assert_eq!(context.env("FEZZ_TEST_ONLY"), Some("1"));
        assert_eq!(context.env("PATH"), std::env::var("PATH").ok().as_deref());
        assert_eq!(context.env("FEZZ_TEST_NOT_SET"), None);
        let error = context.require_env("FEZZ_TEST_NOT_SET").unwrap_err().to_string();
        assert_eq!(
            error,
            "the variable `FEZZ_TEST_NOT_SET` isn't set: write it into `env` of fezz.json, or a secret into `secrets`"
        );
    }
}
