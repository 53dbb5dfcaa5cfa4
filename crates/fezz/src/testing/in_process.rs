//! The function in the test's own process.

use super::answer::Answer;
use super::call::{Client, Serve};
use crate::variables::resource_variable;
use crate::{FezzRequest, Function, FunctionManifest, LoadContext, shim};
use fezz_manifest::{Limits, Manifest, Metadata, RoutePattern};
use fezz_sandbox::routes::Params;
use fezz_sandbox::{Fault, Request};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Calls a function in the test's own process, with neither a jail nor a deadline.
///
/// `on_load` is called before the first request of each client. A static that it sets is one for all tests of the
/// process. A panic is answered 500, as in the host.
pub type InProcess = Client<Direct>;

/// The function, and what it is told.
pub struct Direct {
    function: Box<dyn Function + Send + Sync>,
    routes: Vec<RoutePattern>,
    env: BTreeMap<String, String>,
    loaded: OnceLock<Result<(), String>>,
}

impl InProcess {
    /// For the function that `#[fezz_function]` or `#[fezz_app]` stands on: `HelloFunction::new()` for `fn hello`.
    pub fn new(function: impl Function + Send + Sync + 'static) -> Self {
        let (routes, env) = (patterns(function.manifest()), BTreeMap::new());
        let server = Direct { function: Box::new(function), routes, env, loaded: OnceLock::new() };
        Self { server }
    }

    /// Sets a variable of the manifest's `env` or `secrets`, as [`FunctionContext::env`](crate::FunctionContext::env) and
    /// [`LoadContext::env`] have it. `std::env::var` doesn't: a test that sets it there disturbs other tests.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.server.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the URL of a resource, as [`FunctionContext::resource`](crate::FunctionContext::resource) and
    /// [`LoadContext::resource`] have it.
    #[must_use]
    pub fn resource(self, name: &str, url: &str) -> Self {
        self.env(&resource_variable(name), url)
    }
}

/// The routes, as a host reads them of the module's section. The macro has checked them.
fn patterns(manifest: &FunctionManifest) -> Vec<RoutePattern> {
    let routes = manifest.routes.iter();
    let routes = routes.map(|route| match route.methods {
        [] => serde_json::json!({"path": route.path}),
        methods => serde_json::json!({"path": route.path, "method": methods}),
    });
    let json = serde_json::json!({
        "id": manifest.id, "version": manifest.version, "entry": "test.so", "routes": routes.collect::<Vec<_>>(),
    });
    let name = fezz_manifest::names::full_name(manifest.id, manifest.version);
    let manifest = Manifest::parse(json.to_string().as_bytes(), &name).expect("the macro checks each value");
    manifest.routes(&Metadata::default()).expect("the macro checks each route")
}

impl Direct {
    fn load(&self) -> Result<(), String> {
        let manifest = self.function.manifest();
        let context = LoadContext::new().with_function(manifest.id, manifest.version);
        let context = self.env.iter().fold(context, |context, (name, value)| context.with_env(name, value));
        shim::called(|| self.function.on_load(&context))
    }

    fn call(&self, request: FezzRequest) -> crate::FezzResponse {
        let context = request.context().clone();
        let context = self.env.iter().fold(context, |context, (name, value)| context.with_env(name, value));
        self.function.call(request.with_context(context))
    }
}

impl Serve for Direct {
    fn routes(&self) -> &[RoutePattern] {
        &self.routes
    }

    fn serve(&self, request: &Request, params: &Params) -> Answer {
        if let Err(failure) = self.loaded.get_or_init(|| self.load()) {
            return Answer::refused(503, "module_failed", failure);
        }
        let manifest = self.function.manifest();
        let addressee = fezz_sandbox::Addressee {
            function: manifest.id,
            version: manifest.version,
            timeout: manifest.deadline,
        };
        let message = shim::answer(&request.encode(addressee, params), |request| self.call(request));
        Answer::new(Fault::or_response(&message, Limits::default().response_body_bytes), b"")
    }
}
