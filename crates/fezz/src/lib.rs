//! Fezz runs a native function for an HTTP request, in a process of its own. This crate is what its author writes
//! it with.
//!
//! # Quick start
//!
//! A function is a shared library:
//!
//! ```toml
//! [package]
//! name = "todos"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! fezz = { path = "../fezz/crates/fezz" } # wherever the repository lies; it isn't on crates.io
//! serde = { version = "1", features = ["derive"] }
//! ```
//!
//! `src/lib.rs` has one function with the attribute [`#[fezz_function]`](fezz_function):
//!
//! ```
//! # #[cfg(feature = "json")]
//! # mod quick_start {
//! // curl localhost:3000/api/todos/7
//! use fezz::prelude::*;
//!
//! #[derive(serde::Serialize)]
//! struct Todo {
//!     id: u32,
//!     title: String,
//! }
//!
//! #[fezz_function(method = "GET", path = "/api/todos/{id}", timeout = "5s")]
//! fn todo(request: Request, context: Context) -> Result<Json<Todo>, fezz::Error> {
//!     eprintln!("request {}: stderr is the log", context.request_id());
//!     let not_found = || Response::text("no such todo\n").with_status(404);
//!     let id = request.param("id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
//!     Ok(Json(Todo { id, title: title(id)? }))
//! }
//!
//! fn title(id: u32) -> std::io::Result<String> {
//!     Ok(format!("todo {id}"))
//! }
//!
//! // The function stays a function, for unit tests to call.
//! # pub // so that this example is run
//! fn a_todo_is_found_by_its_id() {
//!     let request = Request::new("GET", "/api/todos/7").with_param("id", "7");
//!     let response = todo(request, Context::new()).into_response();
//!     assert_eq!(response.body(), br#"{"id":7,"title":"todo 7"}"#);
//! }
//! # }
//! # #[cfg(feature = "json")]
//! # quick_start::a_todo_is_found_by_its_id();
//! ```
//!
//! `cargo build --release` makes `libtodos.so`. It goes, with a `fezz.json` that names it, into the host's
//! `functions/todos@v1/`:
//!
//! ```json
//! { "id": "todos", "version": "v1", "entry": "libtodos.so",
//!   "routes": [{ "path": "/api/todos/{id}", "method": "GET" }] }
//! ```
//!
//! # What happens to errors
//!
//! - A returned error and a panic become a 500 without details for the client. The host's log has the message with all
//!   its sources, or the panic's text and location ([`Error`] has the exceptions).
//! - An error or a panic of `on_load` becomes a 503 `module_failed`, and its text is in the log; a panic of `on_fork`
//!   ends the process, which is a 502 `function_crashed`.
//! - With `panic = "abort"` in the crate's profile, a panic can't be caught: the process crashes, the client gets 502
//!   `function_crashed`, and the log has only what the panic printed.
//! - A crash, an endless loop or a leak ends one process. Other requests aren't affected.
//!
//! # Before a request
//!
//! `on_load` builds data that every request reads, once in each process that loads the module:
//!
//! ```
//! use fezz::LoadContext;
//! use fezz::prelude::*;
//! use std::collections::BTreeMap;
//! use std::sync::OnceLock;
//!
//! /// Inhabitants by city; more often an `include_str!("cities.csv")`.
//! const TABLE: &str = "Oslo,700000\nQuito,2000000";
//!
//! static CITIES: OnceLock<BTreeMap<&str, u32>> = OnceLock::new();
//!
//! fn load(context: &LoadContext) -> Result<(), fezz::Error> {
//!     let separator = context.env("SEPARATOR").unwrap_or(",");
//!     let mut cities = BTreeMap::new();
//!     for line in TABLE.lines() {
//!         let torn = || fezz::Error::new(format!("`{line}` has no `{separator}`"));
//!         let (name, inhabitants) = line.split_once(separator).ok_or_else(torn)?;
//!         cities.insert(name, inhabitants.parse()?);
//!     }
//!     CITIES.get_or_init(|| cities);
//!     Ok(())
//! }
//!
//! #[fezz_function(path = "/cities/{name}", on_load = load)]
//! fn city(request: Request) -> Result<String, Response> {
//!     let name = request.param("name").unwrap_or_default();
//!     let inhabitants = CITIES.get().and_then(|cities| cities.get(name));
//!     let not_found = || Response::text("no such city\n").with_status(404);
//!     Ok(format!("{}\n", inhabitants.ok_or_else(not_found)?))
//! }
//!
//! // A unit test calls both.
//! # pub // so that this example is run
//! fn a_city_is_found_by_its_name() {
//!     load(&LoadContext::new()).unwrap();
//!     let request = Request::new("GET", "/cities/Oslo").with_param("name", "Oslo");
//!     assert_eq!(city(request).into_response().body(), b"700000\n");
//! }
//! # a_city_is_found_by_its_name();
//! # assert!(load(&LoadContext::new().with_env("SEPARATOR", ";")).is_err());
//! ```
//!
//! The executor decides how often that is:
//!
//! - With `spawn` each request has a process that loads the module: `on_load` is called before each request, and its
//!   time counts.
//! - With `fork` it is called once, in a process from which one is forked for each request. These share what `on_load`
//!   built, copy-on-write: if a request changes it, even in a `Mutex` or an atomic, other requests don't see the
//!   change.
//!
//! A forked process is a copy. All forked processes start with the same state that `on_load` left:
//!
//! - **Random generators** seeded in `on_load` would give every request the same numbers. `on_fork = reseed` names a
//!   `fn reseed()` that is called in each forked process, before its request, to reseed them: for the one of the crate
//!   `rand`, `rand::rng().reseed()`. Generators that ask the system each time, such as `getrandom`, don't need it. With
//!   `spawn` it is never called.
//! - **Threads** that `on_load` started don't exist in forked processes. With `fork`, loading fails if `on_load` leaves
//!   threads running, those of a runtime for example.
//! - **Connections and open files** would be shared by all requests: with `fork`, loading fails if `on_load` leaves any
//!   open. Open them in the function.
//!
//! # Async
//!
//! An `async fn` runs alone on its thread, to its end. With the feature `tokio` it runs on a current-thread tokio
//! runtime, with timers and sockets as far as the author's own dependency on tokio enables them.
//!
//! # Features
//!
//! - `json`, on by default: `Request::json`, `Response::json` and `Json`.
//! - `tokio`: the runtime above.
//!
//! # Modules
//!
//! In the order that a request meets them: `shim` (decodes it, calls the function and encodes the answer; `panic` if
//! that goes wrong), [`LoadContext`] and [`IntoLoaded`] before it, [`Request`], [`Context`], then the function, then
//! [`IntoResponse`], `Json`, [`Error`] and [`Response`]. `body_error` and `headers` are what they share.

use fezz_unwind as _;

mod shim;

mod panic;

mod load_context;

mod into_loaded;

mod request;

mod context;

mod into_response;

#[cfg(feature = "json")]
mod json;

mod error;

mod body_error;

mod response;

mod headers;

pub use body_error::BodyError;
pub use context::Context;
pub use error::{Error, IntoError};
pub use fezz_macro::fezz_function;
pub use into_loaded::IntoLoaded;
pub use into_response::IntoResponse;
#[cfg(feature = "json")]
pub use json::Json;
pub use load_context::LoadContext;
pub use request::Request;
pub use response::Response;

/// For the code that the macro prints only.
#[doc(hidden)]
pub mod __shim {
    pub use crate::shim::{
        FezzOwned, FezzSlice, Meta, block_on, context, free, handle, on_fork, on_load, prepare,
    };
}

/// What most functions need: `use fezz::prelude::*`. Without [`Error`]: `fezz::Error` is clearer than another `Error`.
pub mod prelude {
    #[cfg(feature = "json")]
    pub use crate::Json;
    pub use crate::{Context, IntoResponse, Request, Response, fezz_function};
}

/// The Rust of the guides, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/author.md")]
mod guides {}
