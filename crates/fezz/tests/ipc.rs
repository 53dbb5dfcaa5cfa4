//! Workers of an author's own, as processes of this program with the host's end of their socket in a test.

use fezz::ipc;
use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind, VERSION};
use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// As the documents have it: `main` and `handle_request` to the letter.
mod sample {
    use fezz::{Request, Response, ipc};

    pub(crate) fn run() {
        main()
    }

    struct AppState {
        items: Vec<String>,
    }

    impl AppState {
        fn new() -> Self {
            Self { items: vec![] }
        }
    }

    fn get_items(state: &mut AppState, req: Request) -> Response {
        state.items.push(req.query_param("add").unwrap_or_default().into_owned());
        Response::text(state.items.join(","))
    }

    #[rustfmt::skip]
    fn main() {
        let mut state = AppState::new();
        loop {
            let req = ipc::read_request();          // ends the process in order when the host closes the socket
            let res = handle_request(&mut state, req);
            ipc::send_response(res);
        }
    }

    #[rustfmt::skip]
    fn handle_request(state: &mut AppState, req: Request) -> Response {
        match (req.method.as_str(), req.path.as_str()) { ("GET", "/items") => get_items(state, req), _ => Response::not_found() }
    }
}

fn forgets_to_answer() {
    ipc::read_request();
    let second = ipc::read_request();
    ipc::send_response(fezz::Response::text(second.path));
    ipc::read_request();
}

fn says_when_it_ends() {
    ipc::at_end(|| println!("first"));
    ipc::at_end(|| println!("second"));
    ipc::read_request();
}

/// Handles a signal without SA_RESTART, so that it ends the call that waits, by EINTR: signal(7). One comes each
/// millisecond.
fn handles_signals() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: an all-zero sigaction is valid: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, which is safe in a signal.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: it only reads.
    let reader = unsafe { libc::pthread_self() };
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(1));
            // SAFETY: the thread of this number returns only with its process.
            unsafe { libc::pthread_kill(reader, libc::SIGUSR1) };
        }
    });
    sample::run();
}

/// Two threads, of which one answers only when the other has met the end.
fn answers_on_two_threads() {
    let answer = || {
        loop {
            let request = ipc::read_request();
            if request.path == "/slow" {
                std::thread::sleep(Duration::from_millis(300));
            }
            ipc::send_response(fezz::Response::text(request.path));
        }
    };
    std::thread::spawn(answer);
    answer()
}

#[cfg(feature = "worker")]
#[tokio::main(flavor = "current_thread")]
async fn serves() {
    ipc::serve(|request| async move {
        match request.path.as_str() {
            "/panic" => panic!("out of luck"),
            "/slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            "/never" => std::future::pending().await,
            _ => {}
        }
        request.path
    })
    .await;
    println!("ended");
}

/// What a process of this program is, which a test has started.
const WORKERS: &[(&str, fn())] = &[
    ("sample", sample::run),
    ("forgets_to_answer", forgets_to_answer),
    ("handles_signals", handles_signals),
    ("says_when_it_ends", says_when_it_ends),
    ("answers_on_two_threads", answers_on_two_threads),
    #[cfg(feature = "worker")]
    ("serves", serves),
];

const NAME: &str = "FEZZ_TEST_WORKER";

/// Not a test: the process that a test has started runs this one alone.
#[test]
fn worker() {
    if let Ok(name) = std::env::var(NAME) {
        let (_, run) = WORKERS.iter().find(|(known, _)| *known == name).expect("the test names one");
        run();
    }
}

struct Worker {
    child: Child,
    host: UnixStream,
}

