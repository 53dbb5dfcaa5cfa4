//! Prints what stands beside the author's function: its manifest as a value, and a type that calls it.

use crate::args::{Args, Route};
use crate::hooks;
use crate::tokens::number;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::Visibility;

/// The names of what is printed.
pub(crate) struct Names {
    /// `HelloFunction`.
    pub(crate) companion: Ident,
    /// `HELLO_MANIFEST`.
    manifest: Ident,
}

impl Names {
    pub(crate) fn of(function: &Ident) -> Self {
        let name = function.to_string();
        let name = name.trim_start_matches("r#");
        Self {
            companion: format_ident!("{}Function", camel_case(name), span = function.span()),
            manifest: format_ident!("{}_MANIFEST", name.to_uppercase(), span = function.span()),
        }
    }
}

/// ```text
/// pub struct HelloFunction;
/// impl HelloFunction {
///     pub const fn new() -> Self { Self }
///     pub fn manifest(&self) -> &'static ::fezz::FunctionManifest { &HELLO_MANIFEST }
///     pub fn call(&self, request: ::fezz::FezzRequest) -> ::fezz::FezzResponse { ... }
/// }
/// impl ::fezz::Function for HelloFunction { ... }
/// pub static HELLO_MANIFEST: ::fezz::FunctionManifest = ...;
/// ```
///
/// `app` builds an app.
pub(crate) fn print(
    names: &Names,
    visibility: &Visibility,
    args: &Args,
    call: &TokenStream,
    app: Option<&TokenStream>,
) -> TokenStream {
    let Names { companion, manifest } = names;
    let Args { id, version, description, .. } = args;
    let routes = args.routes();
    let (method, path) = first(&routes);
    let routes = routes.iter().map(
        |Route { path, methods }| quote!(::fezz::FunctionRoute { path: #path, methods: &[#(#methods),*] }),
    );
    let deadline = number(args.timeout_ms);
    let timeout = number(args.timeout_ms.div_ceil(1000));
    // In the scope of `call`'s tokens.
    let request = Ident::new("request", Span::mixed_site());
    let implementation = implementation(names, args, app);
    quote! {
        #[doc = "The function as a value, made by `#[fezz_function]`."]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug, ::core::default::Default)]
        #visibility struct #companion;

        impl #companion {
            #[doc = "The function."]
            #visibility const fn new() -> Self {
                Self
            }

            #[doc = "What its attribute says."]
            #visibility fn manifest(&self) -> &'static ::fezz::FunctionManifest {
                &#manifest
            }

            #[doc = "Answers a request as in the host: reads what the function takes, calls it, makes the response."]
            #visibility fn call(&self, #request: ::fezz::FezzRequest) -> ::fezz::FezzResponse {
                #call
            }
        }

        #implementation

        #[doc = "What the function's attribute says, made by `#[fezz_function]`."]
        #visibility static #manifest: ::fezz::FunctionManifest = ::fezz::FunctionManifest {
            id: #id,
            version: #version,
            method: #method,
            path: #path,
            timeout: #timeout,
            description: #description,
            routes: &[#(#routes),*],
            deadline: ::core::time::Duration::from_millis(#deadline),
        };

        // Counts as a use, so that the author isn't told of dead code.
        const _: () = {
            let _ = #companion::new;
            let _ = #companion::manifest;
            let _ = #companion::call;
        };
    }
}

fn implementation(names: &Names, args: &Args, app: Option<&TokenStream>) -> TokenStream {
    let Names { companion, manifest } = names;
    let [request, context] = ["request", "context"].map(|name| Ident::new(name, Span::mixed_site()));
    let load = hooks::load(args, app);
    let unload = args.on_unload.as_ref().map(|path| {
        quote! {
            fn on_unload(&self) {
                let unload: fn() = #path;
                unload()
            }
        }
    });
    quote! {
        impl ::fezz::Function for #companion {
            fn manifest(&self) -> &'static ::fezz::FunctionManifest {
                &#manifest
            }

            fn on_load(
                &self,
                #context: &::fezz::LoadContext,
            ) -> ::core::result::Result<(), ::fezz::FezzError> {
                #load
            }

            fn call(&self, #request: ::fezz::FezzRequest) -> ::fezz::FezzResponse {
                #companion::call(self, #request)
            }

            #unload
        }
    }
}

/// The first route, for who needs one only: its first method, `*` for any, and its path.
fn first(routes: &[Route]) -> (String, String) {
    let Some(Route { path, methods }) = routes.first() else { return ("*".to_owned(), String::new()) };
    (methods.first().map_or("*", String::as_str).to_owned(), path.clone())
}

/// `list_todos` as `ListTodos`.
fn camel_case(name: &str) -> String {
    let mut camel = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.extend(letters);
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::Names;
    use proc_macro2::{Ident, Span};

    #[test]
    fn names_follow_the_functions() {
        for (function, companion, manifest) in [
            ("hello", "HelloFunction", "HELLO_MANIFEST"),
            ("list_todos", "ListTodosFunction", "LIST_TODOS_MANIFEST"),
            ("_a1_b", "A1BFunction", "_A1_B_MANIFEST"),
        ] {
            let names = Names::of(&Ident::new(function, Span::call_site()));
            assert_eq!(
                (names.companion.to_string(), names.manifest.to_string()),
                (companion.into(), manifest.into())
            );
        }
        let raw = Names::of(&Ident::new_raw("match", Span::call_site()));
        assert_eq!(raw.companion.to_string(), "MatchFunction");
    }
}
