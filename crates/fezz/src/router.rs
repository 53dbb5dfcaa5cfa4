//! Several routes in one function.

use crate::{App, FezzRequest, FezzResponse, FromRequest, IntoResponse, Rejection, shim};
use http::Method;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// The routes of `#[fezz_app]`, each with a function. The most exact path wins: `/todos/new` before `/todos/{id}`, and that
/// before `/{*rest}`.
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_app(id = "todos")]
/// fn app() -> Router {
///     Router::new().get("/todos", list).post("/todos", create).get("/todos/{id}", show)
/// }
///
/// async fn list() -> &'static str {
///     "buy milk"
/// }
///
/// fn create(title: String) -> (StatusCode, String) {
///     (StatusCode::CREATED, title)
/// }
///
/// fn show(Path(id): Path<u32>, ctx: FunctionContext) -> String {
///     format!("todo {id} of {}", ctx.function_name())
/// }
///
/// let call = |method, path| AppFunction::new().call(FezzRequest::new(method, path));
/// assert_eq!(call("GET", "/todos").bytes(), b"buy milk");
/// assert_eq!(call("GET", "/todos/7").bytes(), b"todo 7 of test");
/// assert_eq!(call("GET", "/other").status(), 404);
/// let refused = call("DELETE", "/todos");
/// assert_eq!((refused.status(), refused.get_header("allow")), (405, Some("GET, HEAD, POST")));
/// ```
///
/// A function of a route may be async, takes what implements [`FromRequest`], owned, and returns what implements
/// [`IntoResponse`]. `HEAD` is answered by the function for `GET`.
#[derive(Default)]
pub struct Router {
    /// By their paths, as indices of `routes`.
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
    fallback: Option<Handling>,
}

struct Route {
    path: String,
    /// `None` is any method.
    methods: Vec<(Option<Method>, Handling)>,
}

type Handling = Box<dyn Fn(FezzRequest) -> FezzResponse + Send + Sync>;

impl Router {
    /// No routes: each request is answered by 404.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `GET` and `HEAD` of that path.
    ///
    /// # Panics
    ///
    /// As for every route: the path is no pattern, or conflicts with an earlier one. The module then fails to load, with
    /// this text in the log.
    #[must_use]
    pub fn get<M>(self, path: &str, handler: impl Handler<M>) -> Self {
        self.route(Some(Method::GET), path, handler)
    }

    /// Answers `POST` of that path.
    #[must_use]
    pub fn post<M>(self, path: &str, handler: impl Handler<M>) -> Self {
        self.route(Some(Method::POST), path, handler)
    }

    /// Answers `PUT` of that path.
    #[must_use]
    pub fn put<M>(self, path: &str, handler: impl Handler<M>) -> Self {
        self.route(Some(Method::PUT), path, handler)
    }

    /// Answers `PATCH` of that path.
    #[must_use]
    pub fn patch<M>(self, path: &str, handler: impl Handler<M>) -> Self {
        self.route(Some(Method::PATCH), path, handler)
    }

    /// Answers `DELETE` of that path.
    #[must_use]
    pub fn delete<M>(self, path: &str, handler: impl Handler<M>) -> Self {
        self.route(Some(Method::DELETE), path, handler)
    }

    /// Answers every method of that path that no other function of it answers.
    #[must_use]
    pub fn any<M>(self, path: &str, handler: impl Handler<M>) -> Self {
        self.route(None, path, handler)
    }

    /// Answers what no route does, instead of 404.
    #[must_use]
    pub fn fallback<M>(mut self, handler: impl Handler<M>) -> Self {
        self.fallback = Some(Box::new(move |request| handler.handle(request)));
        self
    }

    fn route<M>(mut self, method: Option<Method>, path: &str, handler: impl Handler<M>) -> Self {
        let at = self.at(path);
        let methods = &mut self.routes[at].methods;
        let is_twice = methods.iter().any(|(other, _)| *other == method);
        assert!(!is_twice, "route `{} {path}` stands twice in the router", shown(method.as_ref()));
        methods.push((method, Box::new(move |request| handler.handle(request))));
        self
    }