impl Worker {
    fn start(name: &str) -> Self {
        let (host, own) = UnixStream::pair().expect("a pair of sockets");
        // A hanging worker fails its test.
        host.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above 0");
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "worker", "--nocapture"]).env(NAME, name).stdin(OwnedFd::from(own));
        let child = command.stdout(Stdio::piped()).spawn().expect("this program starts");
        let mut worker = Self { child, host };
        let hello = Header { length: 0, kind: Kind::Hello, format: Format::Cbor, id: VERSION };
        assert_eq!(worker.receive().map(|(header, _)| header), Some(hello));
        worker
    }

    fn send(&mut self, kind: Kind, id: u64, payload: &[u8]) {
        let format = if payload.is_empty() { Format::None } else { Format::Cbor };
        let header = Header { length: payload.len().try_into().expect("it is short"), kind, format, id };
        self.host.write_all(&[&header.encode()[..], payload].concat()).expect("the worker reads");
    }

    fn ask(&mut self, id: u64, uri: &str) {
        self.send(Kind::Request, id, &request(uri));
    }

    fn receive(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut header = [0; HEADER_BYTES];
        let read = loop {
            match self.host.read(&mut header[..1]) {
                // The kernel doesn't start a read again that has a time limit: signal(7).
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.expect("a frame or the end"),
            }
        };
        if read == 0 {
            return None;
        }
        self.host.read_exact(&mut header[1..]).expect("a whole header");
        let header = Header::decode(&header).expect("a header");
        let mut payload = vec![0; header.length as usize];
        self.host.read_exact(&mut payload).expect("a whole payload");
        Some((header, payload))
    }

    /// The id, the status and the body of the next response; the message, if it failed.
    fn answer(&mut self) -> (u64, u16, String) {
        let (header, payload) = self.receive().expect("the worker answers");
        assert_eq!((header.kind, header.format), (Kind::Response, Format::Cbor));
        let response = FezzWireResponse::decode(&payload).expect("a response");
        let body = match response.error {
            Some(error) => error.message.to_owned(),
            None => String::from_utf8_lossy(response.body).into_owned(),
        };
        (header.id, response.status, body)
    }

    /// The worker's status and stdout, after the host's last frame.
    fn end(mut self) -> (ExitStatus, String) {
        self.host.shutdown(Shutdown::Write).expect("it is open");
        let mut output = String::new();
        self.child.stdout.take().expect("it is piped").read_to_string(&mut output).expect("text");
        (self.child.wait().expect("it ends"), output)
    }
}

fn request(uri: &str) -> Vec<u8> {
    let meta = Meta {
        request_id: "r",
        function: "f",
        version: "v",
        deadline_ms: 1000,
        client_ip: None,
        original_uri: None,
    };
    let (headers, params) = (vec![], Default::default());
    let request = FezzWireRequest {
        method: "GET",
        uri,
        authority: None,
        scheme: None,
        headers,
        params,
        body: b"",
        meta,
    };
    request.encode()
}

#[test]
fn the_sample_of_the_documents_keeps_its_state_and_ends_in_order() {
    let mut worker = Worker::start("sample");
    for (id, uri, status, body) in [(5, "/items?add=a", 200, "a"), (6, "/items?add=b", 200, "a,b")] {
        worker.ask(id, uri);
        assert_eq!(worker.answer(), (id, status, body.to_owned()));
    }
    worker.ask(7, "/other");
    assert_eq!(worker.answer().1, 404);
    assert!(worker.end().0.success());
}

/// A request and a response that no socket holds at once, and another request after them.
fn check_large_frames(name: &str, uri: &str, body: &str) {
    let text = "x".repeat(1 << 20);
    let mut worker = Worker::start(name);
    worker.ask(1, &format!("{uri}{text}"));
    assert!(worker.answer() == (1, 200, format!("{body}{text}")), "{name}");
    worker.ask(2, "/other");
    assert_eq!(worker.answer().0, 2, "{name}");
}

#[test]
fn large_frames_stay_whole() {
    check_large_frames("sample", "/items?add=", "");
}

#[test]
fn a_worker_answers_pings_while_it_waits_and_ignores_a_late_cancel() {
    let mut worker = Worker::start("sample");
    worker.send(Kind::Cancel, 1, b"");
    worker.send(Kind::Ping, 77, b"");
    let pong = Header { length: 0, kind: Kind::Pong, format: Format::None, id: 77 };
    assert_eq!(worker.receive(), Some((pong, vec![])));
}

