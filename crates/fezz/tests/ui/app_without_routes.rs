use fezz::prelude::*;

const PATH: &str = "/todos";

#[fezz_app]
fn app() -> Router {
    Router::new().get(PATH, || "todos")
}

fn main() {}
