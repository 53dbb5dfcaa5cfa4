//! The text of an error, wherever one crosses as text: in a response's `error`, in a function's log, on stderr.

use std::error::Error;

/// An error with its causes, as one line, separated by colons.
///
/// ```
/// let error = fezz_wire::FezzWireRequest::decode(b"").unwrap_err();
/// assert_eq!(fezz_wire::chain(&error), error.to_string());
/// ```
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to {0}")]
    struct Step(&'static str, #[source] Option<Box<Step>>);

    #[test]
    fn causes_follow_the_error_that_they_explain() {
        let error = Step("serve", Some(Box::new(Step("load", Some(Box::new(Step("open", None)))))));
        assert_eq!(chain(&error), "failed to serve: failed to load: failed to open");
        assert_eq!(chain(&Step("serve", None)), "failed to serve");
    }
}
