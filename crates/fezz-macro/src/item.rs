//! Parses the item below the attribute, and refuses one that can't be a function of Fezz.

use proc_macro2::{Ident, Span, TokenStream};
use syn::spanned::Spanned;
use syn::{FnArg, Item, ReturnType, Safety, Signature, Type, Visibility};

const FORM: &str = "expected `fn name(req: FezzRequest, ctx: &FunctionContext) -> FezzResponse`, or `async fn`, with any \
                    parameters that implement `fezz::FromRequest` and any return type that implements \
                    `fezz::IntoResponse`";

/// As many as a function has in Rust's own traits at most, and more than a reader can follow.
const PARAMETERS_MAX: usize = 16;

/// What the shim needs to know about the author's function.
pub(crate) struct Function {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// The location for an error about the return type: that of the type, or of the name if it has none.
    pub(crate) output: Span,
}

/// What the function is called with.
pub(crate) struct Parameter {
    /// Its type, without the `&`.
    pub(crate) extractor: Type,
    pub(crate) is_reference: bool,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        let item: Item = syn::parse2(item)?;
        let Item::Fn(function) = item else {
            return Err(refuse(&item, "`#[fezz_function]` stands on something that is no function"));
        };
        let signature = function.sig;
        refuse_qualifiers(&signature)?;
        refuse_generics(&signature)?;
        Ok(Self {
            visibility: function.vis,
            parameters: parameters(&signature)?,
            is_async: signature.asyncness.is_some(),
            output: match &signature.output {
                ReturnType::Default => signature.ident.span(),
                ReturnType::Type(_, output) => output.span(),
            },
            name: signature.ident,
        })
    }
}

fn refuse_qualifiers(signature: &Signature) -> syn::Result<()> {
    if let Some(constness) = &signature.constness {
        return Err(refuse(constness, "function is `const`, but answers at run time"));
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        return Err(refuse(unsafety, "function is `unsafe`, but its caller has no condition to meet"));
    }
    match &signature.abi {
        Some(abi) => {
            Err(refuse(abi, "function is `extern`, but the C functions around it are the macro's to print"))
        }
        None => Ok(()),
    }
}

fn refuse_generics(signature: &Signature) -> syn::Result<()> {
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        return Err(refuse(
            &generics.params,
            "function is generic, but has one caller, which can't choose a type",
        ));
    }
    match &generics.where_clause {
        Some(clause) => Err(refuse(clause, "function has a `where` clause, but no generics to bound")),
        None => Ok(()),
    }
}

fn parameters(signature: &Signature) -> syn::Result<Vec<Parameter>> {
    let count = signature.inputs.len();
    if count > PARAMETERS_MAX {
        let wrong = format!("function takes {count} parameters, the limit is {PARAMETERS_MAX}");
        return Err(refuse(&signature.inputs, &wrong));
    }
    signature.inputs.iter().map(parameter).collect()
}

fn parameter(input: &FnArg) -> syn::Result<Parameter> {
    let typed = match input {
        FnArg::Receiver(receiver) => {
            return Err(refuse(receiver, "function takes `self`, but there is no object"));
        }
        FnArg::Typed(typed) => typed,
    };
    match &*typed.ty {
        Type::ImplTrait(_) => Err(refuse(&typed.ty, "parameter is `impl Trait`, but has one caller")),
        Type::Reference(reference) if reference.mutability.is_some() => {
            Err(refuse(&typed.ty, "parameter is `&mut`: take it by value, as `mut req: FezzRequest`"))
        }
        Type::Reference(reference) => {
            Ok(Parameter { extractor: (*reference.elem).clone(), is_reference: true })
        }
        named => Ok(Parameter { extractor: named.clone(), is_reference: false }),
    }
}

impl Parameter {
    /// Whether it is the request itself, by its name. Only a matter of cost: it then gets the original, not a copy.
    pub(crate) fn is_request(&self) -> bool {
        let Type::Path(path) = &self.extractor else { return false };
        let last = path.path.segments.last();
        last.is_some_and(|last| {
            ["FezzRequest", "FezzHttpRequest", "Request"].iter().any(|name| last.ident == name)
        })
    }
}

fn refuse(at: &impl Spanned, wrong: &str) -> syn::Error {
    syn::Error::new(at.span(), format!("{wrong}\n{FORM}"))
}

#[cfg(test)]
mod tests {
    use super::Function;

    fn check(item: &str, expected: &str) {
        let error = Function::parse(item.parse().unwrap()).err().expect("the item is wrong").to_string();
        assert!(error.contains(expected), "{item}: {error}");
    }

    #[test]
    fn what_cannot_be_a_function_is_refused_by_name() {
        check("struct Todos;", "no function");
        check(&format!("fn f({}) {{}}", "a: u8,".repeat(17)), "takes 17 parameters, the limit is 16");
        check("fn f(&self) {}", "takes `self`");
        check("fn f(self, r: Request) {}", "takes `self`");
        check("fn f<T>(r: T) {}", "is generic");
        check("fn f<'a>(r: Request) -> &'a str {}", "is generic");
        check("fn f(r: Request) where Request: Copy {}", "`where` clause");
        check("fn f(r: impl Into<Request>) {}", "`impl Trait`");
        check("fn f(r: &mut Request) {}", "is `&mut`");
        check("const fn f(r: Request) {}", "is `const`");
        check("unsafe fn f(r: Request) {}", "is `unsafe`");
        check("extern \"C\" fn f(r: Request) {}", "is `extern`");
    }

    #[test]
    fn an_async_function_with_a_context_is_seen_as_one() {
        let item =
            "pub async fn todos(r: fezz::FezzRequest<T>, _: &FunctionContext) -> u8 { 1 }".parse().unwrap();
        let function = Function::parse(item).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(function.name, "todos");
        let parameters: Vec<_> =
            function.parameters.iter().map(|each| (each.is_request(), each.is_reference)).collect();
        assert_eq!(parameters, [(true, false), (false, true)]);
        assert!(function.is_async);
    }
}
