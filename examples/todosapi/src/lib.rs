// curl localhost:3000/api/todos ; curl --json '{"title": "learn Rust"}' localhost:3000/api/todos
//! A to-do list: one function, several routes.
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

#[fezz_app(id = "todos", version = "latest", description = "a to-do list")]
fn app() -> Router {
    Router::new()
        // What the function answers where it is called by its name alone: /rpc/todos.
        .get("/", hello)
        .get("/hello", hello)
        .get("/api/todos", list)
        .post("/api/todos", create)
        .get("/api/todos/{id}", show)
}

fn hello() -> &'static str {
    "Hello from todos!\n"
}

fn list() -> Json<[Todo; 3]> {
    Json(SEED)
}

fn show(Path(id): Path<u32>) -> Result<Json<Todo>, FezzResponse> {
    let found = SEED.into_iter().find(|todo| todo.id == id);
    found.map(Json).ok_or_else(|| FezzResponse::error(StatusCode::NOT_FOUND, "no such todo"))
}

/// Reads JSON whatever its content type is: curl's -d says that it is a form. `Json<NewTodo>` as a parameter insists on
/// `application/json`.
fn create(request: FezzRequest) -> Result<FezzResponse, FezzError> {
    let new: NewTodo = request.json()?;
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
        let response = AppFunction::new().call(request);
        (response.status(), String::from_utf8_lossy(response.bytes()).into_owned())
    }

    fn post(body: &str) -> FezzRequest {
        FezzRequest::new("POST", "/api/todos").with_body(body)
    }

    #[test]
    fn each_route_has_its_answer() {
        let get = |path: &str| call(FezzRequest::new("GET", path));
        assert_eq!(get("/"), (200, "Hello from todos!\n".to_owned()));
        assert_eq!(get("/hello"), (200, "Hello from todos!\n".to_owned()));
        let second = r#"{"id":2,"title":"write a function","done":false}"#;
        assert_eq!(get("/api/todos/2?verbose=1"), (200, second.to_owned()));
        assert_eq!(["/api/todos/9", "/api/todos/x", "/other"].map(|path| get(path).0), [404, 400, 404]);
    }

    #[test]
    fn the_list_has_three_todos() {
        let (status, list) = call(FezzRequest::new("GET", "/api/todos"));
        assert_eq!((status, list.matches("\"id\"").count()), (200, 3));
    }

    #[test]
    fn a_new_todo_is_answered_with_its_place() {
        let response = AppFunction::new().call(post(r#"{"title": "learn Rust"}"#));
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
