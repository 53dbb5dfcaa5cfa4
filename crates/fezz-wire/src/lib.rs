//! The contract between the host, the runner and a function's module: plain data and bytes, no I/O.
//!
//! In the order that a request meets them:
//!
//! - [`FezzWireRequest`]: what the host writes on the runner's stdin, one CBOR map (RFC 8949), up to end of file.
//! - [`abi`]: the C functions of a module, which the runner calls with those bytes.
//! - [`FezzWireResponse`]: what the module returns and the runner writes on stdout, one CBOR map.
//! - [`Framer`]: finds where that map ends, while it arrives.
//! - [`ExitCode`]: the runner's exit status if there is no response; [`WrapperStatus`]: a wrapper's, if it never ran the
//!   runner.
//! - [`chain`](fn@chain): an error with its causes, where it crosses as text.
//! - [`control`]: the protocol between the host and a zygote, a runner that forks a process for each request.
//! - [`rewind`]: what the host and a process agree on that is put back to its snapshot after each request.
//! - [`frame`]: the protocol between the host and a worker, a process that serves request after request.
//! - `owned`, with the feature `serde`: both messages as owned types, for any format of serde.
//! - `json` and `message_pack`, with the features `serde` and `message-pack`: both messages in the formats that a worker
//!   may choose instead of CBOR.
//! - [`TrialAnswer`]: what a runner prints after it has tried its jail; [`NETWORK_MADE`]: after it has made an empty
//!   network.
//!
//! # Rules of the wire
//!
//! Keys are text. Unknown keys are ignored. A missing required key, a key twice, a wrong type, a byte after the map,
//! nesting deeper than [`NESTING_MAX`] and more than [`PAIRS_MAX`] headers or parameters are each a [`WireError`]
//! that names the key or the byte. Maps and arrays may have a definite or an indefinite length; strings must have a
//! definite one, so that they can be borrowed from the message. Decoding doesn't trust lengths: it scans the whole
//! message first, and checks that its content is there before it allocates anything.
//!
//! # An example
//!
//! `GET /hello` for the function `todos@latest`:
//!
//! ```
//! use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};
//!
//! let request = FezzWireRequest {
//!     method: "GET",
//!     uri: "/hello",
//!     authority: Some("localhost:3000"),
//!     scheme: Some("http"),
//!     headers: vec![("x-name", b"Ada")],
//!     params: Default::default(),
//!     body: b"",
//!     meta: Meta {
//!         request_id: "r1",
//!         function: "todos",
//!         version: "latest",
//!         deadline_ms: 30_000,
//!         client_ip: None,
//!         original_uri: None,
//!     },
//! };
//! let hex = "a8\
//!     666d6574686f64 63474554\
//!     63757269 662f68656c6c6f\
//!     69617574686f72697479 6e6c6f63616c686f73743a33303030\
//!     66736368656d65 6468747470\
//!     6768656164657273 81 82 66782d6e616d65 43416461\
//!     66706172616d73 a0\
//!     646d657461 a4\
//!       6a726571756573745f6964 627231\
//!       6866756e6374696f6e 65746f646f73\
//!       6776657273696f6e 666c6174657374\
//!       6b646561646c696e655f6d73 197530\
//!     64626f6479 40";
//! # let unhex = |text: &str| -> Vec<u8> {
//! #     let digits: String = text.split_whitespace().collect();
//! #     (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
//! # };
//! assert_eq!(request.encode(), unhex(hex));
//! assert_eq!(FezzWireRequest::decode(&unhex(hex)), Ok(request));
//!
//! // The smallest response there is: {"status": 204}.
//! let smallest = unhex("a1 66737461747573 18cc");
//! assert_eq!(FezzWireResponse::decode(&smallest).unwrap().status, 204);
//! ```

mod request;

pub mod abi;

mod response;

mod framer;

mod exit_code;

mod chain;

pub mod control;

pub mod rewind;

pub mod frame;

#[cfg(feature = "serde")]
pub mod owned;

#[cfg(feature = "serde")]
pub mod json;

#[cfg(feature = "message-pack")]
pub mod message_pack;

#[cfg(feature = "serde")]
mod forms;

#[cfg(feature = "serde")]
mod brief;

mod trial;

mod cbor;
mod error;
mod reader;

pub use chain::chain;
pub use error::WireError;
pub use exit_code::{ExitCode, WrapperStatus};
#[cfg(feature = "serde")]
pub use forms::PayloadError;
pub use framer::{Framer, Progress};
pub use request::{FezzWireRequest, Meta};
pub use response::{ErrorKind, FezzWireError, FezzWireResponse};
pub use trial::{NETWORK_MADE, TrialAnswer};

/// How deep maps and arrays may nest: the message, its `headers`, one header. No message needs more, and a decoder with
/// a fixed depth needs no recursion.
pub const NESTING_MAX: usize = 3;

/// The most headers, path parameters, or keys of any map, in a message. HTTP servers stop near a hundred; this only
/// keeps a message of three-byte pairs from costing many times its size when decoded.
pub const PAIRS_MAX: usize = 1024;
