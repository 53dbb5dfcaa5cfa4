//! The function `select`: asks Postgres for a number.

use fezz::LoadContext;
use fezz::postgres::Pool;
use fezz::prelude::*;

/// With the pool of the other worker, as many as `axum-select` has.
static DB: Pool = Pool::of("postgres").max(4);

fn load(context: &LoadContext) -> Result<(), FezzError> {
    DB.open(context)
}

#[fezz_function(path = "/", on_load = load)]
async fn select(_: FezzRequest) -> Result<String, fezz::Error> {
    let number: i32 = DB.get().await?.query_one("SELECT 1", &[]).await?.get(0);
    Ok(number.to_string())
}
