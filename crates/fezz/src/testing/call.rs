//! One request of a test.

use super::answer::Answer;
use fezz_manifest::RoutePattern;
use fezz_sandbox::Request;
use fezz_sandbox::routes::{self, Found, Params};
use http::Method;
use serde::Serialize;

/// What a test sends requests to: [`InProcess`](super::InProcess) and [`Sandboxed`](super::Sandboxed).
#[derive(Debug)]
pub struct Client<S> {
    pub(super) server: S,
}

/// What answers them.
pub trait Serve {
    /// The function's routes.
    fn routes(&self) -> &[RoutePattern];

    /// Answers a request that a route leads to.
    fn serve(&self, request: &Request, params: &Params) -> Answer;
}

/// A request that isn't sent yet.
#[must_use = "a call is made by `send`"]
pub struct Call<'a> {
    server: &'a dyn Serve,
    request: Request,
}

impl<S: Serve> Client<S> {
    /// A `GET` of that path and query.
    pub fn get(&self, uri: &str) -> Call<'_> {
        self.request(Method::GET, uri)
    }

    /// A `POST` to that path and query.
    pub fn post(&self, uri: &str) -> Call<'_> {
        self.request(Method::POST, uri)
    }

    /// A `PUT` to that path and query.
    pub fn put(&self, uri: &str) -> Call<'_> {
        self.request(Method::PUT, uri)
    }

    /// A `PATCH` of that path and query.
    pub fn patch(&self, uri: &str) -> Call<'_> {
        self.request(Method::PATCH, uri)
    }

    /// A `DELETE` of that path and query.
    pub fn delete(&self, uri: &str) -> Call<'_> {
        self.request(Method::DELETE, uri)
    }

    /// A request of any method. The path and query are percent-encoded, as in a URL.
    ///
    /// # Panics
    ///
    /// The path doesn't begin with `/`.
    #[track_caller]
    pub fn request(&self, method: Method, uri: &str) -> Call<'_> {
        assert!(uri.starts_with('/'), "`{uri}` doesn't begin with `/`: write the path and query of a URL");
        let request = Request {
            method: method.as_str().to_owned(),
            uri: uri.to_owned(),
            request_id: "test".to_owned(),
            ..Request::default()
        };
        Call { server: &self.server, request }
    }
}

impl Call<'_> {
    /// Adds a header, beside any of that name.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request.headers.push((name.to_ascii_lowercase(), value.as_ref().to_owned()));
        self
    }

    /// Sets the query, percent-encoded.
    ///
    /// # Panics
    ///
    /// The value has fields that a query can't have: a struct or a map within it.
    #[track_caller]
    pub fn query(mut self, value: &impl Serialize) -> Self {
        let query = serde_html_form::to_string(value).expect("the value is a flat struct or map");
        self.request.uri = format!("{}?{query}", self.request.path());
        self
    }

    /// Sets the body, of no particular type.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets the body to JSON, with its `Content-Type`.
    ///
    /// # Panics
    ///
    /// The value can't be JSON: a map whose keys aren't text.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the keys of each map are text");
        self.header("content-type", "application/json").body(body)
    }

    /// Sets the body to a form, with its `Content-Type`.
    ///
    /// # Panics
    ///
    /// The value has fields that a form can't have: a struct or a map within it.
    #[track_caller]
    pub fn form(self, value: &impl Serialize) -> Self {
        let body = serde_html_form::to_string(value).expect("the value is a flat struct or map");
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sends it, and waits for the answer.
    pub fn send(mut self) -> Answer {
        if !self.request.body.is_empty() {
            let length = self.request.body.len().to_string();
            self = self.header("content-length", length);
        }
        let Self { server, request } = self;
        let answer = match routes::of_request(server.routes(), &request) {
            Ok(Found::Route(params)) => server.serve(&request, &params),
            Ok(Found::OtherMethods(allowed)) => Answer::method_not_allowed(&allowed),
            Ok(Found::Nothing) => Answer::refused(404, "not_found", "no route of the function leads here"),
            Err(not_text) => Answer::refused(400, "bad_request", &not_text.to_string()),
        };
        if request.method == "HEAD" { answer.without_body() } else { answer }
    }
}
