//! The extractors of data: `Json`, `Form`, `Query`.

use crate::{
    FezzRequest, FezzResponse, FromRequest, IntoResponse, Rejection, RequestData, ResponseData, data,
};
use fezz_wire::ErrorKind;

/// JSON: as a parameter the body, as a return type 200 with the value.
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_request]
/// struct NewTodo {
///     title: String,
/// }
///
/// #[fezz_response]
/// struct Todo {
///     id: u32,
///     title: String,
/// }
///
/// #[fezz_function(method = "POST", path = "/api/todos")]
/// fn create(Json(new): Json<NewTodo>) -> (StatusCode, Json<Todo>) {
///     (StatusCode::CREATED, Json(Todo { id: 7, title: new.title }))
/// }
///
/// let post = |body| {
///     let request = FezzRequest::new("POST", "/api/todos").with_header("content-type", "application/json");
///     CreateFunction::new().call(request.with_body(body))
/// };
/// assert_eq!(post(r#"{"title": "buy milk"}"#).bytes(), br#"{"id":7,"title":"buy milk"}"#);
/// assert_eq!(post(r#"{"title": 7}"#).status(), 422);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(
    /// The value.
    pub T,
);

impl<T: RequestData> FromRequest for Json<T> {
    type Rejection = Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
        if !data::is_json(request) {
            return Err(data::wrong_type(request, "`application/json`"));
        }
        data::from_json(request.bytes()).map(Self)
    }

    fn is_present(request: &FezzRequest) -> bool {
        request.body.is_some()
    }
}

impl<T: ResponseData> IntoResponse for Json<T> {
    fn into_response(self) -> FezzResponse {
        FezzResponse::json(&self.0).into_response()
    }
}

/// A form, `application/x-www-form-urlencoded`: as a parameter the body, as a return type 200 with the value.
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_request]
/// struct Login {
///     name: String,
/// }
///
/// #[fezz_function(method = "POST", path = "/login")]
/// fn login(Form(login): Form<Login>) -> String {
///     format!("Hello, {}!", login.name)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<T>(
    /// The value.
    pub T,
);

impl<T: RequestData> FromRequest for Form<T> {
    type Rejection = Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
        if !data::is_form(request) {
            return Err(data::wrong_type(request, "`application/x-www-form-urlencoded`"));
        }
        data::from_form(request.bytes()).map(Self)
    }

    fn is_present(request: &FezzRequest) -> bool {
        request.body.is_some()
    }
}

impl<T: ResponseData> IntoResponse for Form<T> {
    fn into_response(self) -> FezzResponse {
        match serde_html_form::to_string(&self.0) {
            Ok(form) => {
                FezzResponse::new(200).header("content-type", "application/x-www-form-urlencoded").body(form)
            }
            Err(error) => {
                FezzResponse::failed(ErrorKind::Returned, format!("failed to write a form: {error}"))
            }
        }
    }
}

/// The query, decoded as a browser encodes a form. A name that stands several times is a `Vec`.
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_request]
/// struct Filter {
///     limit: Option<u32>,
/// }
///
/// #[fezz_function(path = "/api/todos")]
/// fn list(Query(filter): Query<Filter>) -> String {
///     format!("{:?}", filter.limit)
/// }
///
/// let call = |url| ListFunction::new().call(FezzRequest::new("GET", url));
/// assert_eq!(call("/api/todos?limit=3").bytes(), b"Some(3)");
/// assert_eq!(call("/api/todos").bytes(), b"None");
/// assert_eq!(call("/api/todos?limit=x").status(), 400);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(
    /// The value.
    pub T,
);

impl<T: RequestData> FromRequest for Query<T> {
    type Rejection = Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
        data::from_query(request.query().unwrap_or_default()).map(Self)
    }

    fn is_present(request: &FezzRequest) -> bool {
        request.query().is_some_and(|query| !query.is_empty())
    }
}
