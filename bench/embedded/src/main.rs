//! `embedded-hello PORT GREETING_END`: greets by the header X-Name, by a function in its own process.

use fezz::prelude::*;
use std::error::Error;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Greets, and ends the greeting with its text.
struct Greet(String);

#[async_trait]
impl FezzFunction for Greet {
    async fn fetch(&self, request: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        let name = request.header("x-name").unwrap_or("world");
        Ok(FezzResponse::text(format!("Hello, {name}{}", self.0)))
    }

    fn name(&self) -> &str {
        "hello"
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, end] = arguments.as_slice() else {
        return Err("usage: embedded-hello PORT GREETING_END".into());
    };
    let server = HhrfServer::new(HhrfConfig::new().port(port.parse()?).set("drain_wait_ms", 0));
    server.register_function("hello", Box::new(Greet(end.clone()))).await?;
    server.run().await
}