#[test]
fn a_request_that_is_not_answered_and_one_that_is_none_are_failures_of_their_own() {
    let mut worker = Worker::start("forgets_to_answer");
    worker.ask(1, "/a");
    worker.ask(2, "/b");
    let (id, status, message) = worker.answer();
    assert_eq!((id, status), (1, 500));
    assert!(message.contains("read the next request before"), "{message}");
    assert_eq!(worker.answer(), (2, 200, "/b".to_owned()));
    worker.send(Kind::Request, 3, b"\xff");
    let (id, _, message) = worker.answer();
    assert!(id == 3 && message.starts_with("failed to decode the request"), "{message}");
}

#[test]
fn signals_that_the_program_handles_end_no_read() {
    let mut worker = Worker::start("handles_signals");
    for id in 1..=3 {
        std::thread::sleep(Duration::from_millis(10));
        worker.ask(id, "/items");
        assert_eq!(worker.answer().0, id);
    }
}

#[test]
fn hooks_run_in_their_order_when_the_host_closes_the_socket() {
    let (status, output) = Worker::start("says_when_it_ends").end();
    assert!(status.success() && output.contains("first\nsecond\n"), "{output}");
}

#[test]
fn threads_answer_what_each_has_read_and_the_end_waits_for_them() {
    let mut worker = Worker::start("answers_on_two_threads");
    worker.ask(1, "/slow");
    worker.ask(2, "/fast");
    worker.host.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(worker.answer(), (2, 200, "/fast".to_owned()));
    assert_eq!(worker.answer(), (1, 200, "/slow".to_owned()));
    assert!(worker.receive().is_none() && worker.child.wait().expect("it ends").success());
}

#[test]
fn without_a_socket_a_worker_says_what_it_is() {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "worker", "--nocapture"]).env(NAME, "sample").stdin(Stdio::null());
    let output = command.output().expect("this program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("stdin is not a socket of the host's"), "{said}");
}

#[cfg(feature = "worker")]
mod concurrent {
    use super::*;

    #[test]
    fn large_frames_stay_whole() {
        check_large_frames("serves", "/", "/");
    }

    #[test]
    fn requests_are_answered_as_they_are_done() {
        let mut worker = Worker::start("serves");
        worker.ask(1, "/slow");
        worker.ask(2, "/fast");
        worker.send(Kind::Ping, 3, b"");
        let mut first = [worker.receive(), worker.receive()].map(|frame| frame.expect("a frame").0.id);
        first.sort_unstable();
        assert_eq!(first, [2, 3]);
        assert_eq!(worker.answer(), (1, 200, "/slow".to_owned()));
        let (status, output) = worker.end();
        assert!(status.success() && output.contains("ended\n"), "{output}");
    }

    #[test]
    fn the_end_waits_for_requests_in_flight() {
        let mut worker = Worker::start("serves");
        worker.ask(1, "/slow");
        worker.host.shutdown(Shutdown::Write).expect("it is open");
        assert_eq!(worker.answer(), (1, 200, "/slow".to_owned()));
        assert!(worker.end().0.success());
    }

    #[test]
    fn a_cancelled_request_is_dropped_and_still_answered() {
        let mut worker = Worker::start("serves");
        worker.ask(1, "/never");
        worker.ask(2, "/fast");
        assert_eq!(worker.answer().0, 2);
        worker.send(Kind::Cancel, 1, b"");
        assert_eq!(worker.answer(), (1, 500, "the client has disconnected".to_owned()));
    }

    #[test]
    fn a_panic_is_an_answer_and_the_worker_serves_on() {
        let mut worker = Worker::start("serves");
        worker.ask(1, "/panic");
        let (id, status, message) = worker.answer();
        assert!((id, status) == (1, 500) && message.contains("out of luck"), "{message}");
        worker.ask(2, "/fast");
        assert_eq!(worker.answer(), (2, 200, "/fast".to_owned()));
    }
}
