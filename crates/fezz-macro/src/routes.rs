//! Finds the routes in the body of `#[fezz_app]`, so that they stand in the module's manifest. They are read from the
//! source, without running it: what a router is built from at run time has to be said by `path`.

use crate::args::Route;
use crate::value;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::LitStr;

/// Calls whose first argument is a path, and the method that they add: those of `fezz::Router`, then `route` of axum,
/// which takes the methods as code.
const OF_A_PATH: [(&str, &[&str]); 8] = [
    ("get", &["GET"]),
    ("post", &["POST"]),
    ("put", &["PUT"]),
    ("patch", &["PATCH"]),
    ("delete", &["DELETE"]),
    ("any", &[]),
    ("route", &[]),
    ("route_service", &[]),
];

/// Calls whose first argument is the beginning of paths.
const OF_A_PREFIX: [&str; 2] = ["nest", "nest_service"];

/// Calls that bring along routes from elsewhere.
const OF_OTHERS: [&str; 1] = ["merge"];

const FIX: &str = "so that the routes can be listed, name them: `#[fezz_app(path = [\"/api/todos\", \"/api/todos/{id}\"])]`, \
                   and the methods by `method`, `\"*\"` for any";

/// The routes, those of the same path as one.
pub(crate) fn find(function: &TokenStream, name: &proc_macro2::Ident) -> syn::Result<Vec<Route>> {
    let mut routes = Vec::new();
    search(function.clone(), &mut routes)?;
    if routes.is_empty() {
        return Err(syn::Error::new(name.span(), format!("no route found in `{name}`: {FIX}")));
    }
    Ok(routes)
}

/// Looks for `.name(arguments)` at each level.
fn search(tokens: TokenStream, routes: &mut Vec<Route>) -> syn::Result<()> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before = at.checked_sub(2).map(|from| &tokens[from..at]);
        if let Some([TokenTree::Punct(dot), TokenTree::Ident(called)]) = before
            && dot.as_char() == '.'
            && group.delimiter() == Delimiter::Parenthesis
        {
            add(&called.to_string(), group, routes)?;
        }
        search(group.stream(), routes)?;
    }
    Ok(())
}

fn add(called: &str, arguments: &Group, routes: &mut Vec<Route>) -> syn::Result<()> {
    if OF_OTHERS.contains(&called) {
        return Err(unlisted(arguments, called));
    }
    let of_a_path = OF_A_PATH.iter().find(|(name, _)| *name == called);
    let is_prefix = OF_A_PREFIX.contains(&called);
    if of_a_path.is_none() && !is_prefix || !has_two(arguments) {
        return Ok(());
    }
    let first: Option<TokenStream> = arguments.stream().into_iter().next().map(TokenStream::from);
    let Some(path) = first.and_then(|first| syn::parse2::<LitStr>(first).ok()) else {
        return Err(unlisted(arguments, called));
    };
    if let Some((_, methods)) = of_a_path {
        return add_route(&path, &path.value(), methods, routes);
    }
    let prefix = path.value();
    let prefix = prefix.trim_end_matches('/');
    add_route(&path, &format!("{prefix}/{{*rest}}"), &[], routes)?;
    add_route(&path, if prefix.is_empty() { "/" } else { prefix }, &[], routes)
}

/// A route is a path and what answers it; `map.get("key")` is none.
fn has_two(arguments: &Group) -> bool {
    let mut tokens = arguments.stream().into_iter();
    tokens.any(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ','))
}

fn add_route(at: &LitStr, path: &str, methods: &[&str], routes: &mut Vec<Route>) -> syn::Result<()> {
    let path = value::path(&LitStr::new(path, at.span()))?;
    let methods = methods.iter().map(|method| (*method).to_owned());
    let Some(known) = routes.iter_mut().find(|route| route.path == path) else {
        routes.push(Route { path, methods: methods.collect() });
        return Ok(());
    };
    let methods: Vec<String> = methods.collect();
    if let Some(twice) = methods.iter().find(|method| known.methods.contains(method)) {
        return Err(syn::Error::new(
            at.span(),
            format!("route `{twice} {path}` stands twice: remove one, or change its path or method"),
        ));
    }
    if methods.is_empty() || known.methods.is_empty() {
        // One of the two answers any method.
        known.methods.clear();
    } else {
        known.methods.extend(methods);
    }
    Ok(())
}

fn unlisted(at: &Group, called: &str) -> syn::Error {
    syn::Error::new(at.span(), format!("the path in `.{called}(..)` is no text in quotes here: {FIX}"))
}

#[cfg(test)]
mod tests {
    use super::find;
    use proc_macro2::{Ident, Span};

    fn routes(body: &str) -> Result<Vec<(String, String)>, String> {
        let name = Ident::new("app", Span::call_site());
        let found = find(&body.parse().unwrap(), &name).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|route| (route.methods.join(" "), route.path)).collect())
    }

    fn check(body: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(routes(body), Ok(expected), "{body}");
    }

    #[test]
    fn routes_are_read_from_the_source() {
        check("{ Router::new().get(\"/a\", list).post(\"/a\", create) }", &[("GET POST", "/a")]);
        check("{ if x { Router::new().any(\"/a\", |_| map.get(\"k\")) } }", &[("", "/a")]);
        check("{ Router::new().route(\"/b/{id}\", get(show)).layer(trace()) }", &[("", "/b/{id}")]);
        check("{ r.nest(\"/api/\", other()) }", &[("", "/api/{*rest}"), ("", "/api")]);
    }

    #[test]
    fn what_cannot_be_listed_is_refused_with_what_to_write() {
        for (body, expected) in [
            ("{ Router::new() }", "no route found in `app`"),
            ("{ Router::new().get(PATH, list) }", "the path in `.get(..)` is no text"),
            ("{ Router::new().get(\"/a\", list).merge(other()) }", "the path in `.merge(..)`"),
            (
                "{ r.get(\"/a\", x).get(\"/a\", y) }",
                "route `GET /a` stands twice: remove one, or change its path or method",
            ),
            ("{ r.get(\"a\", x) }", "path \"a\""),
        ] {
            let error = routes(body).expect_err("it can't be listed");
            assert!(error.contains(expected), "{body}: {error}");
        }
    }
}
