//! `axum-select ADDRESS URL CONNECTIONS`: asks Postgres for a number, with axum and the pool that fezz has.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use std::error::Error;
use tokio::net::TcpListener;
use tokio_postgres::NoTls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, url, connections] = arguments.as_slice() else {
        return Err("usage: axum-select ADDRESS URL CONNECTIONS".into());
    };
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(url.parse()?, NoTls, config);
    let pool = Pool::builder(manager).max_size(connections.parse()?).build()?;
    // Otherwise an answer waits until the client acknowledges the previous one.
    let listener = TcpListener::bind(address).await?.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, Router::new().route("/", get(select)).with_state(pool)).await?;
    Ok(())
}

async fn select(State(pool): State<Pool>) -> Result<String, StatusCode> {
    ask(&pool).await.map_err(|error| {
        eprintln!("{error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

async fn ask(pool: &Pool) -> Result<String, Box<dyn Error + Send + Sync>> {
    let number: i32 = pool.get().await?.query_one("SELECT 1", &[]).await?.get(0);
    Ok(number.to_string())
}
