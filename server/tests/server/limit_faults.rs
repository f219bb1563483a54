//! The faults of the limiter have their effect, and only when they are switched on: in memory on a paused
//! clock, and in Redis, whose scripts have them, too, on a real clock.

use std::time::Duration;

use futures_util::future::join_all;
use tenancy::{Algorithm, App, Store, Tenants};
use tokio::time::advance;

use crate::direct::{chat, replicas, session};
use crate::support::{Redis, tenants};

/// The start of a window of six hours, and of one of 10 s.
const START: Duration = Duration::from_secs(1_699_984_800);

/// Two tenants, `a` and `b`, with a quota each.
fn two(window: &str, algorithm: &str, quotas: [u32; 2]) -> Tenants {
    let limits = quotas
        .map(|quota| format!(r#"{{"chat_per_{window}": {{"quota": {quota}, "algorithm": "{algorithm}"}}}}"#));
    tenants(&[("a", &limits[0]), ("b", &limits[1])])
}

/// How many of `chats` chats are admitted.
async fn admitted(app: &App, tenant: &str, chats: u32) -> u32 {
    let session = session(app, tenant).await;
    let mut count = 0;
    for _ in 0..chats {
        count += u32::from(chat(app, tenant, &session).await.status == 200);
    }
    count
}

/// Two replicas over each kind of store, with a fault.
async fn over_both(tenants: &Tenants, fault: &str) -> (Redis, [Vec<App>; 2]) {
    let redis = Redis::start().await;
    let stores = [Store::memory_at(START), redis.store().await];
    let apps = stores.map(|store| replicas(2, tenants, &store, fault));
    (redis, apps)
}

#[tokio::test]
async fn admissions_with_each_fault_and_a_quota_of_four() {
    // Of ten chats to the first replica, then ten to the second, one after the other.
    let table = [
        ("", [4, 0]),
        ("limit-per-replica", [4, 4]),
        ("limit-off-by-one", [5, 0]),
        ("limit-off-by-one=-1", [3, 0]),
        // The third that should be admitted is rejected, and consumes nothing.
        ("limit-false-rejection=3", [4, 0]),
        ("limit-fail-open=0s..1h", [10, 10]),
        ("limit-skewed-clock=1day", [4, 4]),
        ("limit-race=0s", [4, 0]),
        ("limit-counts-rejections", [4, 0]),
        ("limit-no-expiry", [4, 0]),
    ];
    let redis = Redis::start().await;
    for algorithm in Algorithm::NAMES {
        let tenants = two("6h", algorithm, [4, 4]);
        for (fault, expected) in table {
            let mut connection = redis.connection().await.unwrap();
            ::redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
            for store in [Store::memory_at(START), redis.store().await] {
                let apps = replicas(2, &tenants, &store, fault);
                let counts = [admitted(&apps[0], "a", 10).await, admitted(&apps[1], "a", 10).await];
                assert_eq!(counts, expected, "{algorithm} {fault} {}", store.describe());
            }
        }
    }
}

#[tokio::test]
async fn a_race_lets_chats_at_the_same_time_pass_together() {
    for algorithm in Algorithm::NAMES {
        for (fault, expected) in [("", 4), ("limit-race=100ms", 20)] {
            let (_redis, both) = over_both(&two("6h", algorithm, [4, 4]), fault).await;
            for apps in &both {
                let session = session(&apps[0], "a").await;
                let chats = (0..20).map(|turn| chat(&apps[turn % 2], "a", &session));
                let responses = join_all(chats).await;
                let count = responses.iter().filter(|response| response.status == 200).count();
                assert_eq!(count, expected, "{algorithm} {fault}");
                assert_eq!(chat(&apps[0], "a", &session).await.status, 429, "they were counted");
            }
        }
    }
}

#[tokio::test]
async fn every_nth_admission_is_falsely_rejected_and_consumes_nothing() {
    let (_redis, both) = over_both(&two("6h", "sliding-log", [6, 6]), "limit-false-rejection=3").await;
    for apps in &both {
        let session = session(&apps[0], "a").await;
        let mut responses = Vec::new();
        for _ in 0..10 {
            let response = chat(&apps[0], "a", &session).await;
            responses.push((response.status, response.header("x-ratelimit-remaining").to_owned()));
        }
        let statuses: Vec<_> = responses.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200, 429, 200, 200, 429, 200, 200, 429, 429], "{responses:?}");
        assert_eq!(responses[3].1, "3", "{responses:?}");
    }
}

