#![deny(warnings)]
use fezz::prelude::*;

#[fezz_function(on_load = context)]
fn load(_: FezzRequest) {}

fn context(call: &fezz::LoadContext) -> Result<(), String> {
    call.env("LIMIT").map(drop).ok_or("LIMIT is missing".to_owned())
}

fn main() {}
