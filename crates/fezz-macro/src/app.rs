//! `#[fezz_app]`: a function that builds a router, once for each process that loads the module.

use crate::args::Args;
use crate::companion::Names;
use crate::{expand, routes, tokens};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Item, ItemFn, ReturnType};

const FORM: &str =
    "expected `fn app() -> Router`, or `fn app() -> axum::Router` with the feature `tower` of fezz";

/// ```text
/// // Input:
/// #[fezz_app]
/// fn app() -> Router { Router::new().get("/todos", list) }
///
/// // Output: as of `#[fezz_function(path = "/todos", method = "GET")]`, but
/// impl AppFunction {
///     fn call(&self, request: ::fezz::FezzRequest) -> ::fezz::FezzResponse {
///         ::fezz::App::call(AppFunction.__app(), request)
///     }
///     fn __app(&self) -> &'static dyn ::fezz::App {
///         static APP: ::fezz::__shim::AppCell = ::fezz::__shim::AppCell::new();
///         ::fezz::__shim::AppCell::get(&APP, app)
///     }
/// }
/// // and `fezz_on_load_v2` calls `AppFunction.__app()`, after the author's `on_load`.
/// ```
pub(crate) fn print(mut args: Args, item: &TokenStream) -> syn::Result<TokenStream> {
    let function = parse(item.clone())?;
    if !args.has_paths() {
        let body = &function.block;
        args.found = routes::find(&quote!(#body), &function.sig.ident)?;
    }
    let names = Names::of(&function.sig.ident);
    let get = get(&function, &names);
    let request = Ident::new("request", Span::mixed_site());
    let companion = &names.companion;
    let call = quote_spanned!(Span::mixed_site()=> ::fezz::App::call(#companion.__app(), #request));
    Ok(expand::print_all(item, &names, &function.vis, &args, &call, Some(&get)))
}

fn parse(item: TokenStream) -> syn::Result<ItemFn> {
    let item: Item = syn::parse2(item)?;
    let refuse = |at: Span, wrong: &str| Err(syn::Error::new(at, format!("{wrong}\n{FORM}")));
    let function = match item {
        Item::Fn(function) => function,
        other => return refuse(other.span(), "`#[fezz_app]` stands on something that is no function"),
    };
    let signature = &function.sig;
    if signature.asyncness.is_some() {
        return refuse(signature.span(), "function is `async`, but is called while the module is loaded");
    }
    if !signature.inputs.is_empty() || !signature.generics.params.is_empty() {
        return refuse(signature.span(), "function takes parameters, but builds the app before any request");
    }
    if matches!(signature.output, ReturnType::Default) {
        return refuse(signature.span(), "function returns nothing");
    }
    Ok(function)
}

/// The app, built where it is first asked for. The conversion stands at the return type, so that a wrong one is reported
/// there.
fn get(function: &ItemFn, names: &Names) -> TokenStream {
    let companion = &names.companion;
    let name = &function.sig.ident;
    let output = match &function.sig.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, output) => output.span(),
    };
    let cell = quote_spanned!(tokens::span_at(output)=> ::fezz::__shim::AppCell::get(&APP, #name));
    quote! {
        impl #companion {
            #[doc(hidden)]
            fn __app(&self) -> &'static dyn ::fezz::App {
                static APP: ::fezz::__shim::AppCell = ::fezz::__shim::AppCell::new();
                #cell
            }
        }
    }
}
