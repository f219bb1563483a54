//! The baseline of `ci/bench-server`: an axum handler that reads and writes the same JSON as a chat, and does
//! nothing else: no store, no limit, no metrics. `cargo run --release -p tenancy --example plain --
//! 127.0.0.1:8080`

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Chat<'a> {
    tenant_id: &'a str,
    session_id: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Reply<'a> {
    tenant_id: &'a str,
    session_id: &'a str,
    reply: String,
    model: &'a str,
    mock: bool,
}

async fn chat(body: Bytes) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), StatusCode> {
    let invalid = |_| StatusCode::UNPROCESSABLE_ENTITY;
    let Chat { tenant_id, session_id, message } = serde_json::from_slice(&body).map_err(invalid)?;
    let reply = format!("Welcome to {tenant_id}! We received: {message}");
    let reply = Reply { tenant_id, session_id, reply, model: "mock", mock: true };
    let body = serde_json::to_vec(&reply).map_err(invalid)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, Router::new().route("/chat", post(chat))).await
}
