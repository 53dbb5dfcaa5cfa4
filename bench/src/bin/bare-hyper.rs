//! `bare-hyper ADDRESS GREETING_END`: greets by the header X-Name, with hyper configured as in the host and nothing
//! else. An upper bound for every server that is built on hyper.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, end] = arguments.as_slice() else {
        return Err("usage: bare-hyper ADDRESS GREETING_END".into());
    };
    let listener = TcpListener::bind(address).await?;
    let end: Arc<str> = end.as_str().into();
    loop {
        let (stream, _) = listener.accept().await?;
        // Otherwise an answer waits until the client acknowledges the previous one.
        stream.set_nodelay(true)?;
        let end = Arc::clone(&end);
        let service = service_fn(move |request| {
            let response = greet(&request, &end);
            async { Ok::<_, Infallible>(response) }
        });
        // A client that disconnects ends its connection; that is no error.
        tokio::spawn(async {
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok()
        });
    }
}

fn greet(request: &Request<Incoming>, end: &str) -> Response<Full<Bytes>> {
    let name = request.headers().get("x-name").and_then(|name| name.to_str().ok());
    let greeting = format!("Hello, {}{end}", name.unwrap_or("world"));
    let mut response = Response::new(Full::from(greeting));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
