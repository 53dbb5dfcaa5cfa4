//! Checks single values by the host's own rules, so that what the host would refuse is an error of the compiler's, at the
//! value.

use fezz_manifest::duration::parse_duration;
use fezz_manifest::method::is_method;
use fezz_manifest::names::check_name;
use fezz_manifest::path::parse_path;
use fezz_manifest::range;
use syn::{LitInt, LitStr};

/// An id or a version; `argument` is which.
pub(crate) fn name(literal: &LitStr, argument: &str) -> syn::Result<String> {
    let name = literal.value();
    match check_name(&name) {
        Ok(()) => Ok(name),
        Err(wrong) => refuse(
            literal,
            &format!("{argument} {wrong}: expected letters, digits, `_`, `.` and `-`, as in `todos`"),
        ),
    }
}

/// Stands for every method.
const ANY_METHOD: &str = "*";

/// A method of a route.
pub(crate) fn method(literal: &LitStr) -> syn::Result<String> {
    let method = literal.value();
    if is_method(&method) || method == ANY_METHOD {
        return Ok(method);
    }
    refuse(
        literal,
        &format!("method {method:?} is not an HTTP method in upper case: expected `GET`, `POST`, ..."),
    )
}

/// A route's path, as the author wrote it.
pub(crate) fn path(literal: &LitStr) -> syn::Result<String> {
    let path = literal.value();
    match parse_path(&path) {
        Ok(_) => Ok(path),
        Err(error) => {
            refuse(literal, &format!("path {path:?} {}: expected `/api/todos/{{id}}`", error.fault))
        }
    }
}

/// A timeout with its unit, in milliseconds.
pub(crate) fn timeout_text(literal: &LitStr) -> syn::Result<u64> {
    let text = literal.value();
    let in_range = |milliseconds| check_timeout(milliseconds).map(|()| milliseconds);
    let checked = parse_duration(&text).map_err(|wrong| wrong.to_string()).and_then(in_range);
    checked.or_else(|wrong| refuse(literal, &wrong_timeout(&text, &wrong)))
}

/// A timeout as an integer of seconds, in milliseconds.
pub(crate) fn timeout_number(literal: &LitInt) -> syn::Result<u64> {
    let checked = match literal.base10_parse::<u64>() {
        Ok(seconds) if seconds > 0 && literal.suffix().is_empty() => {
            let milliseconds = seconds.saturating_mul(1000);
            check_timeout(milliseconds).map(|()| milliseconds)
        }
        _ => Err("is no number above zero".to_owned()),
    };
    checked.map_err(|wrong| syn::Error::new(literal.span(), wrong_timeout(&literal.to_string(), &wrong)))
}

fn check_timeout(milliseconds: u64) -> Result<(), String> {
    range::TIMEOUT_MS
        .check(milliseconds)
        .map_err(|out| format!("is {milliseconds} milliseconds, it must be {}", out.allowed))
}

fn wrong_timeout(text: &str, wrong: &str) -> String {
    format!("timeout `{text}` {wrong}: expected `30`, which is in seconds, or `\"30s\"` or `\"1500ms\"`")
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
    fn an_id_that_breaks_a_rule_is_refused_with_the_form() {
        let id = |literal: &LitStr| super::name(literal, "id");
        accepts(id, "A-b_c.9", "A-b_c.9".to_owned());
        check(id, &"x".repeat(65), "id has 65 characters, the limit is 64: expected letters, digits");
    }

    #[test]
    fn a_method_is_an_upper_case_token() {
        accepts(super::method, "PATCH", "PATCH".to_owned());
        check(super::method, "get", "method \"get\" is not an HTTP method in upper case");
    }

    #[test]
    fn a_path_is_one_that_the_host_takes_and_stays_as_written() {
        accepts(super::path, "/", "/".to_owned());
        accepts(super::path, "/a/:id/*", "/a/:id/*".to_owned());
        check(super::path, "", "is empty");
        check(super::path, "a", "doesn't begin with `/`");
        check(super::path, "/a?b=c", "holds a query");
        check(
            super::path,
            "/a//b",
            "path \"/a//b\" holds an empty segment, which proxies leave out: expected",
        );
        check(super::path, "/a/{id", "is malformed");
        check(super::path, "/rpc/a", "is reserved for the host");
    }

    #[test]
    fn a_timeout_is_a_duration_of_an_hour_at_most() {
        accepts(super::timeout_text, "30s", 30_000);
        accepts(super::timeout_text, "3600s", 3_600_000);
        check(super::timeout_text, "5m", "has no known unit");
        check(super::timeout_text, "1.5s", "is not a whole number of its unit");
        for text in ["0s", "0ms", "3601s", "18446744073709551615ms"] {
            check(super::timeout_text, text, "milliseconds, it must be 1 to 3600000, an hour");
        }
        assert_eq!(super::timeout_number(&LitInt::new("30", Span::call_site())).unwrap(), 30_000);
        for wrong in ["0", "5u8", "3601", "99999999999999999999"] {
            assert!(super::timeout_number(&LitInt::new(wrong, Span::call_site())).is_err(), "{wrong}");
        }
    }
}
