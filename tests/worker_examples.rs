//! The examples of workers, as programs with the host's end of their socket here.

use crate::harness::{WorkerProcess, binary, on_path, request, request_in_json, skip};
use fezz_wire::FezzWireResponse;
use fezz_wire::frame::{Format, Header, Kind};
use std::process::Command;

#[test]
fn the_items_stay_from_request_to_request() {
    let mut worker = WorkerProcess::ready(&mut Command::new(binary("example_worker_items")), Format::Cbor);
    let mut ask = |id: u64, method: &str, body: &[u8]| {
        worker.send(Kind::Request, Format::Cbor, id, &request(method, "/items", body));
        let (_, payload) = worker.receive().expect("it answers");
        let response = FezzWireResponse::decode(&payload).unwrap();
        (response.status, String::from_utf8_lossy(response.body).into_owned())
    };
    assert_eq!(ask(1, "GET", b""), (200, "[]".to_owned()));
    assert_eq!(ask(2, "POST", br#"{"title": "tea"}"#), (201, r#"{"id":1,"title":"tea"}"#.to_owned()));
    assert_eq!(ask(3, "GET", b""), (200, r#"[{"id":1,"title":"tea"}]"#.to_owned()));
    assert_eq!(ask(4, "POST", b"tea").0, 400);
    assert_eq!(ask(5, "PUT", b"").0, 404);
    worker.drain();
    assert!(worker.end().0.success());
}

#[test]
fn a_worker_in_python_speaks_json_with_nothing_but_its_standard_library() {
    if on_path("python3").is_none() {
        return skip("python3 isn't installed");
    }
    let mut command = Command::new("python3");
    // As in the jail: no other module, no variable.
    command.args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/worker-python/bin/words")]);
    let mut worker = WorkerProcess::ready(&mut command, Format::Json);
    let mut ask = |id: u64, method: &str, body: &[u8]| {
        worker.send(Kind::Request, Format::Json, id, &request_in_json(method, "/words", body));
        let (answered, response) = worker.answer_in_json();
        assert_eq!(answered, id);
        (response.status, String::from_utf8(response.body.into_vec()).unwrap())
    };
    assert_eq!(ask(1, "POST", "to be or né".as_bytes()).0, 200);
    let counts = r#"{"to": 2, "be": 1, "or": 1, "n\u00e9": 1}"#;
    assert_eq!(ask(2, "POST", b"to"), (200, format!("{counts}\n")));
    assert_eq!(ask(3, "POST", b"\xff").0, 400);
    assert_eq!(ask(4, "GET", b"").0, 500, "there is no parameter `word`");
    worker.send(Kind::Ping, Format::None, 9, b"");
    let pong = Header { length: 0, kind: Kind::Pong, format: Format::None, id: 9 };
    assert_eq!(worker.receive(), Some((pong, vec![])));
    worker.drain();
    assert!(worker.end().0.success());
}
