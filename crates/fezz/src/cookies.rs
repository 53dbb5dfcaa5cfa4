//! Cookies of a request, and of a response.

use crate::{FezzRequest, FezzResponse, FromRequest};
use cookie::Cookie;
use std::convert::Infallible;

/// The cookies that the client sent, by name. One that can't be read is left out, as browsers send those of other programs
/// on the same host, too.
///
/// ```
/// use fezz::cookie::SameSite;
/// use fezz::prelude::*;
///
/// #[fezz_function(path = "/visits")]
/// fn visits(cookies: Cookies) -> FezzResponse {
///     let visits: u32 = cookies.get("visits").and_then(|visits| visits.parse().ok()).unwrap_or(0);
///     let next = Cookie::build(("visits", (visits + 1).to_string()))
///         .path("/")
///         .http_only(true)
///         .secure(true)
///         .same_site(SameSite::Lax);
///     FezzResponse::text(format!("visit {visits}")).cookie(next)
/// }
///
/// let request = FezzRequest::new("GET", "/visits").with_header("cookie", "theme=dark; visits=6");
/// let response = VisitsFunction::new().call(request);
/// assert_eq!(response.bytes(), b"visit 6");
/// let set = response.get_header("set-cookie");
/// assert_eq!(set, Some("visits=7; HttpOnly; SameSite=Lax; Secure; Path=/"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cookies(Vec<Cookie<'static>>);

impl Cookies {
    /// The value of the first cookie of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|cookie| cookie.name() == name).map(Cookie::value)
    }

    /// All cookies in order.
    pub fn iter(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.0.iter()
    }
}

impl FromRequest for Cookies {
    type Rejection = Infallible;

    fn from_request(request: &FezzRequest) -> Result<Self, Infallible> {
        // HTTP/2 may send each cookie in a header of its own (RFC 9113, section 8.2.3).
        let lists = request.header_list().get_all("cookie").filter_map(|list| str::from_utf8(list).ok());
        let cookies = lists.flat_map(Cookie::split_parse).flatten().map(Cookie::into_owned);
        Ok(Self(cookies.collect()))
    }

    fn is_present(request: &FezzRequest) -> bool {
        request.header_list().get_bytes("cookie").is_some()
    }
}

impl<B> FezzResponse<B> {
    /// Adds a `Set-Cookie`, beside any other. The cookie's name and value go as they are: encode what isn't a token.
    #[must_use]
    pub fn cookie(self, cookie: impl Into<Cookie<'static>>) -> Self {
        self.added_header("set-cookie", cookie.into().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_several_headers_are_found_and_broken_ones_left_out() {
        let request = FezzRequest::new("GET", "/")
            .with_added_header("cookie", "a=1; broken; b=2")
            .with_added_header("cookie", "c=3")
            .with_added_header("cookie", b"\xff=4");
        let Ok(cookies) = Cookies::from_request(&request);
        let found: Vec<_> = cookies.iter().map(|cookie| (cookie.name(), cookie.value())).collect();
        assert_eq!(found, [("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!((cookies.get("b"), cookies.get("broken")), (Some("2"), None));
    }

    #[test]
    fn each_cookie_has_a_header_of_its_own() {
        let response = FezzResponse::new(204).cookie(("a", "1")).cookie(("b", "2"));
        let set: Vec<_> = response.header_list().get_all("set-cookie").collect();
        assert_eq!(set, [b"a=1", b"b=2"]);
    }
}
