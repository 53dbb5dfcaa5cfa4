//! The component that the host's functions are compared to. It greets by the header X-Name, as they do; the environment
//! variable GREETING_END is the text after the name in the greeting of the compared function. A POST gets its body back,
//! as from `examples/echo`.

use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

struct HelloOrEcho;

wasi::http::proxy::export!(HelloOrEcho);

/// The most that `blocking-write-and-flush` takes.
const WRITE_BYTES_MAX: usize = 4096;

impl Guest for HelloOrEcho {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let content = match request.method() {
            Method::Post => sent(&request),
            _ => greeting(&request).into_bytes(),
        };
        let length = content.len().to_string().into_bytes();
        let headers = Fields::from_list(&[("content-length".to_owned(), length)]);
        let response = OutgoingResponse::new(headers.expect("the header is a valid one"));
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(answer, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // A failed write means that the client has disconnected; that is no error.
        write(&stream, &content).ok();
        drop(stream);
        OutgoingBody::finish(body, None).ok();
    }
}

fn greeting(request: &IncomingRequest) -> String {
    let name = request.headers().get("x-name").into_iter().next().unwrap_or_else(|| b"world".to_vec());
    let end = std::env::var("GREETING_END").unwrap_or_default();
    format!("Hello, {}{end}", String::from_utf8_lossy(&name))
}

/// The request's body; what has arrived of it if the client disconnects.
fn sent(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("the body is taken once");
    let stream: InputStream = body.stream().expect("the stream is taken once");
    let mut sent = Vec::new();
    while let Ok(bytes) = stream.blocking_read(u64::MAX) {
        sent.extend(bytes);
    }
    sent
}

/// In one call where that is possible; else as much at a time as the stream takes, which is faster than calls of the most.
fn write(stream: &OutputStream, content: &[u8]) -> Result<(), StreamError> {
    if content.len() <= WRITE_BYTES_MAX {
        return stream.blocking_write_and_flush(content);
    }
    let mut unsent = content;
    while !unsent.is_empty() {
        let ready = stream.check_write()? as usize;
        if ready == 0 {
            stream.subscribe().block();
        }
        let (now, later) = unsent.split_at(ready.min(unsent.len()));
        stream.write(now)?;
        unsent = later;
    }
    stream.blocking_flush()
}
