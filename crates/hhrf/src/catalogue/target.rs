//! What routes lead to.

use super::function::Function;
use fezz_manifest::RoutePattern;
use std::sync::Arc;

/// Where the routes of an id lead, and `/rpc/<id>`: to its latest version. Whatever divides an id's requests between
/// several releases belongs here.
#[derive(Debug)]
pub(crate) struct Target {
    function: Arc<Function>,
}

impl Target {
    /// Leads to one function.
    pub(super) fn new(function: &Arc<Function>) -> Arc<Self> {
        Arc::new(Self { function: Arc::clone(function) })
    }

    /// The function that serves the next request.
    pub(crate) fn choose(&self) -> &Arc<Function> {
        &self.function
    }

    /// The function that has the routes, and their conflicts.
    pub(super) fn owner(&self) -> &Arc<Function> {
        &self.function
    }

    pub(super) fn routes(&self) -> &[RoutePattern] {
        &self.function.release.routes
    }
}