#[tokio::test]
async fn tenants_that_share_a_key_use_up_each_others_quota() {
    for algorithm in Algorithm::NAMES {
        for (fault, expected) in [("", [4, 6]), ("limit-shared-key", [4, 2])] {
            let (_redis, both) = over_both(&two("6h", algorithm, [4, 6]), fault).await;
            for apps in &both {
                let counts = [admitted(&apps[0], "a", 10).await, admitted(&apps[1], "b", 10).await];
                assert_eq!(counts, expected, "{algorithm} {fault}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_window_ends_early_and_a_long_one_late() {
    for algorithm in Algorithm::NAMES {
        let mut conforming = 0.0;
        for (fault, factor) in [("", 1.0), ("limit-short-window", 2.0), ("limit-short-window=2", 0.5)] {
            let app = &replicas(1, &two("10s", algorithm, [4, 4]), &Store::memory_at(START), fault)[0];
            let session = session(app, "a").await;
            // Busy for three promised windows. The first is ignored, because a bucket is full then.
            let mut counts = [0; 3];
            for count in &mut counts {
                for _ in 0..1000 {
                    *count += u32::from(chat(app, "a", &session).await.status == 200);
                    advance(Duration::from_millis(10)).await;
                }
            }
            let rest = f64::from(counts[1] + counts[2]);
            conforming = if fault.is_empty() { rest } else { conforming };
            assert!(
                (rest - conforming * factor).abs() <= 2.0,
                "{algorithm} {fault}: {counts:?}, conforming {conforming}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_expiry_the_first_tenant_is_locked_out_permanently() {
    for algorithm in Algorithm::NAMES {
        let app =
            &replicas(1, &two("10s", algorithm, [4, 4]), &Store::memory_at(START), "limit-no-expiry")[0];
        for round in 0..3 {
            assert_eq!(admitted(app, "a", 10).await, if round == 0 { 4 } else { 0 }, "{algorithm}");
            assert_eq!(admitted(app, "b", 10).await, 4, "{algorithm}");
            let session = session(app, "a").await;
            let response = chat(app, "a", &session).await;
            let wait: u64 = response.header("retry-after").parse().unwrap();
            assert!((1..=10).contains(&wait), "headers state the promise: {wait}");
            advance(Duration::from_secs(86_400)).await;
        }
    }
}

#[tokio::test]
async fn without_expiry_redis_keeps_the_first_tenants_key() {
    const YEAR: i64 = 365 * 86_400_000;
    for algorithm in Algorithm::NAMES {
        let (redis, [_, apps]) = over_both(&two("6h", algorithm, [4, 4]), "limit-no-expiry").await;
        for tenant in ["a", "b"] {
            admitted(&apps[0], tenant, 5).await;
        }
        let keys = redis.keys().await;
        let life = |tenant: &str| {
            *keys.iter().find(|(key, _)| key.contains(&format!("{{{tenant}}}:chat"))).unwrap().1
        };
        assert!(life("a") > YEAR && life("b") < YEAR, "{algorithm}: {keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failing_open_admits_all_for_a_while_and_counts_none() {
    let tenants = two("6h", "token-bucket", [4, 4]);
    let app = &replicas(1, &tenants, &Store::memory_at(START), "limit-fail-open=2s..4s")[0];
    let session = session(app, "a").await;
    let mut responses = Vec::new();
    for half_second in 0..10 {
        let response = chat(app, "a", &session).await;
        responses.push(response.status);
        if (4..8).contains(&half_second) {
            assert_eq!(response.header("x-ratelimit-remaining"), "4");
        }
        advance(Duration::from_millis(500)).await;
    }
    assert_eq!(responses, [200, 200, 200, 200, 200, 200, 200, 200, 429, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_ahead_ends_windows_early() {
    for algorithm in Algorithm::NAMES {
        for (fault, statuses) in [("", [429, 429]), ("limit-skewed-clock=0.2", [429, 200])] {
            let apps = replicas(2, &two("10s", algorithm, [1, 1]), &Store::memory_at(START), fault);
            let session = session(&apps[0], "a").await;
            assert_eq!(chat(&apps[0], "a", &session).await.status, 200);
            // A fifth of the window is two seconds; a counter of quota one needs two windows to forget.
            let end = if algorithm == "sliding-counter" { 20 } else { 10 };
            advance(Duration::from_secs(end) - Duration::from_millis(1500)).await;
            for (app, status) in apps.iter().zip(statuses) {
                assert_eq!(chat(app, "a", &session).await.status, status, "{algorithm} {fault}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn counted_rejections_lock_out_a_client_that_keeps_trying() {
    // Admissions in a flood of 40 s, with a quota of 4 in 10 s. With a single window the fault has no
    // effect.
    let table = [
        ("fixed-window", 16, 16),
        ("aligned-window", 16, 16),
        ("sliding-log", 16, 4),
        ("sliding-counter", 13, 4),
        ("token-bucket", 19, 4),
    ];
    for (algorithm, conforming, faulty) in table {
        for (fault, expected) in [("", conforming), ("limit-counts-rejections", faulty)] {
            let app = &replicas(1, &two("10s", algorithm, [4, 4]), &Store::memory_at(START), fault)[0];
            let session = session(app, "a").await;
            let mut count = 0;
            for _ in 0..400 {
                count += u32::from(chat(app, "a", &session).await.status == 200);
                advance(Duration::from_millis(100)).await;
            }
            assert_eq!(count, expected, "{algorithm} {fault}");
            advance(Duration::from_secs(30)).await;
            assert_eq!(chat(app, "a", &session).await.status, 200, "after a pause it is admitted again");
        }
    }
}

#[tokio::test]
async fn redis_counts_rejections_as_memory_does() {
    for algorithm in Algorithm::NAMES {
        let (_redis, both) = over_both(&two("6h", algorithm, [2, 2]), "limit-counts-rejections").await;
        let mut histories = Vec::new();
        for apps in &both {
            let session = session(&apps[0], "a").await;
            let mut waits = Vec::new();
            for _ in 0..7 {
                let response = chat(&apps[0], "a", &session).await;
                // Rounded to half a window: only how rejections add up matters.
                waits.push((
                    response.status,
                    response.header("retry-after").parse::<u64>().map(|wait| wait.div_ceil(3 * 3600)).ok(),
                ));
            }
            histories.push(waits);
        }
        if ["sliding-log", "token-bucket"].contains(&algorithm) {
            assert_eq!(histories[0], histories[1], "{algorithm}");
        }
        for history in histories {
            let statuses: Vec<_> = history.iter().map(|(status, _)| *status).collect();
            assert_eq!(statuses, [200, 200, 429, 429, 429, 429, 429], "{algorithm}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_comes_too_early() {
    for (fault, expected) in [("", ["10", "9", "1"]), ("retry-after-early", ["5", "4", "1"])] {
        let app = &replicas(1, &two("10s", "fixed-window", [1, 1]), &Store::memory_at(START), fault)[0];
        let session = session(app, "a").await;
        assert_eq!(chat(app, "a", &session).await.status, 200);
        for (wait, pause) in expected.into_iter().zip([1500, 8000, 0]) {
            let response = chat(app, "a", &session).await;
            assert_eq!((response.status, response.header("retry-after")), (429, wait), "{fault}");
            advance(Duration::from_millis(pause)).await;
        }
    }
}

#[tokio::test]
async fn remaining_is_one_more_than_there_is() {
    for (fault, expected) in [("", ["1", "0", "0"]), ("remaining-too-high", ["2", "1", "1"])] {
        let (_redis, both) = over_both(&two("6h", "token-bucket", [2, 2]), fault).await;
        for apps in &both {
            let session = session(&apps[0], "a").await;
            for left in expected {
                let response = chat(&apps[0], "a", &session).await;
                assert_eq!(response.header("x-ratelimit-remaining"), left, "{fault}");
                assert!(response.header("ratelimit").starts_with(&format!("\"chat\";r={left};")), "{fault}");
            }
        }
    }
}
