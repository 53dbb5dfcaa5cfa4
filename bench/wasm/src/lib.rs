//! The component that the host's functions are compared to: it greets by the header X-Name, as they do. The environment
//! variable GREETING_END is the text after the name in the greeting of the compared function.

use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Hello;

wasi::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let name = request.headers().get("x-name").into_iter().next().unwrap_or_else(|| b"world".to_vec());
        let end = std::env::var("GREETING_END").unwrap_or_default();
        let greeting = format!("Hello, {}{end}", String::from_utf8_lossy(&name));
        let length = greeting.len().to_string().into_bytes();
        let headers = Fields::from_list(&[("content-length".to_owned(), length)]);
        let response = OutgoingResponse::new(headers.expect("the header is a valid one"));
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(answer, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // A failed write means that the client has disconnected; that is no error.
        stream.blocking_write_and_flush(greeting.as_bytes()).ok();
        drop(stream);
        OutgoingBody::finish(body, None).ok();
    }
}
