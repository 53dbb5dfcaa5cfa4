//! Prints the code that replaces the attribute.

use crate::args::Args;
use crate::companion::{self, Names};
use crate::item::Function;
use crate::{call, hooks, manifest};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Visibility;

/// The item as written, what stands beside it, then the C functions and the manifest. (`companion`, `call` and `hooks`
/// print their parts.)
///
/// ```text
/// // Input:
/// #[fezz_function(path = "/hello")]
/// async fn hello(request: FezzRequest) -> String { ... }
///
/// // Output:
/// async fn hello(request: FezzRequest) -> String { ... }
///
/// struct HelloFunction; ...
/// static HELLO_MANIFEST: ::fezz::FunctionManifest = ...;
///
/// #[macro_export]
/// macro_rules! a_crate_exports_one_fezz_function__write_export_false_at_the_others { ... }
///
/// const _: () = {
///     #[unsafe(no_mangle)]
///     unsafe extern "C" fn fezz_handle_v2(request: ...) -> ... {
///         unsafe { ::fezz::__shim::handle(request, |request| HelloFunction.call(request)) }
///     }
///     #[unsafe(no_mangle)]
///     unsafe extern "C" fn fezz_free_v2(buffer: ...) { unsafe { ::fezz::__shim::free(buffer) } }
///     #[used]
///     #[unsafe(link_section = ".fezz.manifest")]
///     static MANIFEST: [u8; 99] = *b"{\"id\":\"hello\",\"routes\":[...],...}";
/// };
/// ```
///
/// The `const _` keeps the shim's names out of the author's. All its tokens have spans of this macro, never of the
/// author's source: the lint `unsafe_code` passes over what an external macro wrote, which is what lets a crate with
/// `#![forbid(unsafe_code)]` use it (`tests/ui/pass/forbid_unsafe_code.rs` in fezz holds us to that). An `#[allow]`
/// would not: under `forbid` it is an error itself.
pub(crate) fn print(item: &TokenStream, function: &Function, args: &Args) -> TokenStream {
    let names = Names::of(&function.name);
    print_all(item, &names, &function.visibility, args, &call::print(function), None)
}

/// The same for both attributes; `app` is what builds an app.
pub(crate) fn print_all(
    item: &TokenStream,
    names: &Names,
    visibility: &Visibility,
    args: &Args,
    call: &TokenStream,
    app: Option<&TokenStream>,
) -> TokenStream {
    let build = app.map(|_| build(names));
    let companion = companion::print(names, visibility, args, call, build.as_ref());
    let export = args.export.then(|| export(names, args, build.as_ref()));
    quote! {
        #item
        #companion
        #app
        #export
    }
}

/// Builds the app, while the module is loaded.
fn build(names: &Names) -> TokenStream {
    let companion = &names.companion;
    quote!(#companion.__app();)
}

/// What makes the crate a module with this function. `build` builds its app.
fn export(names: &Names, args: &Args, build: Option<&TokenStream>) -> TokenStream {
    let companion = &names.companion;
    let only_one = only_one(companion.span());
    let shim = shim(companion);
    let hooks = hooks::print(args, companion, build);
    let manifest = manifest_static(&manifest::json(args));
    quote! {
        #only_one

        const _: () = {
            #shim
            #hooks
            #manifest
        };
    }
}

/// A second function that is exported would define the C functions again, which is the linker's error, or one about a
/// symbol that the author hasn't written. An exported macro is a name of the whole crate, whatever module it stands in,
/// and so the compiler reports the second one with both places; the name says what to do.
fn only_one(at: Span) -> TokenStream {
    let rule = Ident::new("a_crate_exports_one_fezz_function__write_export_false_at_the_others", at);
    quote! {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! #rule {
            () => {};
        }
    }
}

// SAFETY of what is printed. `no_mangle`: the two names are reserved for this macro, and `only_one` keeps a second pair
// of them out of the crate. `handle` asks for a slice that is readable for the call, `free` for a buffer of `handle`
// that wasn't freed before: each passes on, unchanged, the condition under which fezz.h lets the runner call.
fn shim(companion: &Ident) -> TokenStream {
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_handle_v2(request: ::fezz::__shim::FezzSlice) -> ::fezz::__shim::FezzOwned {
            let call = |request: ::fezz::FezzRequest| -> ::fezz::FezzResponse { #companion.call(request) };
            unsafe { ::fezz::__shim::handle(request, call) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_free_v2(buffer: ::fezz::__shim::FezzOwned) {
            unsafe { ::fezz::__shim::free(buffer) }
        }
    }
}

/// Mach-O has no section names of ELF's form: segment and section, the latter of 16 characters at most.
fn manifest_static(manifest: &str) -> TokenStream {
    let bytes = manifest.len();
    let text = Literal::byte_string(manifest.as_bytes());
    quote! {
        #[used]
        #[cfg_attr(target_os = "linux", unsafe(link_section = ".fezz.manifest"))]
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__fezz_manifest"))]
        static MANIFEST: [u8; #bytes] = *#text;
    }
}
