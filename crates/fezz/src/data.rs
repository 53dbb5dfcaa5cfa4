//! Reads an author's types from queries, forms and JSON, and tells which field is wrong.

use crate::{FezzRequest, Rejection};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, value};
use std::any::TypeId;
use std::fmt::Display;

/// A type that `FezzRequest<T>` and the extractors read: each that implements serde's `Deserialize` without borrowing.
/// `#[fezz_request]` on a type derives that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a request",
    label = "doesn't implement `Deserialize`",
    note = "put `#[fezz_request]` on the type, or derive `serde::Deserialize`; it must own its fields: `String`, not `&str`"
)]
pub trait RequestData: DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> RequestData for T {}

/// A type that is written as JSON: each that implements serde's `Serialize`. `#[fezz_response]` on a type derives that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be written as JSON",
    label = "doesn't implement `Serialize`",
    note = "put `#[fezz_response]` on the type, or derive `serde::Serialize`"
)]
pub trait ResponseData: serde::Serialize {}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + ?Sized> ResponseData for T {}

/// Media types (RFC 9110, section 8.3), without their parameters.
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The data of a typed request: of its query where the method gives the body no meaning (RFC 9110, section 9.3), else of
/// its body.
pub(crate) fn of_request<T: RequestData>(request: &FezzRequest) -> Result<T, Rejection> {
    if TypeId::of::<T>() == TypeId::of::<()>() {
        // Nothing is asked for, and so nothing can be wrong.
        let unit: value::UnitDeserializer<value::Error> = ().into_deserializer();
        return T::deserialize(unit).map_err(|error| Rejection::malformed("request", &error));
    }
    match request.method.as_str() {
        "GET" | "HEAD" | "DELETE" => from_query(request.query().unwrap_or_default()),
        _ if is_json(request) => from_json(request.bytes()),
        _ if is_form(request) => from_form(request.bytes()),
        _ => Err(wrong_type(request, &format!("`{JSON}` or `{FORM}`"))),
    }
}

/// `application/json`, or a type whose name ends in `+json` (RFC 6839, section 3.1).
pub(crate) fn is_json(request: &FezzRequest) -> bool {
    media_type(request).is_some_and(|found| {
        found.eq_ignore_ascii_case(JSON) || found.to_ascii_lowercase().ends_with("+json")
    })
}

pub(crate) fn is_form(request: &FezzRequest) -> bool {
    media_type(request).is_some_and(|found| found.eq_ignore_ascii_case(FORM))
}

fn media_type(request: &FezzRequest) -> Option<&str> {
    let value = request.header("content-type")?;
    Some(value.split_once(';').map_or(value, |(found, _)| found).trim())
}

/// 415, which says what was sent and what is expected.
pub(crate) fn wrong_type(request: &FezzRequest, expected: &str) -> Rejection {
    let detail = match request.header("content-type") {
        // What curl sends with -d alone.
        Some(found) if is_form(request) => {
            format!("body is of type `{found}`: expected {expected}, as `curl --json` sends it")
        }
        Some(found) => format!("body is of type `{found}`: expected {expected}"),
        None => format!("request has no `Content-Type`: expected {expected}"),
    };
    Rejection::new(415, detail)
}

pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        if error.inner().is_data() {
            return wrong_field(422, "body", &error);
        }
        Rejection::malformed("body is not JSON", error.inner())
    })?;
    json.end().map_err(|error| Rejection::malformed("body is not JSON", &error))?;
    Ok(value)
}

pub(crate) fn from_form<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    let form = serde_html_form::Deserializer::from_bytes(body);
    fields(form).map_err(|error| wrong_field(422, "form", &error))
}

pub(crate) fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Rejection> {
    let query = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    fields(query).map_err(|error| wrong_field(400, "query", &error))
}

pub(crate) fn fields<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<T, serde_path_to_error::Error<D::Error>> {
    serde_path_to_error::deserialize(from)
}

/// Names the field: by its path, or from the message where serde found it missing or too much.
pub(crate) fn wrong_field<E: Display>(
    status: u16,
    what: &str,
    error: &serde_path_to_error::Error<E>,
) -> Rejection {
    let message = error.inner().to_string();
    let mut path = error.path().to_string();
    if path == "." {
        path.clear();
    }
    // The messages of serde's `missing_field` and `unknown_field`: the path ends before the field.
    let named = ["missing field `", "unknown field `"].iter().find_map(|start| message.strip_prefix(start));
    if let Some(name) = named.and_then(|rest| rest.split('`').next())
        && path.rsplit('.').next() != Some(name)
    {
        let dot = if path.is_empty() { "" } else { "." };
        path = format!("{path}{dot}{name}");
    }
    if path.is_empty() {
        return Rejection::new(status, format!("{what}: {message}"));
    }
    named_field(status, what, &path, &message)
}

pub(crate) fn named_field(status: u16, what: &str, field: &str, message: &str) -> Rejection {
    Rejection::new(status, format!("{what}, field `{field}`: {message}")).with_field(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        price: u32,
    }

    fn check(body: &str, status: u16, field: Option<&str>) {
        let rejection = from_json::<Order>(body.as_bytes()).expect_err("the body is wrong");
        assert_eq!((rejection.status(), rejection.field()), (status, field), "{body}: {rejection}");
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path() {
        check(r#"{"items": [{"price": 1}, {"price": "x"}]}"#, 422, Some("items[1].price"));
        check(r#"{"items": [{}]}"#, 422, Some("items[0].price"));
        check("{}", 422, Some("items"));
        check(r#"{"itmes": []}"#, 422, Some("itmes"));
        check("[7]", 422, Some("[0]"));
        check("7", 422, None);
        check(r#"{"items": ["#, 400, None);
        check(r#"{"items": []} x"#, 400, None);
        check("", 400, None);
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct List {
        limit: Option<u32>,
        #[serde(default)]
        tag: Vec<String>,
    }

    #[test]
    fn a_query_has_numbers_lists_and_fields_that_are_left_out() {
        let list = from_query::<List>("limit=3&tag=a&tag=b+c&other=1").unwrap();
        assert_eq!(list, List { limit: Some(3), tag: vec!["a".to_owned(), "b c".to_owned()] });
        assert_eq!(from_query::<List>("").unwrap(), List { limit: None, tag: Vec::new() });
        let wrong = from_query::<List>("limit=three").unwrap_err();
        assert_eq!((wrong.status(), wrong.field()), (400, Some("limit")));
        assert_eq!(wrong.detail(), "query, field `limit`: invalid digit found in string");
    }
}
