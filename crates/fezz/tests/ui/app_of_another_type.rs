use fezz::prelude::*;

#[fezz_app(path = "/")]
fn app() -> String {
    String::new()
}

fn main() {}
