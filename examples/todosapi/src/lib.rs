// curl localhost:3000/api/todos ; curl --json '{"title": "learn Rust"}' localhost:3000/api/todos
//! A to-do list: one function, several routes, dispatched on method and path.
//!
//! Each request has a process of its own, so nothing stays in memory: the list always has the same three items, and the
//! answer to a new item shows it as it would be stored, with the next id. A real function would use a database.

use fezz::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Longer titles would break the layout of lists.
const TITLE_CHARACTERS_MAX: usize = 200;

const SEED: [Todo; 3] = [
    Todo { id: 1, title: Cow::Borrowed("buy milk"), done: true },
    Todo { id: 2, title: Cow::Borrowed("write a function"), done: false },
    Todo { id: 3, title: Cow::Borrowed("take a walk"), done: false },
];

#[derive(Serialize)]
struct Todo {
    id: u32,
    title: Cow<'static, str>,
    done: bool,
}

/// A client's request. The title is optional here, so that a missing title gets the same kind of answer as a wrong one.
#[derive(Deserialize)]
struct NewTodo {
    title: Option<String>,
    #[serde(default)]
    done: bool,
}

/// The error for a value that the client must fix.
#[derive(Serialize)]
struct Invalid {
    field: &'static str,
    error: String,
}

#[fezz_function(
    id = "todos",
    version = "latest",
    description = "a to-do list",
    method = ["GET", "POST"],
    path = ["/hello", "/api/todos", "/api/todos/{id}"],
)]
fn todos(request: Request) -> Response {
    match (request.method(), own_path(request.path())) {
        ("GET", "/" | "/hello") => Response::text("Hello from todos!\n"),
        ("GET", "/api/todos") => Response::json(&SEED),
        ("POST", "/api/todos") => create(&request),
        ("GET", path) if let Some(id) = path.strip_prefix("/api/todos/") => show(id),
        _ => Response::text("not found\n").with_status(404),
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

fn show(id: &str) -> Response {
    let id = id.parse().ok();
    match SEED.iter().find(|todo| Some(todo.id) == id) {
        Some(todo) => Response::json(todo),
        None => Response::text("no such todo\n").with_status(404),
    }
}

fn create(request: &Request) -> Response {
    match request.json().map_err(|error| invalid("body", error)).and_then(checked) {
        Ok(todo) => {
            let location = format!("/api/todos/{}", todo.id);
            Response::json(&todo).with_status(201).with_header("Location", location)
        }
        Err(invalid) => Response::json(&invalid).with_status(422),
    }
}

fn checked(new: NewTodo) -> Result<Todo, Invalid> {
    let title = new.title.ok_or_else(|| invalid("title", "is missing"))?;
    let characters = title.chars().count();
    if title.trim().is_empty() {
        return Err(invalid("title", "is empty"));
    }
    if characters > TITLE_CHARACTERS_MAX {
        let error = format!("has {characters} characters, the limit is {TITLE_CHARACTERS_MAX}");
        return Err(invalid("title", error));
    }
    let id = SEED.iter().map(|todo| todo.id).max().unwrap_or(0) + 1;
    Ok(Todo { id, title: title.into(), done: new.done })
}

fn invalid(field: &'static str, error: impl ToString) -> Invalid {
    Invalid { field, error: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: Request, status: u16, body: &str) {
        let response = todos(request);
        assert_eq!(String::from_utf8_lossy(response.body()), body);
        assert_eq!(response.status(), status);
    }

    fn post(body: &str) -> Request {
        Request::new("POST", "/api/todos").with_body(body)
    }

    #[test]
    fn routes_answer_on_their_own_paths_and_below_rpc() {
        let second = r#"{"id":2,"title":"write a function","done":false}"#;
        for prefix in ["", "/rpc/todos@latest", "/rpc/todos"] {
            let get = |path: &str| Request::new("GET", &format!("{prefix}{path}"));
            check(get("/hello"), 200, "Hello from todos!\n");
            check(get("/api/todos/2?verbose=1"), 200, second);
            check(get("/api/todos/9"), 404, "no such todo\n");
            check(get("/api/todos/x"), 404, "no such todo\n");
            check(get("/other"), 404, "not found\n");
        }
        check(Request::new("GET", "/rpc/todos@latest"), 200, "Hello from todos!\n");
    }

    #[test]
    fn the_list_has_three_todos() {
        let response = todos(Request::new("GET", "/api/todos"));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(String::from_utf8_lossy(response.body()).matches("\"id\"").count(), 3);
    }

    #[test]
    fn a_new_todo_is_answered_with_its_place() {
        let response = todos(post(r#"{"title": "learn Rust"}"#));
        assert_eq!(response.status(), 201);
        assert_eq!(response.header("location"), Some("/api/todos/4"));
        assert_eq!(response.body(), br#"{"id":4,"title":"learn Rust","done":false}"#);
    }

    #[test]
    fn a_wrong_field_is_named() {
        check(post("{}"), 422, r#"{"field":"title","error":"is missing"}"#);
        check(post(r#"{"title": " "}"#), 422, r#"{"field":"title","error":"is empty"}"#);
        check(post("nonsense"), 422, r#"{"field":"body","error":"body is not JSON"}"#);
        let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(201));
        check(post(&long), 422, r#"{"field":"title","error":"has 201 characters, the limit is 200"}"#);
    }
}
