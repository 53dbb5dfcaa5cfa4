//! Which route of a function a request takes, with the parameters in its path, as the host finds it.

use crate::request::{self, Request};
use fezz_manifest::RoutePattern;
use fezz_manifest::routing::{self, Paths, Table};
use fezz_manifest::rpc::CallByName;
use std::collections::{BTreeMap, BTreeSet};

/// Parameters by name, percent-decoded.
pub type Params = BTreeMap<String, String>;

/// A parameter isn't text.
#[derive(Debug, thiserror::Error)]
#[error("{0}: a host answers 400")]
pub struct NotText(routing::NotText);

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
    let mut table = Table::default();
    for route in routes {
        // A conflict is with an earlier route of the same function: both lead to the same.
        table.insert(&route.methods, &route.path, &()).unwrap_or_default();
    }
    if let Some(found) = table.find(method, path) {
        return decode(found.params);
    }
    let mut allowed = BTreeSet::new();
    table.collect_methods(path, &mut allowed);
    Ok(if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed.into_iter().collect()) })
}

/// The route that a request takes. One that calls the function by its name, below `/rpc/`, is answered whatever its
/// method and path; it has the parameters of the route that its path would take.
pub fn of_request(routes: &[RoutePattern], request: &Request) -> Result<Found, NotText> {
    let method = &request.method;
    let Some(call) = CallByName::parse(&request.uri) else { return find(routes, method, request.path()) };
    let path = request::path(&call.uri);
    match find(routes, method, path)? {
        Found::Route(params) => Ok(Found::Route(params)),
        _ => decode(of_any_method(routes, path)),
    }
}

fn of_any_method(routes: &[RoutePattern], path: &str) -> routing::Params {
    let mut paths = Paths::default();
    for route in routes {
        paths.insert(&route.path, ()).unwrap_or_default();
    }
    paths.find(path).map(|((), params)| params).unwrap_or_default()
}

fn decode(params: routing::Params) -> Result<Found, NotText> {
    routing::decode(params).map(Found::Route).map_err(NotText)
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
