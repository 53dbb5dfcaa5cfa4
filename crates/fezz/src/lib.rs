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
//! ```
//!
//! `src/lib.rs` has one function with the attribute [`#[fezz_function]`](fezz_function):
//!
//! ```
//! # #[cfg(feature = "json")]
//! # mod quick_start {
//! // curl 'localhost:3000/api/todos?limit=1'
//! use fezz::prelude::*;
//!
//! #[fezz_request]
//! struct ListTodosQuery {
//!     limit: Option<usize>,
//! }
//!
//! #[fezz_response]
//! struct Todo {
//!     id: u32,
//!     title: String,
//! }
//!
//! #[fezz_function(id = "todos", version = "v1", method = "GET", path = "/api/todos", timeout = 5)]
//! async fn fetch(req: FezzRequest<ListTodosQuery>) -> Result<FezzResponse<Json<Vec<Todo>>>, FezzError> {
//!     eprintln!("request {}: stderr is the log", req.context().request_id());
//!     let mut todos = load()?;
//!     todos.truncate(req.data().limit.unwrap_or(usize::MAX));
//!     Ok(Json(todos).into())
//! }
//!
//! fn load() -> std::io::Result<Vec<Todo>> {
//!     Ok(vec![Todo { id: 7, title: "buy milk".to_owned() }, Todo { id: 8, title: "take a walk".to_owned() }])
//! }
//!
//! // `FetchFunction` answers a request as the host would have it answered: a unit test calls it, or `fetch` itself.
//! # pub // so that this example is run
//! fn the_list_is_as_long_as_its_limit() {
//!     let call = |url| FetchFunction::new().call(FezzRequest::new("GET", url));
//!     assert_eq!(call("/api/todos?limit=1").bytes(), br#"[{"id":7,"title":"buy milk"}]"#);
//!     assert_eq!(call("/api/todos?limit=many").status(), 400);
//! }
//! # }
//! # #[cfg(feature = "json")]
//! # quick_start::the_list_is_as_long_as_its_limit();
//! ```
//!
//! [`FromRequest`] lists what a function may take, [`IntoResponse`] what it may return.
//!
//! `cargo build --release` makes `libtodos.so`. It goes, with a `fezz.json` that names it, into the host's
//! `functions/todos@v1/`:
//!
//! ```json
//! { "id": "todos", "version": "v1", "entry": "libtodos.so",
//!   "routes": [{ "path": "/api/todos", "method": "GET" }] }
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
//! - A crash, an endless loop or a leak ends one process. Other requests aren't affected, but those in the same worker.
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
//! fn load(context: &LoadContext) -> Result<(), FezzError> {
//!     let separator = context.env("SEPARATOR").unwrap_or(",");
//!     let mut cities = BTreeMap::new();
//!     for line in TABLE.lines() {
//!         let torn = || FezzError::new(format!("`{line}` has no `{separator}`"));
//!         let (name, inhabitants) = line.split_once(separator).ok_or_else(torn)?;
//!         cities.insert(name, inhabitants.parse()?);
//!     }
//!     CITIES.get_or_init(|| cities);
//!     Ok(())
//! }
//!
//! #[fezz_function(path = "/cities/{name}", on_load = load)]
//! fn city(request: FezzRequest) -> Result<String, FezzResponse> {
//!     let name = request.param("name").unwrap_or_default();
//!     let inhabitants = CITIES.get().and_then(|cities| cities.get(name));
//!     let not_found = || FezzResponse::error(StatusCode::NOT_FOUND, "no such city");
//!     Ok(format!("{}\n", inhabitants.ok_or_else(not_found)?))
//! }
//!
//! // A unit test calls both.
//! # pub // so that this example is run
//! fn a_city_is_found_by_its_name() {
//!     load(&LoadContext::new()).unwrap();
//!     let request = FezzRequest::new("GET", "/cities/Oslo").with_param("name", "Oslo");
//!     assert_eq!(city(request).into_response().bytes(), b"700000\n");
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
//! - With `worker` it is called once, in a process that then serves request after request. These share all of the process.
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
//! An `async fn` runs alone on its thread, to its end. With the feature `tokio` it runs on a tokio runtime, with timers and
//! sockets as far as the author's own dependency on tokio enables them. A process that serves request after request (a
//! worker, the host's own) has one runtime for all of them: a pool of connections in a `static` serves each.
//!
//! # Workers
//!
//! [`ipc`] is for a program of one's own, without `#[fezz_function]`, that serves request after request.
//!
//! # Features
//!
//! - `json`, on by default: data of the author's types, by serde. Without it there are no `FezzRequest<T>`, `Json`,
//!   `Query`, `Form`, `Path`, `FezzResponse::json`, `#[fezz_request]` and `#[fezz_response]`.
//! - `tracing`, on by default: events of the crate `tracing`, from `info` on or as the variable `FEZZ_LOG` says, are lines
//!   of stderr with their level, target and fields. A subscriber that `on_load` installs comes first.
//! - `cookies`: the parameter `Cookies`, and `FezzResponse::cookie`, by the crate `cookie`.
//! - `tokio`: the runtime above.
//! - `worker`: `ipc::serve`, for workers that answer several requests at a time on tokio.
//! - `tower`: `#[fezz_app]` serves any tower service, such as axum's router.
//! - `server`: the module `server`, a host in the author's own program, whose functions run in its process: trusted code.
//! - `testing`: the module `testing`, which sends requests to the function in a test's process, and to the built module
//!   through the real runner and jail. It belongs into `[dev-dependencies]`.
//!
//! A function needs neither `Send` nor `Sync`: it runs on the thread that calls it.
//!
//! # Modules
//!
//! In the order that a request meets them: `shim` (decodes it, calls the function and encodes the answer; `panic` if
//! that goes wrong), [`LoadContext`] and [`IntoLoaded`] before it, [`FezzRequest`], [`FunctionContext`], [`FromRequest`]
//! (`data`, [`Rejection`]), then the function, then [`IntoResponse`], [`FezzResponse`], [`Redirect`], [`FezzError`].
//! [`Router`] and [`App`] are for several routes in one function, `testing` for its tests. `headers`, `problem` and
//! `permission` are what they share; `manifest` is what the attribute says.

