//! The request that a function is given.

use crate::BodyError;
use crate::headers::Headers;
use fezz_wire::FezzWireRequest;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One HTTP request, owned.
///
/// The host makes it; a unit test makes its own:
///
/// ```
/// use fezz::Request;
///
/// let request = Request::new("POST", "/api/todos/7?verbose=1")
///     .with_param("id", "7")
///     .with_header("Content-Type", "text/plain")
///     .with_body("buy milk");
/// assert_eq!(request.path(), "/api/todos/7");
/// assert_eq!(request.param("id"), Some("7"));
/// assert_eq!(request.query_param("verbose").as_deref(), Some("1"));
/// assert_eq!(request.header("content-type"), Some("text/plain"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: String,
    uri: String,
    authority: Option<String>,
    scheme: Option<String>,
    headers: Headers,
    params: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    /// A request with neither headers nor body, for a test. `uri` is the path with its query.
    pub fn new(method: &str, uri: &str) -> Self {
        Self {
            method: method.to_owned(),
            uri: uri.to_owned(),
            authority: None,
            scheme: None,
            headers: Headers::default(),
            params: BTreeMap::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn from_wire(wire: &FezzWireRequest<'_>) -> Self {
        let owned = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            method: wire.method.to_owned(),
            uri: wire.uri.to_owned(),
            authority: wire.authority.map(str::to_owned),
            scheme: wire.scheme.map(str::to_owned),
            headers: Headers::from_wire(&wire.headers),
            params: wire.params.iter().map(owned).collect(),
            body: wire.body.to_vec(),
        }
    }

    /// The method, in the client's spelling: `GET`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Path and query, exactly as received.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The URI up to its `?`, still percent-encoded.
    pub fn path(&self) -> &str {
        self.uri.split_once('?').map_or(&self.uri, |(path, _)| path)
    }

    /// The URI after its `?`, still percent-encoded; `None` without a `?`.
    pub fn query(&self) -> Option<&str> {
        self.uri.split_once('?').map(|(_, query)| query)
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
        self.authority.as_deref()
    }

    /// `http`, or what the proxy in front of the host forwarded.
    pub fn scheme(&self) -> Option<&str> {
        self.scheme.as_deref()
    }

    /// The first header of that name, in whatever case, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.text(name)
    }

    /// The first header of that name, in whatever case, as it came.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers.bytes(name)
    }

    /// All headers in order, duplicates included, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter()
    }

    /// A parameter of the route's path, percent-decoded: `id` of `/api/todos/{id}`. Set where the request came by a
    /// route, not by `/rpc`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// The body; empty where there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, without a copy.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// The body isn't UTF-8. Passed on with `?`, the error answers 400.
    pub fn text(&self) -> Result<&str, BodyError> {
        str::from_utf8(&self.body).map_err(BodyError::NotUtf8)
    }

    /// The body, read as JSON whatever its content type says.
    ///
    /// # Errors
    ///
    /// The body isn't JSON, or not of this type. Passed on with `?`, the error answers 400.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, BodyError> {
        serde_json::from_slice(&self.body).map_err(BodyError::NotJson)
    }
}

/// What a test adds to its request.
impl Request {
    /// Sets a header, replacing all of that name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.set(name, value.into());
        self
    }

    /// Adds a header, beside any of that name.
    #[must_use]
    pub fn with_added_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.add(name, value.into());
        self
    }

    /// Sets a parameter of the route's path.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.params.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets host and port.
    #[must_use]
    pub fn with_authority(mut self, authority: &str) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// Sets the scheme.
    #[must_use]
    pub fn with_scheme(mut self, scheme: &str) -> Self {
        self.scheme = Some(scheme.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn a_query_is_decoded_as_a_form_is() {
        let request = Request::new("GET", "/x?a=1+%2B%20b&a=2&empty&%C3%A9=%zz&bad=%ff");
        let param = |name| request.query_param(name).map(|value| value.into_owned());
        assert_eq!(param("a").as_deref(), Some("1 + b"));
        assert_eq!(param("empty").as_deref(), Some(""));
        assert_eq!(param("é").as_deref(), Some("%zz"));
        assert_eq!(param("bad").as_deref(), Some("\u{fffd}"));
        assert_eq!(param("b"), None);
        assert_eq!(request.query_params().filter(|(name, _)| name == "a").count(), 2);
    }

    #[test]
    fn a_uri_without_a_question_mark_has_no_query() {
        let request = Request::new("GET", "/x");
        assert_eq!((request.path(), request.query()), ("/x", None));
        let request = Request::new("GET", "/x?");
        assert_eq!((request.path(), request.query()), ("/x", Some("")));
        let request = Request::new("GET", "/x?a?b");
        assert_eq!((request.path(), request.query()), ("/x", Some("a?b")));
    }

    #[test]
    fn headers_are_found_in_any_case_and_keep_their_order() {
        let request = Request::new("GET", "/")
            .with_added_header("X-A", "1")
            .with_added_header("x-b", b"\xff")
            .with_added_header("x-a", "2");
        assert_eq!(request.header("x-A"), Some("1"));
        assert_eq!(request.header("X-B"), None, "not UTF-8");
        assert_eq!(request.header_bytes("X-B"), Some(&b"\xff"[..]));
        let names: Vec<&str> = request.headers().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-a", "x-b", "x-a"]);
        assert_eq!(request.with_header("x-a", "3").headers().count(), 2);
    }

    #[test]
    fn a_body_that_is_not_text_is_an_error() {
        assert_eq!(Request::new("POST", "/").with_body("é").text().unwrap(), "é");
        assert!(Request::new("POST", "/").with_body(b"\xff").text().is_err());
    }
}
