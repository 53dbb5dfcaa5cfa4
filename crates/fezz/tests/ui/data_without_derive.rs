use fezz::prelude::*;

struct ListTodosQuery {
    limit: usize,
}

#[fezz_function]
fn todos(req: FezzRequest<ListTodosQuery>) -> String {
    req.data().limit.to_string()
}

fn main() {}
