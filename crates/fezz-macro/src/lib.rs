//! The attribute macro of the crate `fezz`. Depend on that one: what the macro prints names `::fezz`.
//!
//! A pipeline, in the order that tokens pass it:
//!
//! - `args`: what stands in the attribute's parentheses, each value checked by the rules of the crate
//!   `fezz_manifest` (`value`).
//! - `item`: the item below the attribute; refuses one that can't be a function of Fezz.
//! - `manifest`: the arguments as the JSON that a module contains.
//! - `expand`: prints the item as it was written, then the C functions and the manifest; `hooks`: the optional C
//!   functions.

#![forbid(unsafe_code)]

mod args;
mod value;

mod item;

mod manifest;

mod expand;
mod hooks;

use args::Args;
use item::Function;
use proc_macro2::TokenStream;

/// Makes a function the one that its module serves.
///
/// ```text
/// #[fezz_function(
///     id = "todos",                     // [A-Za-z0-9_.-], begins with a letter or digit, at most 64 characters
///     version = "v3",                   // the same
///     description = "the to-do list",
///     timeout = "30s",                  // or "1500ms", or an integer of milliseconds; at most an hour
///     method = ["GET", "HEAD"],         // or one, "GET"; left out, any. Needs `path`
///     path = "/api/todos/{id}",         // or a list
///     on_load = load,                   // the path of a `fn load(context: &fezz::LoadContext)`
///     on_fork = reseed,                 // the path of a `fn reseed()`
/// )]
/// fn todos(request: Request, context: Context) -> Result<Response, fezz::Error>
/// ```
///
/// Each argument is optional, and so is the parameter `context`. The function may be `async`; it returns anything
/// that is `fezz::IntoResponse`. It stays as written and can be called by unit tests. A crate has one such function.
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
///
/// The page of the crate `fezz` says when they are called, and what the processes share.
///
/// # What is printed
///
/// Beside the function, `fezz_handle_v2` and `fezz_free_v2`, the two C functions that a runner looks up, and the
/// arguments as JSON in the section `.fezz.manifest`, which the host and the tools read without running any code. With
/// `on_load` also `fezz_on_load_v2`, with `on_fork` also `fezz_on_fork_v2`. The crate's Rust code can't name them.
/// A crate with `#![forbid(unsafe_code)]` may use the macro.
#[proc_macro_attribute]
pub fn fezz_function(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    match expand_function(args.into(), item.clone()) {
        Ok(expansion) => expansion,
        // The item is kept, so that its callers aren't reported as well.
        Err(error) => item.into_iter().chain(error.to_compile_error()).collect(),
    }
    .into()
}

fn expand_function(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let args: Args = syn::parse2(args)?;
    let function = Function::parse(item.clone())?;
    Ok(expand::print(&item, &function, &args))
}
