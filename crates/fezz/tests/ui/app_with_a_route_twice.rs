use fezz::prelude::*;

#[fezz_app]
fn app() -> Router {
    Router::new().get("/todos", || "todos").get("/todos", || "again")
}

fn main() {}
