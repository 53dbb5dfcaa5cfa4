//! What the host says about a request.

use fezz_wire::Meta;
use std::time::{Duration, Instant};

/// The longest deadline: an [`Instant`] may not represent a later time.
const TIME_LEFT_MAX: Duration = Duration::from_hours(24 * 365);

/// The function, the request's id, and the deadline.
///
/// The host makes it; a unit test makes its own: `Context::new().with_time_left(Duration::ZERO)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    request_id: String,
    function: String,
    version: String,
    deadline: Instant,
    client_ip: Option<String>,
}

impl Context {
    /// A context for a test: everything is called `test`, and there are 30 seconds left, the host's default.
    #[expect(clippy::new_without_default, reason = "a default context would be one that no host has given")]
    pub fn new() -> Self {
        Self {
            request_id: "test".to_owned(),
            function: "test".to_owned(),
            version: "test".to_owned(),
            deadline: deadline_in(Duration::from_secs(30)),
            client_ip: None,
        }
    }

    pub(crate) fn from_wire(meta: &Meta<'_>) -> Self {
        Self {
            request_id: meta.request_id.to_owned(),
            function: meta.function.to_owned(),
            version: meta.version.to_owned(),
            deadline: deadline_in(Duration::from_millis(meta.deadline_ms)),
            client_ip: meta.client_ip.map(str::to_owned),
        }
    }

    /// Names the request in every line of the host's log, and in its answer's `x-request-id`.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The function's id.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The function's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The deadline: then the process is killed, and the client gets 504.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What is left until then; zero when it is over.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The client's IP address in text, where the host knows it.
    pub fn client_ip(&self) -> Option<&str> {
        self.client_ip.as_deref()
    }
}

/// What a test changes in its context.
impl Context {
    /// Sets the request's id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.request_id = request_id.to_owned();
        self
    }

    /// Sets the function's id and version.
    #[must_use]
    pub fn with_function(mut self, id: &str, version: &str) -> Self {
        self.function = id.to_owned();
        self.version = version.to_owned();
        self
    }

    /// Sets the deadline, counted from now.
    #[must_use]
    pub fn with_time_left(mut self, time_left: Duration) -> Self {
        self.deadline = deadline_in(time_left);
        self
    }

    /// Sets the client's IP address.
    #[must_use]
    pub fn with_client_ip(mut self, client_ip: &str) -> Self {
        self.client_ip = Some(client_ip.to_owned());
        self
    }
}

fn deadline_in(time_left: Duration) -> Instant {
    Instant::now() + time_left.min(TIME_LEFT_MAX)
}

#[cfg(test)]
mod tests {
    use super::Context;
    use std::time::{Duration, Instant};

    #[test]
    fn a_deadline_beyond_every_clock_is_no_panic() {
        assert!(Context::new().with_time_left(Duration::MAX).deadline() > Instant::now());
    }

    #[test]
    fn a_deadline_that_is_over_leaves_no_time() {
        assert_eq!(Context::new().with_time_left(Duration::ZERO).time_left(), Duration::ZERO);
    }
}
