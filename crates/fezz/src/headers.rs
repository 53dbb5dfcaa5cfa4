//! All headers of a request or a response, and the extractor of a request's.

use crate::{FezzRequest, FromRequest};
use std::convert::Infallible;
use std::fmt::{self, Debug, Formatter};
use std::ops::Range;

/// All headers in order: duplicates are kept, and values are bytes. Names are in lower case, as on the wire.
///
/// As a parameter it is the list of the request:
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_function(path = "/languages")]
/// fn languages(headers: Headers) -> String {
///     headers.get("Accept-Language").unwrap_or("any").to_owned()
/// }
/// # let request = FezzRequest::new("GET", "/languages").with_header("accept-language", "de");
/// # assert_eq!(LanguagesFunction::new().call(request).bytes(), b"de");
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    /// All names, one after the other, and so all values: three allocations, however many headers a request has.
    names: String,
    values: Vec<u8>,
    list: Vec<Place>,
}

/// Where one header stands in `names` and `values`.
#[derive(Clone)]
struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

impl Headers {
    pub(crate) fn from_wire(pairs: &[(&str, &[u8])]) -> Self {
        // As much as is needed: a forked process pays for each page that it touches.
        let mut headers = Self {
            names: String::with_capacity(pairs.iter().map(|(name, _)| name.len()).sum()),
            values: Vec::with_capacity(pairs.iter().map(|(_, value)| value.len()).sum()),
            list: Vec::with_capacity(pairs.len()),
        };
        for (name, value) in pairs {
            headers.add(name, value);
        }
        headers
    }

    /// Replaces every header of that name.
    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        let Self { names, list, .. } = self;
        list.retain(|place| !names[place.name.clone()].eq_ignore_ascii_case(name));
        self.add(name, value);
    }

    /// Keeps what has that name already.
    pub(crate) fn add(&mut self, name: &str, value: &[u8]) {
        let (name_at, value_at) = (self.names.len(), self.values.len());
        self.names.push_str(name);
        self.names[name_at..].make_ascii_lowercase();
        self.values.extend_from_slice(value);
        self.list.push(Place { name: name_at..self.names.len(), value: value_at..self.values.len() });
    }

    /// The first of that name, in any case, if it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// The first of that name, in any case, as it came.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// All of that name, in any case, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All names and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &[u8])> + ExactSizeIterator {
        self.list.iter().map(|place| (&self.names[place.name.clone()], &self.values[place.value.clone()]))
    }
}

impl FromRequest for Headers {
    type Rejection = Infallible;

    fn from_request(request: &FezzRequest) -> Result<Self, Infallible> {
        Ok(request.header_list().clone())
    }
}

/// What can stand for the headers in `(headers, body)` and `(status, headers, body)`: an array or `Vec` of names with
/// values, an [`http::HeaderMap`], [`Headers`]. A header replaces all of its name that the body brings along, as
/// `Content-Type`; a name that stands twice here is kept twice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the headers of a response",
    note = "use an array or `Vec` of pairs, `[(\"x-custom\", \"value\")]`, or `http::HeaderMap`"
)]
pub trait IntoHeaders {
    /// The names and values, in order.
    fn into_headers(self) -> Headers;
}

impl IntoHeaders for Headers {
    fn into_headers(self) -> Headers {
        self
    }
}

impl IntoHeaders for http::HeaderMap {
    fn into_headers(self) -> Headers {
        collect(self.iter())
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LEN: usize> IntoHeaders for [(N, V); LEN] {
    fn into_headers(self) -> Headers {
        collect(self)
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> IntoHeaders for Vec<(N, V)> {
    fn into_headers(self) -> Headers {
        collect(self)
    }
}

fn collect<N: AsRef<str>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in pairs {
        headers.add(name.as_ref(), value.as_ref());
    }
    headers
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl Debug for Headers {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let text = |(name, value)| (name, String::from_utf8_lossy(value));
        formatter.debug_list().entries(self.iter().map(text)).finish()
    }
}
