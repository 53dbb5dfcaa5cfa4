// curl --json '{"a": 1}' localhost:3000/echo ; curl 'localhost:3000/echo?b=2'
//! Returns the request's body and content type or, if there is no body, the request as text.

use fezz::prelude::*;

#[fezz_function(id = "echo", version = "v1", method = "*", path = "/echo")]
fn echo(request: FezzRequest) -> FezzResponse {
    if request.method == Method::GET && request.body.is_none() {
        return FezzResponse::text(describe(&request));
    }
    let content_type = request.header_list().get_bytes("Content-Type").unwrap_or(b"application/octet-stream");
    FezzResponse::new(StatusCode::OK).header("Content-Type", content_type).body(request.into_body())
}

/// Method, URI and headers, a line each.
fn describe(request: &FezzRequest) -> String {
    let mut text = format!("{} {}\n", request.method, request.uri());
    for (name, value) in request.header_list().iter() {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_with_its_type() {
        let request =
            FezzRequest::new("PUT", "/echo").with_header("Content-Type", "image/x").with_body(b"\0\xff");
        let response = echo(request);
        assert_eq!(response.bytes(), b"\0\xff");
        assert_eq!(response.get_header("content-type"), Some("image/x"));
    }

    #[test]
    fn a_get_without_a_body_comes_back_in_words() {
        let request =
            FezzRequest::new("GET", "/echo?b=2").with_added_header("X-A", "1").with_added_header("X-A", "2");
        assert_eq!(echo(request).bytes(), b"GET /echo?b=2\nx-a: 1\nx-a: 2\n");
    }
}
