//! Prints what the hooks of a function call: `Function::on_load`, and the C functions that a module may leave out.
//! `fezz_on_load_v2` prepares what each request needs, and calls the author's function where an argument names one;
//! `fezz_on_fork_v2` and `fezz_on_unload_v2` only stand there where an argument does.

use crate::args::Args;
use crate::tokens::span_at;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ExprPath;
use syn::spanned::Spanned;

/// The body of `Function::on_load`, where the context is `context`. `app` builds an app.
///
/// ```text
/// // Input:
/// #[fezz_function(on_load = load)]
///
/// // Output:
/// let load: fn(&::fezz::LoadContext) -> _ = load;
/// let loaded = load(context);
/// ::fezz::IntoLoaded::into_loaded(loaded)
/// ```
///
/// The type of `load` stands there for the author: a function of another shape is refused with both shapes, and so is
/// one that is `unsafe`.
pub(crate) fn load(args: &Args, app: Option<&TokenStream>) -> TokenStream {
    let Some(path) = &args.on_load else {
        return quote_spanned!(Span::mixed_site()=> let _ = context; #app ::core::result::Result::Ok(()));
    };
    let at = span_at(path.span());
    let loaded = Ident::new("loaded", at);
    let outcome = quote_spanned!(at=> ::fezz::IntoLoaded::into_loaded(#loaded));
    let build = app
        .map(|app| quote_spanned!(Span::mixed_site()=> if ::core::result::Result::is_ok(&outcome) { #app }));
    quote_spanned! { Span::mixed_site()=>
        let load: fn(&::fezz::LoadContext) -> _ = #path;
        let #loaded = load(context);
        let outcome = #outcome;
        #build
        outcome
    }
}

/// The C functions, with what the arguments ask for.
///
/// ```text
/// // Input:
/// #[fezz_function(on_load = load, on_fork = reseed)]
///
/// // Output:
/// #[unsafe(no_mangle)]
/// unsafe extern "C" fn fezz_on_load_v2(context: ...) -> ... {
///     let call = |context: &::fezz::LoadContext| ::fezz::Function::on_load(&HelloFunction, context);
///     unsafe { ::fezz::__shim::on_load(context, call) }
/// }
/// #[unsafe(no_mangle)]
/// extern "C" fn fezz_on_fork_v2() {
///     let fork: fn() = reseed;
///     ::fezz::__shim::on_fork(fork)
/// }
/// ```
pub(crate) fn print(args: &Args, companion: &Ident, app: Option<&TokenStream>) -> TokenStream {
    let on_load = match &args.on_load {
        Some(_) => on_load(companion),
        None => prepare(app),
    };
    let on_fork = args.on_fork.as_ref().map(on_fork);
    let on_unload = args.on_unload.as_ref().map(on_unload);
    quote! { #on_load #on_fork #on_unload }
}

/// Without a function of the author's, the context isn't even decoded, only kept.
fn prepare(app: Option<&TokenStream>) -> TokenStream {
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_on_load_v2(context: ::fezz::__shim::FezzSlice) -> ::fezz::__shim::FezzOwned {
            unsafe { ::fezz::__shim::prepare(context, || { #app }) }
        }
    }
}

// SAFETY of what is printed. `no_mangle`: as for the functions that every module has. `on_load` asks for a slice that
// is readable for the call, under which condition fezz.h lets the runner call.
fn on_load(companion: &Ident) -> TokenStream {
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_on_load_v2(context: ::fezz::__shim::FezzSlice) -> ::fezz::__shim::FezzOwned {
            let call = |context: &::fezz::LoadContext| ::fezz::Function::on_load(&#companion, context);
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
