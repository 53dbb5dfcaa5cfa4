use fezz::prelude::*;

#[fezz_request]
struct ListTodosQuery<'a> {
    tag: &'a str,
}

fn main() {}
