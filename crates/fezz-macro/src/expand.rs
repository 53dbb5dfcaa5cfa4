//! Prints the code that replaces the attribute.

use crate::args::Args;
use crate::item::Function;
use crate::{hooks, manifest};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

/// The item as written, then the C functions and the manifest. (`hooks` prints those that an argument asks for.)
///
/// ```text
/// // Input:
/// #[fezz_function(path = "/hello")]
/// async fn hello(request: Request) -> String { ... }
///
/// // Output:
/// async fn hello(request: Request) -> String { ... }
///
/// const _: () = {
///     #[unsafe(no_mangle)]
///     unsafe extern "C" fn fezz_handle_v2(request: ...) -> ... {
///         let call = |request: ::fezz::Request, _: &::fezz::__shim::Meta<'_>| -> ::fezz::Response {
///             let answer = hello(request);
///             ::fezz::__shim::block_on(answer)
///         };
///         unsafe { ::fezz::__shim::handle(request, call) }
///     }
///     #[unsafe(no_mangle)]
///     unsafe extern "C" fn fezz_free_v2(buffer: ...) { unsafe { ::fezz::__shim::free(buffer) } }
///     #[used]
///     #[unsafe(link_section = ".fezz.manifest")]
///     static MANIFEST: [u8; 31] = *b"{\"routes\":[{\"path\":\"/hello\"}]}";
/// };
/// ```
///
/// The `const _` keeps the shim's names out of the author's. All its tokens have spans of this macro, never of the
/// author's source: the lint `unsafe_code` passes over what an external macro wrote, which is what lets a crate with
/// `#![forbid(unsafe_code)]` use it (`tests/ui/pass/forbid_unsafe_code.rs` in fezz holds us to that). An `#[allow]`
/// would not: under `forbid` it is an error itself.
pub(crate) fn print(item: &TokenStream, function: &Function, args: &Args) -> TokenStream {
    let shim = shim(function);
    let hooks = hooks::print(args);
    let manifest = manifest_static(&manifest::json(args));
    quote! {
        #item

        const _: () = {
            #shim
            #hooks
            #manifest
        };
    }
}

// SAFETY of what is printed. `no_mangle`: the two names are reserved for this macro, and two of them in one module are
// a linker's error. `handle` asks for a slice that is readable for the call, `free` for a buffer of `handle` that
// wasn't freed before: each passes on, unchanged, the condition under which fezz.h lets the runner call.
fn shim(function: &Function) -> TokenStream {
    let answer = answer(function);
    // Made only for a function that takes it: it reads the clock.
    let (meta, context) = match function.parameters.len() {
        2 => (
            quote_spanned!(Span::mixed_site()=> meta),
            quote_spanned!(Span::mixed_site()=> let context = ::fezz::__shim::context(meta);),
        ),
        _ => (quote!(_), TokenStream::new()),
    };
    // The macro's own scope: the author's function may be called `request` or `call`.
    quote_spanned! { Span::mixed_site()=>
        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_handle_v2(request: ::fezz::__shim::FezzSlice) -> ::fezz::__shim::FezzOwned {
            let call = |request: ::fezz::Request, #meta: &::fezz::__shim::Meta<'_>| -> ::fezz::Response {
                #context
                #answer
            };
            unsafe { ::fezz::__shim::handle(request, call) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn fezz_free_v2(buffer: ::fezz::__shim::FezzOwned) {
            unsafe { ::fezz::__shim::free(buffer) }
        }
    }
}

/// The call of the author's function. Each argument stands at its parameter's type and the answer at the return type,
/// so that a wrong one is reported there and not at the attribute.
fn answer(function: &Function) -> TokenStream {
    let arguments = function.parameters.iter().zip(["request", "context"]);
    let arguments = arguments.map(|(parameter, name)| Ident::new(name, span_at(parameter.span())));
    let name = &function.name;
    let output = span_at(function.output);
    let answer = Ident::new("answer", output);
    let response = if function.is_async {
        quote_spanned!(output=> ::fezz::__shim::block_on(#answer))
    } else {
        quote_spanned!(output=> ::fezz::IntoResponse::into_response(#answer))
    };
    quote_spanned! { Span::mixed_site()=>
        let #answer = #name(#(#arguments),*);
        #response
    }
}

/// A location in the author's source, in the macro's own scope.
pub(crate) fn span_at(location: Span) -> Span {
    location.resolved_at(Span::mixed_site())
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
