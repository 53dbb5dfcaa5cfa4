use fezz::prelude::*;

#[fezz_function]
fn todos(_: Request, _: Context, _: u32) -> &'static str {
    "todos"
}

fn main() {}
