use fezz::prelude::*;

#[fezz_function(on_fork = reseed)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

async fn reseed() {}

fn main() {}
