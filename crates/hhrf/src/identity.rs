//! A request's id and trace: in its response, in its log lines, and for the function.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The request's id: the client's, or a new one.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The request's trace context: <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// No system makes longer ids; a longer one may be an attempt to fill the log.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A request's id and trace.
#[derive(Debug, Clone)]
pub struct Identity {
    /// 1 to 128 visible ASCII characters.
    pub request_id: String,
    /// Version 00 of W3C Trace Context, in lower case.
    pub traceparent: String,
}

impl Identity {
    /// Takes the request's own headers where they are well-formed, and makes new ones otherwise.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let request_id = text(&REQUEST_ID).filter(|id| is_request_id(id));
        let traceparent = text(&TRACEPARENT).filter(|parent| is_traceparent(parent));
        Self {
            request_id: request_id.map_or_else(make_request_id, str::to_owned),
            traceparent: traceparent.map_or_else(make_traceparent, str::to_owned),
        }
    }

    /// Sets both headers, in a request to a function or a response to the client.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        for (name, text) in [(&REQUEST_ID, &self.request_id), (&TRACEPARENT, &self.traceparent)] {
            let value = HeaderValue::from_str(text).expect("both are visible ASCII");
            headers.insert(name, value);
        }
    }
}

fn is_request_id(text: &str) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `00-<32 digits>-<16 digits>-<2 digits>`, lower-case hexadecimal, neither id all zeroes.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { return false };
    let is_hex = |part: &str, digits| {
        part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part, digits| is_hex(part, digits) && part.bytes().any(|byte| byte != b'0');
    version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2)
}

/// A random UUID (RFC 9562, version 4), the form that Envoy makes.
fn make_request_id() -> String {
    const VERSION_AND_VARIANT: u128 = (0xf << 76) | (0x3 << 62);
    let bits = (rand::random::<u128>() & !VERSION_AND_VARIANT) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn make_traceparent() -> String {
    // Zero is no valid id. Flags 00: the tracing system decides whether to sample.
    format!("00-{:032x}-{:016x}-00", rand::random::<u128>().max(1), rand::random::<u64>().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_well_formed_and_what_is_malformed_is_replaced() {
        let made = Identity::of(&HeaderMap::new());
        assert!(is_traceparent(&made.traceparent), "{made:?}");
        assert!(made.request_id.len() == 36 && &made.request_id[14..15] == "4", "{made:?}");

        let mut headers = HeaderMap::new();
        made.write(&mut headers);
        assert_eq!(Identity::of(&headers).request_id, made.request_id);
        assert_eq!(Identity::of(&headers).traceparent, made.traceparent);

        for (name, bad) in
            [(&REQUEST_ID, "two words"), (&TRACEPARENT, "00-0-0-00"), (&TRACEPARENT, "ff-1-1-1")]
        {
            headers.insert(name, HeaderValue::from_static(bad));
            let taken = Identity::of(&headers);
            assert!(![taken.request_id, taken.traceparent].contains(&bad.to_owned()), "{bad}");
        }
    }
}
