//! Requests of unit tests.

use super::{FezzRequest, Parts, split, view};
use crate::{FunctionContext, Headers};
use http::Method;
use std::collections::{BTreeMap, HashMap};

/// What a test adds to its request.
impl<T> FezzRequest<T> {
    /// Sets a header, replacing all of that name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.parts.headers.set(name, value.as_ref());
        self.headers = view(&self.parts.headers);
        self
    }

    /// Adds a header, beside any of that name.
    #[must_use]
    pub fn with_added_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.parts.headers.add(name, value.as_ref());
        self.headers = view(&self.parts.headers);
        self
    }

    /// Sets a parameter of the route's path.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.parts.params.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        self.body = (!body.is_empty()).then(|| body.into());
        self
    }

    /// Sets host and port.
    #[must_use]
    pub fn with_authority(mut self, authority: &str) -> Self {
        self.parts.authority = Some(authority.to_owned());
        self
    }

    /// Sets the scheme.
    #[must_use]
    pub fn with_scheme(mut self, scheme: &str) -> Self {
        self.parts.scheme = Some(scheme.to_owned());
        self
    }

    /// Sets the context that [`context`](Self::context) returns.
    #[must_use]
    pub fn with_context(mut self, context: FunctionContext) -> Self {
        self.parts.context = context;
        self
    }
}

impl FezzRequest {
    /// A request with neither headers nor body, for a test. `uri` is the path with its query.
    ///
    /// # Panics
    ///
    /// The method has a character that HTTP doesn't allow.
    pub fn new(method: impl AsRef<str>, uri: &str) -> Self {
        let (path, query) = split(uri);
        Self {
            method: Method::from_bytes(method.as_ref().as_bytes()).expect("the method is a token"),
            url: path.to_owned(),
            path: path.to_owned(),
            headers: HashMap::new(),
            body: None,
            data: (),
            parts: Parts {
                query: query.map(str::to_owned),
                authority: None,
                scheme: None,
                headers: Headers::default(),
                params: BTreeMap::new(),
                context: FunctionContext::new(),
            },
        }
    }

    /// The same request with data: for a test of a function that takes `FezzRequest<T>`.
    #[must_use]
    pub fn with_data<T>(self, data: T) -> FezzRequest<T> {
        let Self { method, url, path, headers, body, data: (), parts } = self;
        FezzRequest { method, url, path, headers, body, data, parts }
    }
}
