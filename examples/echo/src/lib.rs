// curl --json '{"a": 1}' localhost:3000/echo ; curl 'localhost:3000/echo?b=2'
//! Returns the request's body and content type or, if there is no body, the request as text.

use fezz::prelude::*;

#[fezz_function(id = "echo", version = "v1", path = "/echo")]
fn echo(request: Request) -> Response {
    if request.method() == "GET" && request.body().is_empty() {
        return Response::text(describe(&request));
    }
    let content_type = request.header_bytes("Content-Type").unwrap_or(b"application/octet-stream").to_vec();
    Response::new(200).with_header("Content-Type", content_type).with_body(request.into_body())
}

/// Method, URI and headers, a line each.
fn describe(request: &Request) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
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
            Request::new("PUT", "/echo").with_header("Content-Type", "image/x").with_body(b"\0\xff");
        let response = echo(request);
        assert_eq!(response.body(), b"\0\xff");
        assert_eq!(response.header("content-type"), Some("image/x"));
    }

    #[test]
    fn a_get_without_a_body_comes_back_in_words() {
        let request =
            Request::new("GET", "/echo?b=2").with_added_header("X-A", "1").with_added_header("X-A", "2");
        assert_eq!(echo(request).body(), b"GET /echo?b=2\nx-a: 1\nx-a: 2\n");
    }
}
