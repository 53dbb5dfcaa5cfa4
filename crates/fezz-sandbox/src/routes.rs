//! Which route of a function a request takes, with the parameters in its path, as the host finds it.

use crate::request::{self, Request};
use fezz_manifest::RoutePattern;
use fezz_manifest::rpc::CallByName;
use std::collections::BTreeMap;

/// Parameters by name, percent-decoded.
pub type Params = BTreeMap<String, String>;

/// A parameter isn't text.
#[derive(Debug, thiserror::Error)]
#[error("the path parameter `{name}` is not UTF-8 once percent-decoded: a host answers 400")]
pub struct NotText {
    name: String,
}

/// What a request finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A route, with its parameters.
    Route(Params),
    /// The path, for other methods only, which are these, sorted: a host answers 405.
    OtherMethods(Vec<String>),
    /// Nothing: a host answers 404.
    Nothing,
}

/// The route that `method` and `path` take. A route for the method wins over one for any, and HEAD takes the routes of
/// GET. Domains aren't considered: there is no host name here.
pub fn find(routes: &[RoutePattern], method: &str, path: &str) -> Result<Found, NotText> {
    let of_method =
        |name: &'static str| move |route: &&RoutePattern| route.methods.iter().any(|own| own == name);
    let own = routes.iter().filter(|route| route.methods.iter().any(|own| own == method));
    let get = routes.iter().filter(of_method("GET")).filter(|_| method == "HEAD");
    let any = routes.iter().filter(|route| route.methods.is_empty());
    let found = in_trie(own, path).or_else(|| in_trie(get, path)).or_else(|| in_trie(any, path));
    match found {
        Some(params) => decode(params).map(Found::Route),
        None => Ok(of_other_methods(routes, path)),
    }
}

fn of_other_methods(routes: &[RoutePattern], path: &str) -> Found {
    let leads_here = |route: &&RoutePattern| in_trie(std::iter::once(*route), path).is_some();
    let mut allowed: Vec<String> =
        routes.iter().filter(leads_here).flat_map(|route| route.methods.iter().cloned()).collect();
    if allowed.iter().any(|method| method == "GET") {
        allowed.push("HEAD".to_owned());
    }
    allowed.sort();
    allowed.dedup();
    if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
}

/// The route that a request takes. One that calls the function by its name, below `/rpc/`, is answered whatever its
/// method and path; it has the parameters of the route that its path would take.
pub fn of_request(routes: &[RoutePattern], request: &Request) -> Result<Found, NotText> {
    let method = &request.method;
    let Some(call) = CallByName::parse(&request.uri) else { return find(routes, method, request.path()) };
    let path = request::path(&call.uri);
    match find(routes, method, path)? {
        Found::Route(params) => Ok(Found::Route(params)),
        _ => in_trie(routes.iter(), path).map_or_else(|| Ok(Params::new()), decode).map(Found::Route),
    }
}

fn in_trie<'a>(routes: impl Iterator<Item = &'a RoutePattern>, path: &str) -> Option<Vec<(String, String)>> {
    let mut trie = matchit::Router::new();
    for route in routes {
        // A route that conflicts with an earlier one: for this function both lead to the same.
        trie.insert(&route.path, ()).ok();
    }
    let found = trie.at(path).ok()?;
    Some(found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn decode(params: Vec<(String, String)>) -> Result<Params, NotText> {
    let decoded = params.into_iter().map(|(name, value)| {
        match percent_encoding::percent_decode_str(&value).decode_utf8() {
            Ok(text) => Ok((name, text.into_owned())),
            Err(_) => Err(NotText { name }),
        }
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_manifest::{Manifest, Metadata};

    #[test]
    fn a_request_takes_the_route_that_the_host_would_find() {
        let json = r#"{"id": "f", "version": "v1", "entry": "f.so", "routes": [
            {"path": "/a/{id}", "method": "GET"}, {"path": "/a/{any}"}, {"path": "/a/b", "method": "GET"}]}"#;
        let manifest = Manifest::parse(json.as_bytes(), "f@v1").unwrap();
        let routes = manifest.routes(&Metadata::default()).unwrap();
        let route = |pairs: &[(&str, &str)]| {
            Found::Route(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
        };
        let check = |method, path, expected: Found| {
            assert_eq!(find(&routes, method, path).unwrap(), expected, "{method} {path}");
        };
        check("GET", "/a/7%20x", route(&[("id", "7 x")]));
        check("HEAD", "/a/7", route(&[("id", "7")]));
        check("POST", "/a/7", route(&[("any", "7")]));
        check("GET", "/a/b", route(&[]));
        check("GET", "/c", Found::Nothing);
        let only_get = [routes[2].clone()];
        let allowed = Found::OtherMethods(vec!["GET".to_owned(), "HEAD".to_owned()]);
        assert_eq!(find(&only_get, "POST", "/a/b").unwrap(), allowed);
        assert!(find(&routes, "GET", "/a/%ff").unwrap_err().to_string().contains("`id` is not UTF-8"));
    }
}
