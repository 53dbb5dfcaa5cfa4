use fezz::prelude::*;

struct Todos;

impl Todos {
    #[fezz_function]
    fn list(&self, _: FezzRequest) -> &'static str {
        "todos"
    }
}

fn main() {}
