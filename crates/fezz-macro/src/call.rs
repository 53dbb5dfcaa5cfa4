//! Prints the call of the author's function: what it takes is read from the request, what it returns becomes the
//! response.

use crate::item::{Function, Parameter};
use crate::tokens::span_at;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

/// The body of a function from `request` to a response.
///
/// ```text
/// // Input:
/// async fn hello(req: FezzRequest, ctx: &FunctionContext) -> String
///
/// // Output:
/// let parameter1 = match <FunctionContext as ::fezz::FromRequest>::from_request(&request) {
///     Ok(value) => value,
///     Err(rejection) => return ::fezz::IntoResponse::into_response(rejection),
/// };
/// let parameter0 = match <FezzRequest as ::fezz::FromRequest>::from_owned(request) { ... };
/// let answer = hello(parameter0, &parameter1);
/// ::fezz::__shim::block_on(answer)
/// ```
///
/// Each parameter is read at its type and the answer stands at the return type, so that a wrong one is reported there
/// and not at the attribute. The request itself comes last: what others have read from, it can be given away.
pub(crate) fn print(function: &Function) -> TokenStream {
    let parameters = &function.parameters;
    let names: Vec<Ident> =
        (0..parameters.len()).map(|at| format_ident!("parameter{at}", span = Span::mixed_site())).collect();
    let given_away = match parameters.as_slice() {
        [_] => Some(0),
        several => several.iter().position(Parameter::is_request),
    };
    let in_order = (0..parameters.len()).filter(|at| Some(*at) != given_away).chain(given_away);
    let reads = in_order.map(|at| read(&parameters[at], &names[at], Some(at) == given_away));
    let arguments = parameters.iter().zip(&names).map(|(parameter, name)| argument(parameter, name));
    let name = &function.name;
    let output = span_at(function.output);
    let answer = Ident::new("answer", output);
    let response = if function.is_async {
        quote_spanned!(output=> ::fezz::__shim::block_on(#answer))
    } else {
        quote_spanned!(output=> ::fezz::IntoResponse::into_response(#answer))
    };
    // The macro's own scope: the author's function may be called `request` or `answer`.
    quote_spanned! { Span::mixed_site()=>
        let _ = &request;
        #(#reads)*
        let #answer = #name(#(#arguments),*);
        #response
    }
}

fn read(parameter: &Parameter, name: &Ident, is_given_away: bool) -> TokenStream {
    let extractor = &parameter.extractor;
    let at = span_at(extractor.span());
    let request = Ident::new("request", Span::mixed_site());
    let outcome = if is_given_away {
        quote_spanned!(at=> <#extractor as ::fezz::FromRequest>::from_owned(#request))
    } else {
        quote_spanned!(at=> <#extractor as ::fezz::FromRequest>::from_request(&#request))
    };
    quote_spanned! { Span::mixed_site()=>
        let #name = match #outcome {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(rejection) => return ::fezz::IntoResponse::into_response(rejection),
        };
    }
}

fn argument(parameter: &Parameter, name: &Ident) -> TokenStream {
    if parameter.is_reference {
        quote_spanned!(Span::mixed_site()=> &#name)
    } else {
        quote_spanned!(Span::mixed_site()=> #name)
    }
}
