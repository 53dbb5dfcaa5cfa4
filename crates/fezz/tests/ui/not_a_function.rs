use fezz::prelude::*;

#[fezz_function]
struct Todos;

fn main() {}
