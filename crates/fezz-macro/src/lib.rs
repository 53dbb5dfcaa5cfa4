//! The attribute macro of the crate `fezz`. Depend on that one: what the macro prints names `::fezz`.
//!
//! A pipeline, in the order that tokens pass it:
//!
//! - `args`: what stands in the attribute's parentheses, each value checked by the rules of the crate
//!   `fezz_manifest` (`value`).
//! - `item`: the item below the attribute; refuses one that can't be a function of Fezz.
//! - `manifest`: the arguments as the JSON that a module contains.
//! - `expand`: prints the item as it was written, then what stands beside it (`companion`, with the `call`), then the C
//!   functions and the manifest; `hooks`: the optional C functions, `tokens`: small pieces of what is printed.
//!
//! `app` prints the same for `#[fezz_app]`, with what `routes` finds in its source.
//!
//! And `dto`: the attributes of types that are read from requests and written to responses.

#![forbid(unsafe_code)]

mod args;
mod value;

mod item;

mod manifest;

mod expand;

mod companion;

mod call;

mod hooks;

mod tokens;

mod app;

mod routes;

mod dto;

use args::Args;
use dto::Direction;
use item::Function;
use proc_macro2::TokenStream;

/// Makes a function the one that its module serves.
///
/// ```text
/// #[fezz_function(
///     id = "todos",                     // [A-Za-z0-9_.-], begins with a letter or digit, at most 64 characters
///     version = "v3",                   // the same
///     description = "the to-do list",
///     timeout = 30,                     // in seconds; or "250ms", "30s"; at most an hour
///     method = ["GET", "HEAD"],         // or one, "GET"; "*" is any
///     path = "/api/todos/{id}",         // or a list
///     export = true,                    // false: not the function of this module
///     on_load = load,                   // the path of a `fn load(context: &fezz::LoadContext)`
///     on_fork = reseed,                 // the path of a `fn reseed()`
///     on_unload = close,                // the path of a `fn close()`
/// )]
/// async fn todos(req: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError>
/// ```
///
/// Each argument is optional. Left out, `id` is the crate's name, `version` "v1", `description` empty, `timeout` 30
/// seconds, `method` "GET" and `path` "/".
///
/// The function may be `async`. It takes what implements `fezz::FromRequest`, in any order, owned or by reference, and
/// returns what implements `fezz::IntoResponse`. It stays as written and can be called by unit tests.
///
/// # Several functions in one crate
///
/// A crate has one exported function: the one that its module serves. Every other has `export = false`.
///
/// # Before a request
///
/// - `on_load` is called once in each process that loads the module, before any request, to build what requests read.
///   It returns nothing, or a `Result<(), E>` with any error that a function may return. If it fails or panics, the
///   process serves no request: the client gets 503 `module_failed`, and the log has the error, or the panic's text and
///   location.
/// - `on_fork` is called in each forked process, before its request, to renew what two processes must not share: random
///   generators. It returns nothing. If it panics, the process aborts, so that no request is served with stale state:
///   the client gets 502 `function_crashed`, and the log has the panic's text and location.
/// - `on_unload` is called before a process ends in order that may serve more than one request: neither `spawn` nor
///   `fork` has such processes. It is best effort: a process that is killed isn't asked. Its panic is only logged.
///
/// The page of the crate `fezz` says when they are called, and what the processes share.
///
/// # What is printed
///
/// Beside the function `hello`:
///
/// - `HelloFunction`, with `new()`, `manifest()` and `call(request)`, which does all that happens to a request in the
///   module; and `static HELLO_MANIFEST: fezz::FunctionManifest`. Both are as visible as the function.
/// - Where it is exported, `fezz_handle_v2` and `fezz_free_v2`, the two C functions that a runner looks up, and the
///   arguments as JSON in the section `.fezz.manifest`, which the host and the tools read without running any code; also
///   `fezz_on_load_v2`, and with `on_fork` and `on_unload` `fezz_on_fork_v2` and `fezz_on_unload_v2`. The crate's Rust
///   code can't name them. A crate with `#![forbid(unsafe_code)]` may use the macro.
#[proc_macro_attribute]
pub fn fezz_function(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    or_error(item, |item| expand_function(args.into(), item))
}

/// Makes an app the one that its module serves: several routes in one function.
///
/// ```text
/// #[fezz_app(id = "todos", timeout = 5)]
/// fn app() -> Router {
///     Router::new().get("/api/todos", list).post("/api/todos", create).get("/api/todos/{id}", show)
/// }
/// ```
///
/// It stands on a function without parameters that returns a `fezz::Router` or, with the feature `tower`, any tower service,
/// such as `axum::Router`. It is called once in each process that loads the module, after `on_load`: under `fork`, no
/// request pays for it. The arguments are those of `#[fezz_function]`.
///
/// The routes stand in the module's manifest. They are found in the function's source, where their paths are texts in quotes:
/// by the methods of `fezz::Router`, and by `route` and `nest` of axum's (any method). Others are named by `path`; where it
/// is given, it alone counts.
#[proc_macro_attribute]
pub fn fezz_app(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    or_error(item, |item| app::print(syn::parse2(args.into())?, &item))
}

/// On a struct or enum: it can be read from a request, by `FezzRequest<T>`, `Json<T>`, `Query<T>`, `Form<T>` and
/// `Path<T>`. Derives serde's `Deserialize`, without a dependency on serde; `#[serde(..)]` below it works as usual.
#[proc_macro_attribute]
pub fn fezz_request(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    or_error(item, |item| dto::print(Direction::Request, &args.into(), item))
}

/// On a struct or enum: it can be written to a response, by `Json<T>` and `FezzResponse::json`. Derives serde's
/// `Serialize`, without a dependency on serde; `#[serde(..)]` below it works as usual.
#[proc_macro_attribute]
pub fn fezz_response(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    or_error(item, |item| dto::print(Direction::Response, &args.into(), item))
}

/// The expansion; where it fails, the error, with the item, so that those who use it aren't reported as well.
fn or_error(
    item: proc_macro::TokenStream,
    expand: impl FnOnce(TokenStream) -> syn::Result<TokenStream>,
) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    match expand(item.clone()) {
        Ok(expansion) => expansion,
        Err(error) => item.into_iter().chain(error.to_compile_error()).collect(),
    }
    .into()
}

fn expand_function(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let args: Args = syn::parse2(args)?;
    let function = Function::parse(item.clone())?;
    Ok(expand::print(&item, &function, &args))
}
