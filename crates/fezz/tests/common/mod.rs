//! Calls the C functions that the macro printed into this test, as a runner does.

use fezz_wire::abi::{FezzOwned, FezzSlice};
use fezz_wire::{ErrorKind, FezzWireRequest, FezzWireResponse, Meta};

unsafe extern "C" {
    fn fezz_handle_v2(request: FezzSlice) -> FezzOwned;
    fn fezz_free_v2(buffer: FezzOwned);
}

/// A response, out of the module's hands.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: String,
    pub(crate) error: Option<(ErrorKind, String)>,
}

/// The message for a GET; what a test needs else it sets itself.
pub(crate) fn request(uri: &str) -> FezzWireRequest<'_> {
    FezzWireRequest {
        method: "GET",
        uri,
        authority: Some("example.com:3000"),
        scheme: Some("http"),
        headers: Vec::new(),
        params: Default::default(),
        body: b"",
        meta: Meta {
            request_id: "r1",
            function: "test",
            version: "v1",
            deadline_ms: 30_000,
            client_ip: None,
            original_uri: None,
        },
    }
}

/// Sends a message, reads the answer and frees its buffer.
pub(crate) fn handle(message: &[u8]) -> Answer {
    let slice = FezzSlice { ptr: message.as_ptr(), len: message.len() };
    // SAFETY: the slice must be readable for the call, and `message` is borrowed for longer.
    let owned = unsafe { fezz_handle_v2(slice) };
    assert!(!owned.ptr.is_null());
    // SAFETY: the buffer must be readable until it is freed, which is below.
    let bytes = unsafe { std::slice::from_raw_parts(owned.ptr, owned.len) };
    let answer = Answer::from_wire(&FezzWireResponse::decode(bytes).expect("the answer is a message"));
    // SAFETY: the buffer must be the module's and freed once: it came from above, and nothing borrows it any more.
    unsafe { fezz_free_v2(owned) };
    answer
}

impl Answer {
    fn from_wire(wire: &FezzWireResponse<'_>) -> Self {
        let owned = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
        Self {
            status: wire.status,
            headers: wire.headers.iter().map(owned).collect(),
            body: String::from_utf8(wire.body.to_vec()).expect("the tests answer with text"),
            error: wire.error.as_ref().map(|error| (error.kind, error.message.to_owned())),
        }
    }
}
