//! Prints the C functions that a module may leave out: `fezz_on_load_v2`, which prepares what each request needs, and calls
//! the author's function where an argument names one; `fezz_on_fork_v2` and `fezz_on_unload_v2` only where an argument does.

use crate::args::Args;
use crate::tokens::span_at;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ExprPath;
use syn::spanned::Spanned;

/// The functions, with what the arguments ask for.
///
/// ```text
/// // Input:
/// #[fezz_function(on_load = load, on_fork = reseed)]
///
/// // Output:
/// #[unsafe(no_mangle)]
/// unsafe extern "C" fn fezz_on_load_v2(context: ...) -> ... {
///     let load: fn(&::fezz::LoadContext) -> _ = load;
///     let call = |context: &::fezz::LoadContext| -> ::core::result::Result<(), ::fezz::FezzError> {
///         let loaded = load(context);
///         ::fezz::IntoLoaded::into_loaded(loaded)
///     };
///     unsafe { ::fezz::__shim::on_load(context, call) }
/// }
/// #[unsafe(no_mangle)]
/// extern "C" fn fezz_on_fork_v2() {
///     let fork: fn() = reseed;
///     ::fezz::__shim::on_fork(fork)
/// }
/// ```
pub(crate) fn print(args: &Args, app: Option<&TokenStream>) -> TokenStream {
    let on_load = match &args.on_load {
        Some(path) => on_load(path, app),
        None => prepare(app),
    };
    let on_fork = args.on_fork.as_ref().map(on_fork);
    let on_unload = args.on_unload.as_ref().map(on_unload);
    quote! { #on_load #on_fork #on_unload }
}

/// `app` builds an app.
fn prepare(app: Option<&TokenStream>) -> TokenStream {
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        extern "C" fn fezz_on_load_v2(_: ::fezz::__shim::FezzSlice) -> ::fezz::__shim::FezzOwned {
            ::fezz::__shim::prepare(|| { #app })
        }
    }
}

// SAFETY of what is printed. `no_mangle`: as for the functions that every module has. `on_load` asks for a slice that
// is readable for the call, under which condition fezz.h lets the runner call.
//
// The type of `load` stands there for the author: a function of another shape is refused with both shapes, and so is
// one that is `unsafe`, which could be called here, in an unsafe function's body.
fn on_load(path: &ExprPath, app: Option<&TokenStream>) -> TokenStream {
    let at = span_at(path.span());
    let loaded = Ident::new("loaded", at);
    let outcome = quote_spanned!(at=> ::fezz::IntoLoaded::into_loaded(#loaded));
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_on_load_v2(context: ::fezz::__shim::FezzSlice) -> ::fezz::__shim::FezzOwned {
            let load: fn(&::fezz::LoadContext) -> _ = #path;
            let call = |context: &::fezz::LoadContext| -> ::core::result::Result<(), ::fezz::FezzError> {
                let #loaded = load(context);
                let outcome = #outcome;
                if ::core::result::Result::is_ok(&outcome) {
                    #app
                }
                outcome
            };
            unsafe { ::fezz::__shim::on_load(context, call) }
        }
    }
}

fn on_fork(path: &ExprPath) -> TokenStream {
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        extern "C" fn fezz_on_fork_v2() {
            let fork: fn() = #path;
            ::fezz::__shim::on_fork(fork)
        }
    }
}

fn on_unload(path: &ExprPath) -> TokenStream {
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        extern "C" fn fezz_on_unload_v2() {
            let unload: fn() = #path;
            ::fezz::__shim::on_unload(unload)
        }
    }
}
