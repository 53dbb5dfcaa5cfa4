use fezz::prelude::*;

#[fezz_app]
fn app() -> Router {
    Router::new().get("/todos", todos)
}

fn todos(_: u32) -> String {
    String::new()
}

fn main() {}
