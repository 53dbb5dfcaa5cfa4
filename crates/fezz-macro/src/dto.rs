//! `#[fezz_request]` and `#[fezz_response]`: serde's derives, by fezz's own serde, so that the author's crate needs none.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Item};

/// One of the two attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What is read: `Deserialize`.
    Request,
    /// What is written: `Serialize`.
    Response,
}

const BOTH: [Direction; 2] = [Direction::Request, Direction::Response];

impl Direction {
    fn attribute(self) -> &'static str {
        match self {
            Self::Request => "fezz_request",
            Self::Response => "fezz_response",
        }
    }

    fn derive(self) -> TokenStream {
        match self {
            Self::Request => quote!(::fezz::__shim::serde::Deserialize),
            Self::Response => quote!(::fezz::__shim::serde::Serialize),
        }
    }
}

/// ```text
/// // Input:
/// #[fezz_request]
/// struct NewTodo { title: String }
///
/// // Output:
/// #[derive(::fezz::__shim::serde::Deserialize)]
/// #[serde(crate = "::fezz::__shim::serde")]
/// struct NewTodo { title: String }
/// ```
///
/// Where the other attribute stands below, this one does both, since serde takes `crate` only once.
pub(crate) fn print(direction: Direction, args: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !args.is_empty() {
        let wrong = format!("`#[{}]` takes no arguments: use `#[serde(..)]` below it", direction.attribute());
        return Err(syn::Error::new_spanned(args, wrong));
    }
    let mut item: Item = syn::parse2(item)?;
    let Some(attributes) = attributes(&mut item) else {
        let wrong = format!("`#[{}]` stands on something that is no struct or enum", direction.attribute());
        return Err(syn::Error::new_spanned(item, wrong));
    };
    let mut derives = vec![direction.derive()];
    let other = BOTH.into_iter().find(|other| *other != direction);
    if let Some(other) = other {
        let before = attributes.len();
        attributes.retain(|attribute| !is(attribute, other.attribute()));
        if attributes.len() < before {
            derives.push(other.derive());
        }
    }
    refuse_borrows(direction, &item)?;
    let krate = syn::LitStr::new("::fezz::__shim::serde", Span::call_site());
    Ok(quote! {
        #[derive(#(#derives),*)]
        #[serde(crate = #krate)]
        #item
    })
}

/// A request's data outlives the message that it is read from.
fn refuse_borrows(direction: Direction, item: &Item) -> syn::Result<()> {
    let generics = match item {
        Item::Struct(item) => &item.generics,
        Item::Enum(item) => &item.generics,
        _ => return Ok(()),
    };
    match generics.lifetimes().next() {
        Some(lifetime) if direction == Direction::Request => Err(syn::Error::new_spanned(
            lifetime,
            "the data of a request owns its fields: expected `String`, not `&str`",
        )),
        _ => Ok(()),
    }
}

fn attributes(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Struct(item) => Some(&mut item.attrs),
        Item::Enum(item) => Some(&mut item.attrs),
        _ => None,
    }
}

/// Whether it is that attribute, also as `#[fezz::fezz_response]`.
fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == name)
}
