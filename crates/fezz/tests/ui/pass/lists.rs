use fezz::prelude::*;

#[fezz_function(path = ["/a", "/b/{*rest}"], method = ["GET", "POST"], timeout = 1500)]
fn todos(_: FezzRequest) -> (u16, Vec<u8>) {
    (201, Vec::new())
}

fn main() {}
