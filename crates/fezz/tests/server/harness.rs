//! A server on a free port, and a client that writes and reads bytes.

use fezz::prelude::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a test waits for before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// On a free port; doesn't wait for a balancer at its end.
pub(crate) fn config() -> HhrfConfig {
    HhrfConfig::new().port(0).set("drain_wait_ms", 0)
}

/// Held by a test that sends signals to its own process.
pub(crate) static SIGNALS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) struct Running {
    pub(crate) server: HhrfServer,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    end: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(server: &HhrfServer) -> Self {
        let listening = server.bind().await.unwrap();
        let (address, (stop, stopped)) = (listening.address(), oneshot::channel());
        let end = tokio::spawn(listening.run_until(async { stopped.await.unwrap() }));
        let running = Self { server: server.clone(), address, stop, end };
        assert_eq!(running.get("/_health").await.status, 200);
        running
    }

    /// With one function, under the id `f`.
    pub(crate) async fn with(config: HhrfConfig, function: impl FezzFunction + 'static) -> Self {
        let server = HhrfServer::new(config);
        server.register_function("f", Box::new(function)).await.unwrap();
        Self::start(&server).await
    }

    /// The answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")).await
    }

    /// The answer to what is written.
    pub(crate) async fn send(&self, request: &str) -> Answer {
        send(self.address, request).await
    }

    /// Sends a GET whose answer isn't read yet.
    pub(crate) fn begin(&self, path: &str) -> TcpStream {
        begin(self.address, &format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"))
    }

    /// Waits for a metric's value.
    pub(crate) async fn wait_for_metric(&self, name: &str, value: u64) {
        let line = format!("{name} {value}");
        wait_for(&line, async || self.get("/_metrics").await.text().lines().any(|other| other == line)).await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.end.await.unwrap();
    }
}

/// The answer to what is written to `address`.
pub(crate) async fn send(address: SocketAddr, request: &str) -> Answer {
    let request = request.to_owned();
    tokio::task::spawn_blocking(move || Answer::read(begin(address, &request))).await.unwrap()
}

pub(crate) fn begin(address: SocketAddr, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client
}

/// Waits until `condition` holds.
pub(crate) async fn wait_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    /// To the end of the connection.
    pub(crate) fn read(mut client: TcpStream) -> Self {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Self { status: head[9..12].parse().unwrap(), head, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// Status and `fezz-error`.
    pub(crate) fn error(&self) -> (u16, Option<&str>) {
        (self.status, self.header("fezz-error"))
    }
}
