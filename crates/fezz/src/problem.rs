//! Errors for the client in the form of RFC 9457, as the host's own are.

use crate::FezzResponse;
use http::StatusCode;

/// The media type of such a body (RFC 9457, section 6.1).
const PROBLEM_JSON: &str = "application/problem+json";

/// A response whose body says what is wrong, and with which field of the client's data if it is one.
///
/// Written by hand: it is all the JSON that a module without the feature `json` needs.
pub(crate) fn response(status: u16, detail: &str, field: Option<&str>) -> FezzResponse {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut body = String::from(r#"{"type":"about:blank","title":"#);
    push_string(&mut body, title.unwrap_or("Error"));
    body += &format!(r#","status":{status},"detail":"#);
    push_string(&mut body, detail);
    if let Some(field) = field {
        body += r#","field":"#;
        push_string(&mut body, field);
    }
    body.push('}');
    FezzResponse::new(status).header("content-type", PROBLEM_JSON).body(body)
}

/// A JSON string: quotes, backslashes and control characters are escaped (RFC 8259, section 7).
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            '\0'..='\u{1f}' => *json += &format!("\\u{:04x}", u32::from(char)),
            char => json.push(char),
        }
    }
    json.push('"');
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn a_problem_is_json_whatever_the_text() {
        let problem = super::response(422, "a \"b\" \\ \u{7} \n zoë 🦀", Some("a[0].b"));
        assert_eq!(problem.get_header("content-type"), Some("application/problem+json"));
        assert_eq!(
            serde_json::from_slice::<Value>(problem.bytes()).unwrap(),
            json!({"type": "about:blank", "title": "Unprocessable Entity", "status": 422,
                   "detail": "a \"b\" \\ \u{7} \n zoë 🦀", "field": "a[0].b"})
        );
    }
}
