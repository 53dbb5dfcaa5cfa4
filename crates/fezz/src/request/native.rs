//! Requests of a host in this process, without a message in between.

use super::{FezzRequest, Parts, view};
use crate::{FunctionContext, Headers};
use bytes::Bytes;
use hhrf::execute::message::{authority, scheme};
use http::request::Parts as Head;
use std::collections::BTreeMap;

impl FezzRequest {
    /// `headers` are those that the function may see.
    pub(crate) fn from_native(
        head: Head,
        headers: Headers,
        params: BTreeMap<String, String>,
        body: Bytes,
        context: FunctionContext,
    ) -> Self {
        let path = head.uri.path().to_owned();
        Self {
            url: path.clone(),
            path,
            headers: view(&headers),
            body: (!body.is_empty()).then_some(body),
            data: (),
            parts: Parts {
                query: head.uri.query().map(str::to_owned),
                authority: authority(&head),
                scheme: Some(scheme(&head.headers).to_owned()),
                headers,
                params,
                context,
            },
            method: head.method,
        }
    }
}
