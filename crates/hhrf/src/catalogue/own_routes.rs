//! The routes of one function, for requests that call it by its name.

use fezz_manifest::RoutePattern;
use fezz_manifest::routing::{Params, Paths, Table};
use http::Method;

/// Finds the route that a request of this function would have come by. It decides nothing but the parameters: the function
/// answers whatever its routes are. Domains don't count. Of two routes that differ in nothing else, the first does.
#[derive(Debug)]
pub(crate) struct OwnRoutes {
    by_method: Table<()>,
    all: Paths<()>,
}

/// The function's own route for a request.
#[derive(Debug, Default)]
pub(crate) struct OwnRoute {
    /// Still percent-encoded.
    pub(crate) params: Params,
    /// Whether it is for GET, though the request is HEAD.
    pub(crate) is_get: bool,
}

impl OwnRoutes {
    pub(super) fn new(routes: &[RoutePattern]) -> Self {
        let (mut by_method, mut all) = (Table::default(), Paths::default());
        for route in routes {
            // A conflict is with an earlier route of the same function, which counts.
            by_method.insert(&route.methods, &route.path, &()).unwrap_or_default();
            all.insert(&route.path, ()).unwrap_or_default();
        }
        Self { by_method, all }
    }

    /// The route for the method, else one for another method; without parameters if there is none for the path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> OwnRoute {
        if let Some(found) = self.by_method.find(method.as_str(), path) {
            return OwnRoute { params: found.params, is_get: found.is_get };
        }
        let params = self.all.find(path).map(|((), params)| params);
        OwnRoute { params: params.unwrap_or_default(), is_get: false }
    }
}
