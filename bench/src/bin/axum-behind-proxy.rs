//! `axum-behind-proxy ADDRESS SOCKET GREETING_END`: an HTTP proxy, and behind it a plain axum in a process of its own, over
//! the Unix socket SOCKET. It is what one would write without a host: a process that lives on, without a jail, limits, log or
//! supervision. Each client's connection has its own connection to axum, so no pool is shared.

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

type AnyError = Box<dyn Error + Send + Sync>;

/// The argument by which the proxy starts the program of the application.
const APPLICATION: &str = "--application";

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [APPLICATION, socket, end] => serve_application(Path::new(socket), (*end).into()).await,
        [address, socket, end] => {
            start_application(socket, end)?;
            serve_proxy(address, Path::new(socket)).await
        }
        _ => Err("usage: axum-behind-proxy ADDRESS SOCKET GREETING_END".into()),
    }
}

/// Greets by the header X-Name, until the proxy ends.
async fn serve_application(socket: &Path, end: Arc<str>) -> Result<(), AnyError> {
    let greet = move |headers: HeaderMap| {
        let name = headers.get("x-name").and_then(|name| name.to_str().ok());
        let greeting = format!("Hello, {}{end}", name.unwrap_or("world"));
        async { greeting }
    };
    std::thread::spawn(|| {
        // The proxy writes nothing: this returns at its end.
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        std::process::exit(0);
    });
    axum::serve(UnixListener::bind(socket)?, Router::new().route("/", get(greet))).await?;
    Ok(())
}

/// Starts this program as the application, which ends with this process.
fn start_application(socket: &str, end: &str) -> Result<(), AnyError> {
    let mut command = Command::new(std::env::current_exe()?);
    let application = command.args([APPLICATION, socket, end]).stdin(Stdio::piped()).spawn()?;
    // Its stdin stays open as long as this process lives.
    std::mem::forget(application);
    Ok(())
}

async fn serve_proxy(address: &str, socket: &Path) -> Result<(), AnyError> {
    while UnixStream::connect(socket).await.is_err() {
        tokio::task::yield_now().await;
    }
    let listener = TcpListener::bind(address).await?;
    let socket: Arc<Path> = socket.into();
    loop {
        let (client, _) = listener.accept().await?;
        // Otherwise an answer waits until the client acknowledges the previous one.
        client.set_nodelay(true)?;
        let socket = Arc::clone(&socket);
        // A client that disconnects ends its connection; that is no error.
        tokio::spawn(async move { forward(client, &socket).await.ok() });
    }
}

/// Sends the requests of one client to the application.
async fn forward(client: TcpStream, socket: &Path) -> Result<(), AnyError> {
    let application = TokioIo::new(UnixStream::connect(socket).await?);
    let (sender, connection) = hyper::client::conn::http1::handshake(application).await?;
    tokio::spawn(connection);
    // HTTP/1.1 has one request at a time: this never waits.
    let sender = Mutex::new(sender);
    let service =
        service_fn(|request| sender.lock().unwrap_or_else(PoisonError::into_inner).send_request(request));
    server::Builder::new().serve_connection(TokioIo::new(client), service).await?;
    Ok(())
}
