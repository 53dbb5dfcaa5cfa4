//! All routes, and which of them a request takes.

use super::method::RouteMethod;
use super::route::Route;
use fezz_manifest::routing::{NotText, Params, Table, decode};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The routes of a cluster or a host. Clones share them.
///
/// A request takes the route of the highest [priority](Route::priority) among those that match. At one priority a route for
/// the exact method wins over one for any; among these the more exact path wins: at the first segment in which two paths
/// differ, a text before `{name}` before `{*rest}`. `HEAD` takes a route for `GET` where there is none for `HEAD`.
///
/// Its functions are async, so that callers need not change if a table lies elsewhere one day. They wait for nothing but
/// a lock that is held for a lookup or a change; lookups don't exclude each other.
///
/// # Example
///
/// The routes of a store's functions:
///
/// ```
/// use fezz_control_plane::{FunctionStore, Route, RouteError, RouteTable, StoreEvent};
///
/// async fn follow(store: &dyn FunctionStore, table: &RouteTable) -> Result<(), Box<dyn std::error::Error>> {
///     let (listing, mut watcher) = store.list_and_watch().await?;
///     for entry in &listing.entries {
///         table.add(Route::try_from(&entry.manifest)?).await;
///     }
///     while let Some(event) = watcher.recv().await {
///         let routes = match &event {
///             StoreEvent::Added(entry) | StoreEvent::Updated(entry) => vec![Route::try_from(&entry.manifest)?],
///             StoreEvent::Removed(_) => vec![],
///         };
///         table.set(event.id(), routes).await;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RouteTable(Arc<RwLock<Routes>>);

/// The route that a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch {
    /// The route.
    pub route: Arc<Route>,
    /// As in the request's path, still percent-encoded.
    pub encoded_params: Params,
    /// Whether the route is for GET, though the request is HEAD: the function is called by GET, and the body left out.
    pub is_get: bool,
}

#[derive(Debug, Default)]
struct Routes {
    by_priority: BTreeMap<Reverse<i32>, Table<Arc<Route>>>,
    by_function: HashMap<String, Vec<Arc<Route>>>,
}

impl RouteTable {
    /// A table without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route. Returns the one that it replaces: of its method, its priority, and its path but for the names of
    /// parameters.
    pub async fn add(&self, route: Route) -> Option<Route> {
        self.write().add(route)
    }

    /// Removes all routes to a function, and returns them.
    pub async fn remove(&self, function: &str) -> Vec<Route> {
        self.write().remove(function)
    }

    /// Makes `routes` the routes to a function, in one step: no request finds the function without a route meanwhile.
    /// Returns the routes that it had. As by [`add`](Self::add), other functions lose the routes that these replace.
    pub async fn set(&self, function: &str, routes: impl IntoIterator<Item = Route>) -> Vec<Route> {
        // What the caller's iterator does is no part of what others wait for.
        let routes: Vec<_> = routes.into_iter().collect();
        let mut table = self.write();
        let before = table.remove(function);
        for route in routes {
            table.add(route);
        }
        before
    }

    /// The route for a request of that path, which is without the query, and method.
    pub async fn find(&self, path: &str, method: &str) -> Option<RouteMatch> {
        let routes = self.read();
        let found = routes.by_priority.values().find_map(|table| table.find(method, path))?;
        let route = Arc::clone(found.value);
        Some(RouteMatch { route, encoded_params: found.params, is_get: found.is_get })
    }

    /// The methods that have a route for the path: where [`find`](Self::find) returns `None` and this is not empty, the
    /// answer is 405 with `Allow`, not 404.
    pub async fn methods(&self, path: &str) -> BTreeSet<String> {
        let mut methods = BTreeSet::new();
        self.read().by_priority.values().for_each(|table| table.collect_methods(path, &mut methods));
        methods
    }

    // A change that panics could leave a route half removed at worst; requests go on with the rest.
    fn read(&self) -> RwLockReadGuard<'_, Routes> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Routes> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RouteMatch {
    /// The function to which the route leads.
    pub fn function(&self) -> &str {
        self.route.function()
    }

    /// The parameters by name, percent-decoded.
    ///
    /// # Errors
    ///
    /// One is not UTF-8 then. The answer is 400: that the request takes this route is certain.
    pub fn params(&self) -> Result<BTreeMap<String, String>, NotText> {
        decode(self.encoded_params.clone())
    }
}

impl Routes {
    fn add(&mut self, route: Route) -> Option<Route> {
        let route = Arc::new(route);
        let table = self.by_priority.entry(Reverse(route.get_priority())).or_default();
        let replaced = table.replace(method_of(&route), route.path(), Arc::clone(&route));
        if let Some(replaced) = &replaced
            && let Some(others) = self.by_function.get_mut(replaced.function())
        {
            others.retain(|other| !Arc::ptr_eq(other, replaced));
            if others.is_empty() {
                self.by_function.remove(replaced.function());
            }
        }
        self.by_function.entry(route.function().to_owned()).or_default().push(route);
        replaced.map(Arc::unwrap_or_clone)
    }

    fn remove(&mut self, function: &str) -> Vec<Route> {
        let routes = self.by_function.remove(function).unwrap_or_default();
        for route in &routes {
            let priority = Reverse(route.get_priority());
            let Some(table) = self.by_priority.get_mut(&priority) else { continue };
            table.remove(method_of(route), route.path());
            if table.is_empty() {
                self.by_priority.remove(&priority);
            }
        }
        routes.into_iter().map(Arc::unwrap_or_clone).collect()
    }
}

/// As [`Table`] has it: empty for any.
fn method_of(route: &Route) -> &str {
    match route.method() {
        RouteMethod::Any => "",
        method => method.as_str(),
    }
}

#[cfg(test)]
mod tests;
