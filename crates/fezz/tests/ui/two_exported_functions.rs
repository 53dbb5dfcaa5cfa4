use fezz::prelude::*;

#[fezz_function]
fn todos() {}

mod other {
    use fezz::prelude::*;

    #[fezz_function]
    fn users() {}
}

fn main() {}
