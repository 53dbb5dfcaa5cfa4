//! The request itself, and its body as it came.

use crate::{FezzRequest, FromRequest, Rejection};
use bytes::Bytes;
use std::convert::Infallible;

#[cfg(feature = "json")]
impl<T: crate::RequestData> FromRequest for FezzRequest<T> {
    type Rejection = Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
        Self::from_owned(request.clone())
    }

    fn from_owned(request: FezzRequest) -> Result<Self, Rejection> {
        let data = crate::data::of_request(&request)?;
        Ok(request.with_data(data))
    }
}

#[cfg(not(feature = "json"))]
impl FromRequest for FezzRequest {
    type Rejection = Infallible;

    fn from_request(request: &FezzRequest) -> Result<Self, Infallible> {
        Ok(request.clone())
    }

    fn from_owned(request: FezzRequest) -> Result<Self, Infallible> {
        Ok(request)
    }
}

/// The body; empty where there is none.
impl FromRequest for Bytes {
    type Rejection = Infallible;

    fn from_request(request: &FezzRequest) -> Result<Self, Infallible> {
        Ok(request.body.clone().unwrap_or_default())
    }

    fn is_present(request: &FezzRequest) -> bool {
        request.body.is_some()
    }
}

/// The body, which must be UTF-8.
impl FromRequest for String {
    type Rejection = Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
        request.text().map(str::to_owned)
    }

    fn is_present(request: &FezzRequest) -> bool {
        request.body.is_some()
    }
}