    /// The index of a path, which may have functions already.
    fn at(&mut self, path: &str) -> usize {
        if let Some(at) = self.routes.iter().position(|route| route.path == path) {
            return at;
        }
        let at = self.routes.len();
        if let Err(error) = self.paths.insert(path, at) {
            panic!("route `{path}` can't be added to the router: {error}");
        }
        self.routes.push(Route { path: path.to_owned(), methods: Vec::new() });
        at
    }
}

fn shown(method: Option<&Method>) -> &str {
    method.map_or("any", Method::as_str)
}

impl App for Router {
    fn call(&self, mut request: FezzRequest) -> FezzResponse {
        let Ok(found) = self.paths.at(&request.path) else {
            return match &self.fallback {
                Some(fallback) => fallback(request),
                None => FezzResponse::error(404, "this function has no such route"),
            };
        };
        let decoded =
            found.params.iter().map(|(name, value)| match percent_decode_str(value).decode_utf8() {
                Ok(value) => Ok((name.to_owned(), value.into_owned())),
                Err(error) => Err(Rejection::malformed("path", &error).with_field(name)),
            });
        let params: BTreeMap<String, String> = match decoded.collect() {
            Ok(params) => params,
            Err(rejection) => return rejection.into_response(),
        };
        let route = &self.routes[*found.value];
        request.set_params(params);
        route.call(request)
    }
}

impl Route {
    fn call(&self, request: FezzRequest) -> FezzResponse {
        let asked = if request.method == Method::HEAD { &Method::GET } else { &request.method };
        let of = |method: Option<&Method>| self.methods.iter().find(|(own, _)| own.as_ref() == method);
        let own = of(Some(&request.method)).or_else(|| of(Some(asked))).or_else(|| of(None));
        match own {
            Some((_, handling)) => handling(request),
            None => FezzResponse::error(405, "this route doesn't answer that method")
                .header("allow", self.allow()),
        }
    }

    fn allow(&self) -> String {
        let mut allow: Vec<&str> = Vec::new();
        for method in self.methods.iter().filter_map(|(method, _)| method.as_ref()) {
            allow.push(method.as_str());
            if method == Method::GET {
                allow.push("HEAD");
            }
        }
        allow.join(", ")
    }
}

/// A function that a [`Router`] may call: up to 8 parameters that implement [`FromRequest`], a return type that implements
/// [`IntoResponse`], async or not. `M` only tells these kinds apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't answer a route",
    note = "expected a function of up to 8 owned parameters that implement `fezz::FromRequest`, whose result, or future's, implements `fezz::IntoResponse`",
    note = "the context is `ctx: FunctionContext` here, not a reference"
)]
pub trait Handler<M>: Send + Sync + 'static {
    /// Reads the parameters, calls the function, makes the response.
    fn handle(&self, request: FezzRequest) -> FezzResponse;
}

/// Stands in `M` for a function that isn't async.
#[doc(hidden)]
pub struct Plain;

/// Stands in `M` for one that is.
#[doc(hidden)]
pub struct Async;

macro_rules! handler {
    ($($parameter:ident)*) => {
        impl<F, R, $($parameter: FromRequest),*> Handler<(Plain, R, $($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> R + Send + Sync + 'static,
            R: IntoResponse,
        {
            fn handle(&self, request: FezzRequest) -> FezzResponse {
                handler!(@call self request $($parameter)*).into_response()
            }
        }

        impl<F, R, $($parameter: FromRequest),*> Handler<(Async, R, $($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> R + Send + Sync + 'static,
            R: Future<Output: IntoResponse>,
        {
            fn handle(&self, request: FezzRequest) -> FezzResponse {
                shim::block_on(handler!(@call self request $($parameter)*))
            }
        }
    };
    // The only parameter gets the original.
    (@call $function:ident $request:ident $only:ident) => {
        $function(match $only::from_owned($request) {
            Ok(value) => value,
            Err(rejection) => return rejection.into_response(),
        })
    };
    (@call $function:ident $request:ident $($parameter:ident)*) => {{
        let _ = &$request;
        $function($(match $parameter::from_request(&$request) {
            Ok(value) => value,
            Err(rejection) => return rejection.into_response(),
        }),*)
    }};
}

handler!();
handler!(A);
handler!(A B);
handler!(A B C);
handler!(A B C D);
handler!(A B C D E);
handler!(A B C D E G);
handler!(A B C D E G H);
handler!(A B C D E G H I);
