use fezz::prelude::*;

#[fezz_function(on_load = load)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

struct Broken;

fn load(_: &fezz::LoadContext) -> Result<(), Broken> {
    Err(Broken)
}

fn main() {}
