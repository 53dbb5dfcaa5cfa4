//! The request that a function is given.

mod made;
#[cfg(feature = "server")]
mod native;

use crate::{FunctionContext, Headers, Rejection};
use bytes::Bytes;
use fezz_wire::FezzWireRequest;
use http::Method;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// One HTTP request, owned, with the data of type `T` that its query or body holds.
///
/// The host makes it; a unit test makes its own:
///
/// ```
/// use fezz::prelude::*;
///
/// let request = FezzRequest::new("POST", "/api/todos/7?verbose=1")
///     .with_param("id", "7")
///     .with_header("Content-Type", "text/plain")
///     .with_body("buy milk");
/// assert_eq!(request.method, Method::POST);
/// assert_eq!(request.path, "/api/todos/7");
/// assert_eq!(request.param("id"), Some("7"));
/// assert_eq!(request.query_param("verbose").as_deref(), Some("1"));
/// assert_eq!(request.get_header("CONTENT-TYPE").unwrap(), "text/plain");
/// assert_eq!(request.body.as_deref(), Some(&b"buy milk"[..]));
/// ```
///
/// # Data
///
/// With a type for `T`, the request is read before the function is called: the query of a `GET`, `HEAD` or `DELETE`,
/// else the body, JSON or a form as its `Content-Type` says. If that fails, the client gets 400, 415 or 422 as a problem
/// (RFC 9457) that names the field, and the function isn't called.
///
/// ```
/// # #[cfg(feature = "json")]
/// # mod example {
/// use fezz::prelude::*;
///
/// #[fezz_request]
/// struct ListTodosQuery {
///     limit: usize,
/// }
///
/// #[fezz_function(method = "GET", path = "/api/todos")]
/// fn fetch(req: FezzRequest<ListTodosQuery>) -> String {
///     format!("{} todos", req.data().limit)
/// }
///
/// # pub fn run() {
/// let call = |url| FetchFunction::new().call(FezzRequest::new("GET", url));
/// assert_eq!(call("/api/todos?limit=3").bytes(), b"3 todos");
/// assert_eq!(call("/api/todos?limit=three").status(), 400);
///
/// // A unit test of the function alone gives it the data.
/// let request = FezzRequest::new("GET", "/api/todos").with_data(ListTodosQuery { limit: 3 });
/// assert_eq!(fetch(request), "3 todos");
/// # }
/// # }
/// # #[cfg(feature = "json")]
/// # example::run();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FezzRequest<T = ()> {
    /// The method.
    pub method: Method,
    /// The path that was asked for, percent-encoded: a URL without scheme, host and query. [`uri`](Self::uri) has the
    /// query, too. A function that is called by its name sees the path below `/rpc/<name>`.
    pub url: String,
    /// The same path.
    pub path: String,
    /// The headers for simple use: of each name, in lower case, the first value, where it is UTF-8.
    /// [`header_list`](Self::header_list) has all of them; a change here doesn't change that.
    pub headers: HashMap<String, String>,
    /// The body, without its transfer coding; `None` where it is empty.
    pub body: Option<Bytes>,
    /// What was read from the query or the body; `()` where the function asks for nothing.
    pub data: T,
    parts: Parts,
}

/// What has a method each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    query: Option<String>,
    authority: Option<String>,
    scheme: Option<String>,
    headers: Headers,
    params: BTreeMap<String, String>,
    context: FunctionContext,
}

impl FezzRequest {
    pub(crate) fn from_wire(wire: &FezzWireRequest<'_>) -> Result<Self, http::method::InvalidMethod> {
        let owned = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
        let headers = Headers::from_wire(&wire.headers);
        let (path, query) = split(wire.uri);
        Ok(Self {
            method: Method::from_bytes(wire.method.as_bytes())?,
            url: path.to_owned(),
            path: path.to_owned(),
            headers: view(&headers),
            body: (!wire.body.is_empty()).then(|| Bytes::copy_from_slice(wire.body)),
            data: (),
            parts: Parts {
                query: query.map(str::to_owned),
                authority: wire.authority.map(str::to_owned),
                scheme: wire.scheme.map(str::to_owned),
                headers,
                params: wire.params.iter().map(owned).collect(),
                context: FunctionContext::from_wire(&wire.meta),
            },
        })
    }

    /// Those of the route that a router has found.
    pub(crate) fn set_params(&mut self, params: BTreeMap<String, String>) {
        self.parts.params = params;
    }
}

impl<T> FezzRequest<T> {
    /// What was read from the query or the body.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// What was read from the query or the body, owned.
    pub fn into_data(self) -> T {
        self.data
    }