use fezz_unwind as _;

mod shim;

#[cfg(feature = "tokio")]
mod runtime;

mod panic;

mod variables;

mod load_context;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod pool;

mod into_loaded;

mod request;

mod context;

mod extract;

#[cfg(feature = "json")]
mod data;

mod rejection;

mod into_response;

mod response;

mod redirect;

#[cfg(feature = "cookies")]
mod cookies;

mod error;

mod headers;

mod permission;

mod problem;

#[cfg(feature = "tracing")]
mod log;

mod manifest;

pub mod function;

pub mod ipc;

mod app;

mod router;

#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "server")]
pub use fezz_control_plane as control_plane;

pub use app::App;
#[cfg(feature = "server")]
pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use context::FunctionContext;
#[cfg(feature = "cookies")]
pub use cookie::{self, Cookie};
#[cfg(feature = "cookies")]
pub use cookies::Cookies;
#[cfg(feature = "json")]
pub use data::{RequestData, ResponseData};
pub use error::{Error, FezzError, IntoError};
pub use extract::FromRequest;
#[cfg(feature = "json")]
pub use extract::{Form, Json, Path, Query};
pub use fezz_macro::{fezz_app, fezz_function};
#[cfg(feature = "json")]
pub use fezz_macro::{fezz_request, fezz_response};
#[cfg(feature = "json")]
pub use fezz_wire::owned::FezzWireResponse;
#[cfg(feature = "server")]
pub use function::FezzFunction;
pub use headers::{Headers, IntoHeaders};
pub use http;
pub use http::{Method, StatusCode};
pub use into_loaded::IntoLoaded;
pub use into_response::IntoResponse;
pub use load_context::LoadContext;
pub use manifest::{Function, FunctionManifest, FunctionRoute};
#[cfg(any(feature = "postgres", feature = "redis"))]
pub use pool::PoolError;
#[cfg(feature = "postgres")]
pub use pool::postgres;
#[cfg(feature = "redis")]
pub use pool::redis;
pub use redirect::Redirect;
pub use rejection::Rejection;
pub use request::FezzRequest;
pub use response::{Body, FezzResponse, IntoStatus};
pub use router::{Handler, Router};
#[cfg(feature = "server")]
pub use server::{HhrfConfig, HhrfServer};

/// A request, by the name that says where it comes from.
pub type FezzHttpRequest<T = ()> = FezzRequest<T>;

/// A response, by the name that says where it goes.
pub type FezzHttpResponse<B = Body> = FezzResponse<B>;

/// Short for [`FezzRequest`].
pub type Request<T = ()> = FezzRequest<T>;

/// Short for [`FezzResponse`].
pub type Response<B = Body> = FezzResponse<B>;

/// Short for [`FunctionContext`].
pub type Context = FunctionContext;

/// For the code that the macros print only.
#[doc(hidden)]
pub mod __shim {
    pub use crate::app::AppCell;
    pub use crate::shim::{
        FezzOwned, FezzSlice, block_on, free, handle, on_fork, on_load, on_unload, prepare,
    };
    #[cfg(feature = "json")]
    pub use serde;
}

/// What most functions need: `use fezz::prelude::*`. Without [`Error`]: `fezz::Error` is clearer than another `Error`.
pub mod prelude {
    #[cfg(feature = "server")]
    pub use crate::function::OwnedFunctionManifest;
    pub use crate::{
        Bytes, Context, FezzError, FezzHttpRequest, FezzHttpResponse, FezzRequest, FezzResponse, FromRequest,
        FunctionContext, FunctionManifest, Headers, IntoResponse, Method, Redirect, Rejection, Request,
        Response, Router, StatusCode, fezz_app, fezz_function,
    };
    #[cfg(feature = "cookies")]
    pub use crate::{Cookie, Cookies};
    #[cfg(feature = "server")]
    pub use crate::{FezzFunction, HhrfConfig, HhrfServer, async_trait};
    #[cfg(feature = "json")]
    pub use crate::{FezzWireResponse, Form, Json, Path, Query, fezz_request, fezz_response};
}

/// The Rust of the guides, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/author.md")]
#[doc = include_str!("../../../docs/introduction.md")]
#[cfg_attr(feature = "tower", doc = include_str!("../../../docs/guides/axum.md"))]
#[cfg_attr(all(feature = "cookies", feature = "testing"), doc = include_str!("../../../docs/guides/cookies.md"))]
#[doc = include_str!("../../../docs/guides/caching.md")]
#[cfg_attr(feature = "postgres", doc = include_str!("../../../docs/guides/database.md"))]
#[doc = include_str!("../../../docs/guides/http-client.md")]
#[cfg_attr(feature = "server", doc = include_str!("../../../docs/guides/control-plane.md"))]
#[doc = include_str!("../../../docs/guides/worker.md")]
#[cfg_attr(feature = "server", doc = include_str!("../../../docs/guides/embed.md"))]
#[cfg_attr(feature = "testing", doc = include_str!("../../../docs/guides/tests.md"))]
#[cfg_attr(feature = "testing", doc = include_str!("../../../docs/tutorial.md"))]
mod guides {}
