// curl localhost:3000/api/todos ; curl --json '{"title": "learn Rust"}' localhost:3000/api/todos
//! A to-do list: one function, several routes, dispatched on method and path.
//!
//! Each request has a process of its own, so nothing stays in memory: the list always has the same three items, and the
//! answer to a new item shows it as it would be stored, with the next id. A real function would use a database.

use fezz::prelude::*;
use std::borrow::Cow;

/// Longer titles would break the layout of lists.
const TITLE_CHARACTERS_MAX: usize = 200;

const SEED: [Todo; 3] = [
    Todo { id: 1, title: Cow::Borrowed("buy milk"), done: true },
    Todo { id: 2, title: Cow::Borrowed("write a function"), done: false },
    Todo { id: 3, title: Cow::Borrowed("take a walk"), done: false },
];

#[fezz_response]
struct Todo {
    id: u32,
    title: Cow<'static, str>,
    done: bool,
}

#[fezz_request]
struct NewTodo {
    title: String,
    #[serde(default)]
    done: bool,
}

#[fezz_function(
    id = "todos",
    version = "latest",
    description = "a to-do list",
    method = ["GET", "POST"],
    path = ["/hello", "/api/todos", "/api/todos/{id}"],
)]
fn todos(request: FezzRequest) -> Result<FezzResponse, FezzError> {
    match (request.method.as_str(), own_path(&request.path)) {
        ("GET", "/" | "/hello") => Ok(FezzResponse::text("Hello from todos!\n")),
        ("GET", "/api/todos") => FezzResponse::json(&SEED),
        // Whatever its content type: curl's -d says that it is a form.
        ("POST", "/api/todos") => create(request.json()?),
        ("GET", path) if let Some(id) = path.strip_prefix("/api/todos/") => show(id),
        _ => Ok(FezzResponse::error(StatusCode::NOT_FOUND, "not found")),
    }
}

/// The path as in a route: under `/rpc/todos@latest` the host passes the requested path with this prefix, and sets no
/// parameters.
fn own_path(path: &str) -> &str {
    match path.strip_prefix("/rpc/") {
        Some(below) => below.find('/').map_or("/", |slash| &below[slash..]),
        None => path,
    }
}

fn show(id: &str) -> Result<FezzResponse, FezzError> {
    let id = id.parse().ok();
    match SEED.iter().find(|todo| Some(todo.id) == id) {
        Some(todo) => FezzResponse::json(todo),
        None => Ok(FezzResponse::error(StatusCode::NOT_FOUND, "no such todo")),
    }
}

fn create(new: NewTodo) -> Result<FezzResponse, FezzError> {
    check_title(&new.title)?;
    let id = SEED.iter().map(|todo| todo.id).max().unwrap_or(0) + 1;
    let todo = Todo { id, title: new.title.into(), done: new.done };
    let response = FezzResponse::json(&todo)?.with_status(StatusCode::CREATED);
    Ok(response.header("Location", format!("/api/todos/{id}")))
}

/// As for a missing title, the client is told which field it is.
fn check_title(title: &str) -> Result<(), Rejection> {
    let invalid = |wrong: String| Rejection::new(422, format!("title {wrong}")).with_field("title");
    let characters = title.chars().count();
    if title.trim().is_empty() {
        return Err(invalid("is empty".to_owned()));
    }
    if characters > TITLE_CHARACTERS_MAX {
        return Err(invalid(format!("has {characters} characters, the limit is {TITLE_CHARACTERS_MAX}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(request: FezzRequest) -> (u16, String) {
        let response = TodosFunction::new().call(request);
        (response.status(), String::from_utf8_lossy(response.bytes()).into_owned())
    }

    fn post(body: &str) -> FezzRequest {
        FezzRequest::new("POST", "/api/todos").with_body(body)
    }

    #[test]
    fn routes_answer_on_their_own_paths_and_below_rpc() {
        let second = r#"{"id":2,"title":"write a function","done":false}"#;
        for prefix in ["", "/rpc/todos@latest", "/rpc/todos"] {
            let get = |path: &str| call(FezzRequest::new("GET", &format!("{prefix}{path}")));
            assert_eq!(get("/hello"), (200, "Hello from todos!\n".to_owned()));
            assert_eq!(get("/api/todos/2?verbose=1"), (200, second.to_owned()));
            assert_eq!(get("/api/todos/9").0, 404);
            assert_eq!(get("/api/todos/x").0, 404);
            assert_eq!(get("/other").0, 404);
        }
        assert_eq!(call(FezzRequest::new("GET", "/rpc/todos@latest")).1, "Hello from todos!\n");
    }

    #[test]
    fn the_list_has_three_todos() {
        let (status, list) = call(FezzRequest::new("GET", "/api/todos"));
        assert_eq!((status, list.matches("\"id\"").count()), (200, 3));
    }

    #[test]
    fn a_new_todo_is_answered_with_its_place() {
        let response = TodosFunction::new().call(post(r#"{"title": "learn Rust"}"#));
        assert_eq!((response.status(), response.get_header("location")), (201, Some("/api/todos/4")));
        assert_eq!(response.bytes(), br#"{"id":4,"title":"learn Rust","done":false}"#);
    }

    #[test]
    fn a_wrong_field_is_named() {
        let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(201));
        for body in ["{}", r#"{"title": 7}"#, r#"{"title": " "}"#, &long] {
            let (status, problem) = call(post(body));
            assert!(status == 422 && problem.contains(r#""field":"title""#), "{body}: {problem}");
        }
        assert_eq!(call(post("nonsense")).0, 400);
    }
}
