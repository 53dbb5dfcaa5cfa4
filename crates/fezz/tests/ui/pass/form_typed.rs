#![deny(warnings)]
use fezz::prelude::*;

#[fezz_request]
#[derive(Debug)]
struct ListTodosQuery {
    limit: usize,
}

#[fezz_response]
#[derive(Clone)]
struct Todo {
    id: usize,
}

#[fezz_function(id = "todo-list", version = "v1", method = "GET", path = "/api/todos")]
async fn fetch(req: FezzRequest<ListTodosQuery>) -> FezzResponse<Json<Vec<Todo>>> {
    let FezzRequest { data: ListTodosQuery { limit }, .. } = req;
    Json((0..limit).map(|id| Todo { id }).collect()).into()
}

fn main() {
    let call = |url| FetchFunction::new().call(FezzRequest::new("GET", url));
    assert_eq!(call("/api/todos?limit=2").bytes(), br#"[{"id":0},{"id":1}]"#);
    let wrong = call("/api/todos?limit=x");
    assert_eq!((wrong.status(), wrong.get_header("content-type")), (400, Some("application/problem+json")));
    assert!(str::from_utf8(wrong.bytes()).unwrap().contains(r#""field":"limit""#));
    assert_eq!((FETCH_MANIFEST.id, FETCH_MANIFEST.version), ("todo-list", "v1"));
}