    /// Path and query, percent-encoded.
    pub fn uri(&self) -> Cow<'_, str> {
        match &self.parts.query {
            Some(query) => format!("{}?{query}", self.path).into(),
            None => self.path.as_str().into(),
        }
    }

    /// Path and query as the client sent them, where they differ from [`uri`](Self::uri): with `/rpc/<name>`, where the
    /// function was called by its name.
    pub fn original_uri(&self) -> Option<&str> {
        self.parts.context.original_uri()
    }

    /// The URI after its `?`, still percent-encoded; `None` without a `?`.
    pub fn query(&self) -> Option<&str> {
        self.parts.query.as_deref()
    }

    /// The first value of that name in the query, decoded as a browser encodes a form: `%20` and `+` are spaces, and
    /// what isn't UTF-8 becomes U+FFFD.
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_params().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// All names and values of the query, decoded likewise, in order.
    pub fn query_params(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
    }

    /// Host and port that the client asked for: `Host`, or `:authority` in HTTP/2.
    pub fn authority(&self) -> Option<&str> {
        self.parts.authority.as_deref()
    }

    /// `http`, or what the proxy in front of the host forwarded.
    pub fn scheme(&self) -> Option<&str> {
        self.parts.scheme.as_deref()
    }

    /// The header of that name, in any case, of the view [`headers`](Self::headers).
    pub fn get_header(&self, name: &str) -> Option<&String> {
        // Names are nearly always written in lower case, or as `Content-Type`.
        self.headers.get(name).or_else(|| self.headers.get(&name.to_ascii_lowercase()))
    }

    /// The first header of that name, in any case, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)
    }

    /// All headers in order, with duplicates, values as bytes.
    pub fn header_list(&self) -> &Headers {
        &self.parts.headers
    }

    /// A parameter of the route's path, percent-decoded: `id` of `/api/todos/{id}`. Below `/rpc/<name>` it is that of the
    /// function's own route, where one has such a path.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.parts.params.get(name).map(String::as_str)
    }

    /// All parameters of the route's path, by name.
    pub fn params(&self) -> &BTreeMap<String, String> {
        &self.parts.params
    }

    /// What the host says about the request: its id, deadline and client. The deadline is counted from the first time that
    /// it is asked for: a function that works for long before takes `ctx: &FunctionContext`, whose deadline is counted from
    /// the start.
    pub fn context(&self) -> &FunctionContext {
        &self.parts.context
    }

    /// The body; empty where there is none.
    pub fn bytes(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// The body, without a copy.
    pub fn into_body(self) -> Bytes {
        self.body.unwrap_or_default()
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// The body isn't UTF-8. Passed on with `?`, the error answers 400.
    pub fn text(&self) -> Result<&str, Rejection> {
        str::from_utf8(self.bytes()).map_err(|error| Rejection::malformed("body is not UTF-8", &error))
    }

    /// The body, read as JSON whatever its content type says.
    ///
    /// # Errors
    ///
    /// The body isn't JSON (400), or not of this type (422, with the field's name). Passed on with `?`, the error gives
    /// that answer.
    #[cfg(feature = "json")]
    pub fn json<U: serde::de::DeserializeOwned>(&self) -> Result<U, Rejection> {
        crate::data::from_json(self.bytes())
    }
}

fn split(uri: &str) -> (&str, Option<&str>) {
    uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)))
}

/// The first value of each name. What comes first decides even where it isn't UTF-8 and so left out, as in
/// [`Headers::get`].
fn view(headers: &Headers) -> HashMap<String, String> {
    let mut view = HashMap::with_capacity(headers.iter().len());
    // From the last to the first, so that the first is what stays.
    for (name, value) in headers.iter().rev() {
        match str::from_utf8(value) {
            Ok(value) => view.insert(name.to_owned(), value.to_owned()),
            Err(_) => view.remove(name),
        };
    }
    view
}

#[cfg(test)]
mod tests {
    use super::FezzRequest;

    #[test]
    fn a_query_is_decoded_as_a_form_is() {
        let request = FezzRequest::new("GET", "/x?a=1+%2B%20b&a=2&empty&%C3%A9=%zz&bad=%ff");
        let param = |name| request.query_param(name).map(|value| value.into_owned());
        assert_eq!(param("a").as_deref(), Some("1 + b"));
        assert_eq!(param("empty").as_deref(), Some(""));
        assert_eq!(param("é").as_deref(), Some("%zz"));
        assert_eq!(param("bad").as_deref(), Some("\u{fffd}"));
        assert_eq!(param("b"), None);
        assert_eq!(request.query_params().filter(|(name, _)| name == "a").count(), 2);
    }

    #[test]
    fn path_and_query_are_apart_and_together() {
        for (uri, path, query) in [("/x", "/x", None), ("/x?", "/x", Some("")), ("/x?a?b", "/x", Some("a?b"))]
        {
            let request = FezzRequest::new("GET", uri);
            assert_eq!((request.path.as_str(), request.url.as_str(), request.query()), (path, path, query));
            assert_eq!(request.uri(), uri);
        }
    }

    #[test]
    fn headers_are_found_in_any_case_and_keep_their_order() {
        let request = FezzRequest::new("GET", "/")
            .with_added_header("X-A", "1")
            .with_added_header("x-b", b"\xff")
            .with_added_header("x-b", "second")
            .with_added_header("x-a", "2");
        assert_eq!(
            (request.header("x-A"), request.get_header("X-a").map(String::as_str)),
            (Some("1"), Some("1"))
        );
        assert_eq!(request.headers.get("x-a").map(String::as_str), Some("1"));
        assert_eq!(
            (request.header("X-B"), request.header_list().get_bytes("X-B")),
            (None, Some(&b"\xff"[..]))
        );
        assert_eq!(request.get_header("x-b"), None, "the first isn't UTF-8, as for `header`");
        let names: Vec<&str> = request.header_list().iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-a", "x-b", "x-b", "x-a"]);
        assert_eq!(request.with_header("x-a", "3").header_list().iter().count(), 3);
    }

    #[test]
    fn a_body_that_is_not_text_is_an_error() {
        assert_eq!(FezzRequest::new("POST", "/").with_body("é").text().unwrap(), "é");
        assert!(FezzRequest::new("POST", "/").with_body(b"\xff").text().is_err());
        assert_eq!(FezzRequest::new("POST", "/").with_body("").body, None);
    }
}
