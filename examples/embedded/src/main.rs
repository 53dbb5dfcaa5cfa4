// curl localhost:8080/counter ; curl -H 'X-Name: Ada' localhost:8080/hello ; curl -d text localhost:8080/echo
//! A program with the host inside: `cargo run -p example_embedded`, with another port as its argument.
//!
//! Its functions run in its own process, and so `/counter` counts. They are trusted code: no jail confines them. The host
//! answers `/_health` and `/_metrics` itself. Ctrl-C or SIGTERM ends the program in order: requests in flight are finished,
//! then each function's `on_unload` is called.

use fezz::prelude::*;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

#[fezz_function(id = "hello", path = "/hello", export = false)]
fn hello(request: FezzRequest) -> String {
    format!("Hello, {}!\n", request.header("X-Name").unwrap_or("world"))
}

#[fezz_function(id = "echo", method = "*", path = "/echo", export = false)]
fn echo(request: FezzRequest) -> FezzResponse {
    let content_type = request.header("Content-Type").unwrap_or("application/octet-stream").to_owned();
    FezzResponse::new(200).header("Content-Type", content_type).body(request.into_body())
}

/// Counts its requests, for as long as the program runs.
#[derive(Debug, Default)]
struct Counter {
    requests: AtomicU64,
}

#[async_trait]
impl FezzFunction for Counter {
    async fn on_load(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        println!("{} is loaded", ctx.function_name());
        Ok(())
    }

    async fn fetch(&self, _: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(FezzResponse::text(format!("{requests}\n")))
    }

    async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        println!("counted {} requests", self.requests.get_mut());
        Ok(())
    }

    fn name(&self) -> &str {
        "counter"
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 8080,
    };
    let server = HhrfServer::new(HhrfConfig::new().port(port));
    server.register_function("hello", Box::new(HelloFunction::new())).await?;
    server.register_function("echo", Box::new(EchoFunction::new())).await?;
    server.register_function("counter", Box::new(Counter::default())).await?;

    let listening = server.bind().await?;
    println!("listening on http://{}", listening.address());
    listening.run().await
}
