//! Which route of a function a request takes, with the parameters in its path, as the host finds it.

use fezz_manifest::RoutePattern;
use std::collections::BTreeMap;

/// Parameters by name, percent-decoded.
pub(crate) type Params = BTreeMap<String, String>;

/// A parameter isn't text.
#[derive(Debug, thiserror::Error)]
#[error("the path parameter `{name}` is not UTF-8 once percent-decoded: a host answers 400")]
pub(crate) struct NotText {
    name: String,
}

/// The parameters of the route that `method` and `path` take; `None` if there is none. A route for the method wins over
/// one for any, and HEAD takes the routes of GET. Domains aren't considered: there is no host name here.
pub(crate) fn find(routes: &[RoutePattern], method: &str, path: &str) -> Result<Option<Params>, NotText> {
    let of_method =
        |name: &'static str| move |route: &&RoutePattern| route.methods.iter().any(|own| own == name);
    let own = routes.iter().filter(|route| route.methods.iter().any(|own| own == method));
    let get = routes.iter().filter(of_method("GET")).filter(|_| method == "HEAD");
    let any = routes.iter().filter(|route| route.methods.is_empty());
    let found = in_trie(own, path).or_else(|| in_trie(get, path)).or_else(|| in_trie(any, path));
    found.map(decode).transpose()
}

/// The same for a request that calls the function by its name: it is answered whatever the method. Without parameters
/// if no route has the path.
pub(crate) fn find_by_name(routes: &[RoutePattern], method: &str, path: &str) -> Result<Params, NotText> {
    match find(routes, method, path)? {
        Some(params) => Ok(params),
        None => in_trie(routes.iter(), path).map_or_else(|| Ok(Params::new()), decode),
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
        let check = |method, path, expected: Option<&[(&str, &str)]>| {
            let expected =
                expected.map(|pairs| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
            assert_eq!(find(&routes, method, path).unwrap(), expected, "{method} {path}");
        };
        check("GET", "/a/7%20x", Some(&[("id", "7 x")]));
        check("HEAD", "/a/7", Some(&[("id", "7")]));
        check("POST", "/a/7", Some(&[("any", "7")]));
        check("GET", "/a/b", Some(&[]));
        check("GET", "/c", None);
        let by_name = |method, path| find_by_name(&routes[..1], method, path).unwrap();
        assert_eq!(by_name("PUT", "/a/7"), Params::from([("id".to_owned(), "7".to_owned())]));
        assert_eq!(by_name("PUT", "/c"), Params::new());
        assert!(find(&routes, "GET", "/a/%ff").unwrap_err().to_string().contains("`id` is not UTF-8"));
    }
}
