//! Small pieces of what the macros print.

use proc_macro2::{Literal, Span};

/// A location in the author's source, in the macro's own scope.
pub(crate) fn span_at(location: Span) -> Span {
    location.resolved_at(Span::mixed_site())
}

/// As `Duration::from_millis` takes them.
pub(crate) fn milliseconds(milliseconds: u64) -> Literal {
    Literal::u64_unsuffixed(milliseconds)
}
