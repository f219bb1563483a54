//! Limits over two replicas, with both stores: exact, global, and rejected chats consume nothing.

use std::time::Duration;

use serde_json::json;
use tenancy::{App, Store};
use tokio::time::Instant;

use crate::support::{Redis, Replica, tenants};

/// Two replicas over each kind of store.
async fn pairs(lines: &[(&str, &str)]) -> (Redis, Vec<[Replica; 2]>) {
    let redis = Redis::start().await;
    let mut pairs = Vec::new();
    // Each replica has its own connection to Redis, as separate processes have.
    let stores = [[Store::memory(), redis.store().await], [Store::memory(), redis.store().await]];
    let memory = stores[0][0].clone();
    for [one, other] in [[memory.clone(), memory], [stores[0][1].clone(), stores[1][1].clone()]] {
        let replica = |store| Replica::start(App::new(tenants(lines), store));
        pairs.push([replica(one).await, replica(other).await]);
    }
    (redis, pairs)
}

#[tokio::test]
async fn the_ninth_is_rejected_by_either_replica() {
    let (_redis, pairs) =
        pairs(&[("acme", r#"{"chat_per_10s": 8}"#), ("globex", r#"{"chat_per_10s": 4}"#)]).await;
    for [one, other] in &pairs {
        let session = one.session("acme").await;
        for left in (0..8).rev() {
            let replica = if left % 3 == 0 { one } else { other };
            let response = replica.chat("acme", &session).await;
            assert_eq!((response.status, response.header("x-ratelimit-limit")), (200, "8"), "{response:?}");
            assert_eq!(response.header("x-ratelimit-remaining"), left.to_string());
            assert_eq!(response.header("ratelimit-policy"), r#""chat";q=8;w=10"#);
            assert!(response.header("ratelimit").starts_with(&format!("\"chat\";r={left};t=")));
            assert_eq!(response.header("retry-after"), "", "an admission has none");
        }
        for replica in [one, other, one] {
            let response = replica.chat("acme", &session).await;
            assert_eq!(
                (response.status, response.json()),
                (429, json!({"error": "Rate limit exceeded: 8 per 10 second"}))
            );
            let wait: u64 = response.header("retry-after").parse().unwrap();
            assert!((1..=10).contains(&wait));
            assert_eq!(response.header("ratelimit"), format!("\"chat\";r=0;t={wait}"));
            let now =
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
            let reset: f64 = response.header("x-ratelimit-reset").parse().unwrap();
            assert!((now..now + 10.1).contains(&reset), "{reset} is an instant shortly after {now}");
        }
        let session = other.session("globex").await;
        assert_eq!(one.chat("globex", &session).await.status, 200, "another tenant has a limit of its own");
    }
}

#[tokio::test]
async fn two_hundred_at_once_admit_exactly_the_quota() {
    let (_redis, pairs) = pairs(&[("acme", r#"{"chat_per_1h": 37}"#)]).await;
    for [one, other] in &pairs {
        let session = one.session("acme").await;
        let replicas = [one, other].into_iter().cycle();
        let chats = replicas.take(200).map(|replica| replica.chat("acme", &session));
        let statuses: Vec<u16> =
            futures_util::future::join_all(chats).await.iter().map(|response| response.status).collect();
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(200), count(429)), (37, 163));
    }
}

#[tokio::test]
async fn a_window_starts_with_its_first_hit_and_rejections_do_not_extend_it() {
    let (_redis, pairs) = pairs(&[("acme", r#"{"chat_per_2s": 1}"#)]).await;
    for [one, other] in &pairs {
        let session = one.session("acme").await;
        let before = Instant::now();
        assert_eq!(one.chat("acme", &session).await.status, 200);
        let after = Instant::now();
        let mut rejections = 0;
        // In spite of constant rejections, the window ends two seconds after its first hit.
        let (sent, done) = loop {
            let sent = Instant::now();
            match other.chat("acme", &session).await.status {
                429 => rejections += 1,
                200 => break (sent, Instant::now()),
                status => panic!("{status}"),
            }
        };
        assert!(rejections > 10, "{rejections} rejections");
        let (window, tick) = (Duration::from_secs(2), Duration::from_millis(2));
        assert!(done - before >= window - tick, "admitted after {:?}", done - before);
        assert!(sent - after < window + Duration::from_secs(1), "admitted after {:?}", sent - after);
    }
}

#[tokio::test]
async fn a_retry_at_retry_after_succeeds() {
    let (_redis, pairs) = pairs(&[("acme", r#"{"chat_per_1s": 1}"#)]).await;
    for [one, other] in &pairs {
        let session = one.session("acme").await;
        assert_eq!(one.chat("acme", &session).await.status, 200);
        let rejected = other.chat("acme", &session).await;
        assert_eq!(rejected.status, 429);
        tokio::time::sleep(Duration::from_secs(rejected.header("retry-after").parse().unwrap())).await;
        assert_eq!(one.chat("acme", &session).await.status, 200);
    }
}

#[tokio::test]
async fn a_rejection_by_one_limit_consumes_none() {
    let (_redis, pairs) = pairs(&[("acme", r#"{"chat_per_1h": 2, "chat_per_24h": 3}"#)]).await;
    for [one, other] in &pairs {
        let session = one.session("acme").await;
        for replica in [one, other] {
            assert_eq!(replica.chat("acme", &session).await.status, 200);
        }
        for replica in [one, other, one, other] {
            let response = replica.chat("acme", &session).await;
            assert_eq!(response.json(), json!({"error": "Rate limit exceeded: 2 per 1 hour"}));
            assert!(response.header("ratelimit").contains(r#""chat-86400";r=1;"#), "{response:?}");
            assert_eq!(
                response.header("ratelimit-policy"),
                r#""chat-3600";q=2;w=3600, "chat-86400";q=3;w=86400"#
            );
        }
    }
}

#[tokio::test]
async fn both_stores_decide_alike() {
    let lines = [
        ("a", r#"{"chat_per_1h": 1}"#),
        ("b", r#"{"chat_per_1h": 3, "chat_per_2h": 3, "chat_per_3h": 5}"#),
        ("c", r#"{"chat_per_3h": 2, "chat_per_1h": 4}"#),
        ("d", r#"{"chat_per_24h": 7, "chat_per_1m": 5, "chat_per_1h": 6}"#),
        ("aligned", r#"{"chat_per_366d": {"quota": 3, "algorithm": "aligned-window"}}"#),
        ("log", r#"{"chat_per_1h": {"quota": 3, "algorithm": "sliding-log"}}"#),
        ("counter", r#"{"chat_per_366d": {"quota": 3, "algorithm": "sliding-counter"}}"#),
        ("bucket", r#"{"chat_per_1h": {"quota": 3, "algorithm": "token-bucket", "burst": 5}}"#),
        ("two", r#"{"chat_per_1h": {"quota": 5, "algorithm": "token-bucket"}, "chat_per_2h": 3}"#),
    ];
    let (_redis, pairs) = pairs(&lines).await;
    for (tenant, _) in lines {
        let mut histories = Vec::new();
        for [one, other] in &pairs {
            let session = one.session(tenant).await;
            let mut history = Vec::new();
            for replica in [one, other, other].into_iter().cycle().take(9) {
                let response = replica.chat(tenant, &session).await;
                // Without the times, which differ between the two.
                let left: Vec<_> =
                    response.header("ratelimit").split(", ").map(|limit| limit.rsplit_once(";t=")).collect();
                let left: Vec<_> = left.into_iter().map(|parts| parts.unwrap().0.to_owned()).collect();
                history.push((response.status, response.header("x-ratelimit-limit").to_owned(), left));
            }
            histories.push(history);
        }
        assert_eq!(histories[0], histories[1], "{tenant}");
    }
}

#[tokio::test]
async fn sessions_are_global() {
    let (_redis, pairs) =
        pairs(&[("acme", r#"{"chat_per_1h": 9}"#), ("globex", r#"{"chat_per_1h": 9}"#)]).await;
    for [one, other] in &pairs {
        let session = one.session("acme").await;
        assert_eq!(other.chat("acme", &session).await.status, 200);
        assert_eq!(other.chat("globex", &session).await.status, 403);
    }
}
