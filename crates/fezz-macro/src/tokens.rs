//! Small pieces of what the macros print.

use proc_macro2::{Literal, Span};

/// A location in the author's source, in the macro's own scope.
pub(crate) fn span_at(location: Span) -> Span {
    location.resolved_at(Span::mixed_site())
}

/// A number without its type.
pub(crate) fn number(number: u64) -> Literal {
    Literal::u64_unsuffixed(number)
}
