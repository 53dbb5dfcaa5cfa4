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
    let mut parts = text.split('-');
    let mut next = || parts.next();
    let (Some(version), Some(trace), Some(parent), Some(flags), None) =
        (next(), next(), next(), next(), next())
    else {
        return false;
    };
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
    let bytes = bits.to_be_bytes();
    let mut id = String::with_capacity(36);
    push_hex(&mut id, &bytes[..4]);
    for part in [&bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]] {
        id.push('-');
        push_hex(&mut id, part);
    }
    id
}

fn make_traceparent() -> String {
    let mut parent = String::with_capacity(55);
    parent.push_str("00-");
    // Zero is no valid id.
    push_hex(&mut parent, &rand::random::<u128>().max(1).to_be_bytes());
    parent.push('-');
    push_hex(&mut parent, &rand::random::<u64>().max(1).to_be_bytes());
    // Flags 00: the tracing system decides whether to sample.
    parent.push_str("-00");
    parent
}

/// Appends two lower-case digits for each byte. Every request makes about 40 of them, for which `format!` took five
/// times as long.
fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_uuid_4(text: &str) -> bool {
        let parts: Vec<&str> = text.split('-').collect();
        let is_hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts.iter().all(is_hex)
            && parts[2].starts_with('4')
            && parts[3].starts_with(['8', '9', 'a', 'b'])
    }

    #[test]
    fn hexadecimal_digits_are_in_order_and_none_is_left_out() {
        let mut text = "x".to_owned();
        push_hex(&mut text, &[0x00, 0x0f, 0x5a, 0xff]);
        assert_eq!(text, "x000f5aff");
    }

    #[test]
    fn what_is_made_is_well_formed_and_what_is_malformed_is_replaced() {
        let made = Identity::of(&HeaderMap::new());
        assert!(is_traceparent(&made.traceparent), "{made:?}");
        assert!(is_uuid_4(&made.request_id), "{made:?}");

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
