use fezz::prelude::*;

#[fezz_function(on_fork = reseed)]
fn todos(_: Request) -> &'static str {
    "todos"
}

unsafe fn reseed() {}

fn main() {}
