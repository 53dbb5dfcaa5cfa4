//! Checks single values, so that what the host would refuse is an error at the place that the author wrote.

use syn::{LitInt, LitStr};

/// The longest id or version. It is part of a folder's name, `<id>@<version>`, and of log lines and metrics.
const NAME_CHARACTERS_MAX: usize = 64;

/// An id or a version; `argument` is which.
pub(crate) fn name(literal: &LitStr, argument: &str) -> syn::Result<String> {
    let name = literal.value();
    let wrong = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME_CHARACTERS_MAX {
        format!("has {} characters, the limit is {NAME_CHARACTERS_MAX}", name.chars().count())
    } else if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        "doesn't begin with a letter or digit".to_owned()
    } else if let Some(other) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_.-".contains(*c)) {
        format!("holds {other:?}")
    } else {
        return Ok(name);
    };
    refuse(literal, &format!("{argument} {wrong}: expected letters, digits, `_`, `.` and `-`, as in `todos`"))
}

/// A method: an HTTP token (RFC 9110, section 5.6.2). Methods are compared with case, and all registered ones are in
/// upper case, so that `get` would be a route that no client ever meets.
pub(crate) fn method(literal: &LitStr) -> syn::Result<String> {
    let method = literal.value();
    let token = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "!#$%&'*+-.^_`|~".contains(c);
    if !method.is_empty() && method.chars().all(token) {
        return Ok(method);
    }
    refuse(
        literal,
        &format!("method {method:?} is no HTTP method in upper case: expected `GET`, `POST`, ..."),
    )
}

/// A route's path.
pub(crate) fn path(literal: &LitStr) -> syn::Result<String> {
    let path = literal.value();
    let wrong = if path.is_empty() {
        "is empty"
    } else if !path.starts_with('/') {
        "doesn't begin with `/`"
    } else if path.contains(['?', '#']) {
        "holds a query or a fragment, which no route matches"
    } else {
        return Ok(path);
    };
    refuse(literal, &format!("path {path:?} {wrong}: expected `/api/todos/{{id}}`"))
}

/// A timeout with its unit, in milliseconds.
pub(crate) fn timeout_text(literal: &LitStr) -> syn::Result<u64> {
    let text = literal.value();
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => match text.strip_suffix('s') {
            Some(number) => (number, 1000),
            None => return refuse(literal, &wrong_timeout(&text, "has no unit that is known")),
        },
    };
    let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match milliseconds {
        Some(0) => refuse(literal, &wrong_timeout(&text, "is zero")),
        Some(milliseconds) => Ok(milliseconds),
        None => refuse(literal, &wrong_timeout(&text, "is no whole number of its unit")),
    }
}

/// A timeout as an integer of milliseconds.
pub(crate) fn timeout_number(literal: &LitInt) -> syn::Result<u64> {
    match literal.base10_parse::<u64>() {
        Ok(milliseconds) if milliseconds > 0 && literal.suffix().is_empty() => Ok(milliseconds),
        _ => Err(syn::Error::new(
            literal.span(),
            wrong_timeout(&literal.to_string(), "is no number above zero"),
        )),
    }
}

fn wrong_timeout(text: &str, wrong: &str) -> String {
    format!("timeout `{text}` {wrong}: expected `\"30s\"`, `\"1500ms\"` or `1500`, which is in milliseconds")
}

fn refuse<T>(literal: &LitStr, message: &str) -> syn::Result<T> {
    Err(syn::Error::new(literal.span(), message))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;
    use std::fmt::Debug;
    use syn::{LitInt, LitStr};

    fn check<T: Debug>(check: impl Fn(&LitStr) -> syn::Result<T>, wrong: &str, expected: &str) {
        let error =
            check(&LitStr::new(wrong, Span::call_site())).expect_err("the value is wrong").to_string();
        assert!(error.contains(expected), "{wrong:?}: {error}");
    }

    fn accepts<T: Debug + PartialEq>(check: impl Fn(&LitStr) -> syn::Result<T>, right: &str, expected: T) {
        assert_eq!(check(&LitStr::new(right, Span::call_site())).unwrap(), expected);
    }

    #[test]
    fn an_id_is_what_a_folder_can_be_called_by() {
        let id = |literal: &LitStr| super::name(literal, "id");
        accepts(id, "A-b_c.9", "A-b_c.9".to_owned());
        accepts(id, &"x".repeat(64), "x".repeat(64));
        check(id, "", "is empty");
        check(id, &"x".repeat(65), "has 65 characters, the limit is 64");
        check(id, "..", "doesn't begin with a letter or digit");
        check(id, "a/b", "holds '/'");
        check(id, "zoë", "holds 'ë'");
    }

    #[test]
    fn a_method_is_an_upper_case_token() {
        accepts(super::method, "PATCH", "PATCH".to_owned());
        accepts(super::method, "M-SEARCH", "M-SEARCH".to_owned());
        for wrong in ["", "get", "GET ", "GET,POST"] {
            check(super::method, wrong, "is no HTTP method in upper case");
        }
    }

    #[test]
    fn a_path_begins_with_a_slash_and_has_no_query() {
        accepts(super::path, "/", "/".to_owned());
        accepts(super::path, "/a/{*rest}", "/a/{*rest}".to_owned());
        check(super::path, "", "is empty");
        check(super::path, "a", "doesn't begin with `/`");
        check(super::path, "/a?b=c", "holds a query");
    }

    #[test]
    fn a_timeout_is_a_whole_number_of_a_known_unit() {
        accepts(super::timeout_text, "30s", 30_000);
        accepts(super::timeout_text, "1500ms", 1500);
        for zero in ["0s", "0ms"] {
            check(super::timeout_text, zero, "is zero");
        }
        for unit in ["", "5", "5m", "5 sec"] {
            check(super::timeout_text, unit, "has no unit that is known");
        }
        for number in ["s", "ms", "1.5s", "-1s", " 1s", "18446744073709551615s"] {
            check(super::timeout_text, number, "is no whole number of its unit");
        }
        for wrong in ["0", "5u8", "99999999999999999999"] {
            assert!(super::timeout_number(&LitInt::new(wrong, Span::call_site())).is_err(), "{wrong}");
        }
    }
}
