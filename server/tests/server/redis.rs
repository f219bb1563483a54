//! Redis failures: killed, restarted, frozen, its scripts flushed, its keys modified.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tenancy::{App, Store};
use tokio::time::Instant;

use crate::support::{Redis, Replica, free_port, tenants, wait_for};

#[tokio::test]
async fn every_key_has_a_time_to_live() {
    let redis = Redis::start().await;
    let limits = [("acme", r#"{"chat_per_10s": 2, "chat_per_1h": 5}"#), ("globex", r#"{"chat_per_1m": 9}"#)];
    let replica = Replica::start(App::new(tenants(&limits), redis.store().await)).await;
    for tenant in ["acme", "globex"] {
        let session = replica.session(tenant).await;
        for _ in 0..4 {
            replica.chat(tenant, &session).await;
        }
    }
    let keys = redis.keys().await;
    assert_eq!(keys.len(), 5, "two sessions and three counters: {keys:?}");
    assert!(keys.values().all(|left| *left > 0), "{keys:?}");
    assert!(keys.keys().all(|key| key.contains("{acme}") || key.contains("{globex}")), "{keys:?}");
}

#[tokio::test]
async fn a_counter_that_lost_its_time_to_live_gets_one_again() {
    let redis = Redis::start().await;
    let replica =
        Replica::start(App::new(tenants(&[("acme", r#"{"chat_per_10s": 1}"#)]), redis.store().await)).await;
    let session = replica.session("acme").await;
    assert_eq!(replica.chat("acme", &session).await.status, 200);
    let mut connection = redis.connection().await.unwrap();
    let key = "tenancy:{acme}:chat:1:10";
    assert_eq!(::redis::cmd("PERSIST").arg(key).query_async(&mut connection).await, Ok(1));
    assert_eq!(replica.chat("acme", &session).await.status, 429);
    let left = redis.keys().await[key];
    assert!((1..=10_000).contains(&left), "{left}");
}

#[tokio::test]
async fn an_expired_session_is_unknown_and_consumes_nothing() {
    let redis = Redis::start().await;
    let replica = Replica::of(&redis.store().await).await;
    let session = replica.session("acme").await;
    let mut connection = redis.connection().await.unwrap();
    let key = format!("tenancy:{{acme}}:session:{session}");
    assert_eq!(::redis::cmd("PEXPIRE").arg(&key).arg(1).query_async(&mut connection).await, Ok(1));
    wait_for("the session to expire", async || redis.keys().await.is_empty()).await;
    assert_eq!(replica.chat("acme", &session).await.status, 404);
    assert_eq!(replica.chat("globex", &session).await.status, 404, "it belongs to no tenant");
    assert!(redis.keys().await.is_empty());
}

#[tokio::test]
async fn a_flushed_script_is_loaded_again() {
    let redis = Redis::start().await;
    let replica = Replica::of(&redis.store().await).await;
    let session = replica.session("acme").await;
    for left in ["7", "6", "5"] {
        let mut connection = redis.connection().await.unwrap();
        ::redis::cmd("SCRIPT").arg("FLUSH").query_async::<()>(&mut connection).await.unwrap();
        assert_eq!(replica.chat("acme", &session).await.header("x-ratelimit-remaining"), left);
    }
}

#[tokio::test]
async fn a_killed_redis_causes_503_and_its_return_recovery() {
    let mut redis = Redis::start().await;
    let replica = Replica::of(&redis.store().await).await;
    let session = replica.session("acme").await;
    assert_eq!(replica.get("/readyz").await.status, 200);

    redis.kill();
    for _ in 0..3 {
        let started = Instant::now();
        let response = replica.chat("acme", &session).await;
        assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
        assert_eq!((response.status, response.header("retry-after")), (503, "1"));
        assert_eq!(response.json(), json!({"detail": "Store unavailable, try again"}));
    }
    assert_eq!(replica.post("/session", json!({"tenant_id": "acme"})).await.status, 503);
    assert_eq!(replica.chat("globex", &session).await.status, 503);
    assert_eq!(replica.get("/readyz").await.status, 503);
    assert_eq!(replica.get("/healthz").await.status, 200);
    let metrics = replica.metrics().await;
    let failed =
        |operation| metrics.value(&format!("tenancy_store_errors_total{{operation=\"{operation}\"}}"));
    assert_eq!(["chat", "create_session", "find_session", "ping"].map(failed), [3.0, 1.0, 1.0, 1.0]);
    assert_eq!(metrics.sum("http_requests_total", &["status=\"503\""]), 6.0);
    assert_eq!(metrics.sum("tenant_requests_total", &["tenant=\"acme\"", "status=\"503\""]), 4.0);
    assert_eq!(metrics.sum("tenant_requests_total", &["tenant=\"globex\"", "status=\"503\""]), 1.0);

    redis.restart().await;
    let returned = Instant::now();
    wait_for("recovery", async || replica.get("/readyz").await.status == 200).await;
    assert!(returned.elapsed() < Duration::from_secs(2), "took {:?}", returned.elapsed());
    assert_eq!(replica.chat("acme", &session).await.status, 404, "an empty Redis has no old session");
    let session = replica.session("acme").await;
    assert_eq!(replica.chat("acme", &session).await.header("x-ratelimit-remaining"), "7");
}

#[tokio::test]
async fn an_idle_server_reconnects_before_the_next_request() {
    let mut redis = Redis::start().await;
    let replica = Replica::of(&redis.store().await).await;
    for _ in 0..3 {
        redis.restart().await;
        wait_for("the server's connection", async || redis.pinging().await > 0).await;
        assert_eq!(replica.get("/readyz").await.status, 200);
    }
    assert_eq!(replica.metrics().await.sum("tenancy_store_errors_total", &[]), 0.0);
}

#[tokio::test]
async fn a_frozen_redis_blocks_no_request() {
    let redis = Redis::start().await;
    let replica = Replica::of(&redis.store().await).await;
    let session = replica.session("acme").await;
    redis.signal(Signal::STOP);
    let started = Instant::now();
    let chats = (0..20).map(|_| replica.chat("acme", &session));
    let responses = futures_util::future::join_all(chats).await;
    assert!(responses.iter().all(|response| response.status == 503));
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
    redis.signal(Signal::CONT);
    wait_for("recovery", async || replica.get("/readyz").await.status == 200).await;
}

#[tokio::test]
async fn an_unavailable_redis_is_a_clear_error() {
    let port = free_port();
    let error = Store::connect_redis(&format!("redis://user:secret@127.0.0.1:{port}/3")).await.unwrap_err();
    let text = error.to_string().replace(&port.to_string(), "PORT");
    insta::assert_snapshot!(text, @"cannot reach Redis at redis://127.0.0.1:PORT/3: Connection refused (os error 111)");
    let error = Store::connect_redis("redis://user:secret@host:port/x").await.unwrap_err();
    insta::assert_snapshot!(error, @"`redis://host:port/x` is not a Redis URL: Redis URL did not parse - InvalidClientConfig");
}
