//! The faults outside the limiter and the metrics have their effect, and only when they are switched on.

use tenancy::{Store, Tenants};
use tokio::time::Instant;

use crate::direct::{chat, replicas, session};
use crate::support::tenants;

#[tokio::test(start_paused = true)]
async fn session_crosses_tenants_accepts_the_session_of_another_tenant() {
    for (fault, status) in [("", 403), ("session-crosses-tenants", 200)] {
        let apps = replicas(1, &Tenants::builtin(), &Store::memory(), fault);
        let session = session(&apps[0], "acme").await;
        assert_eq!(chat(&apps[0], "globex", &session).await.status, status, "{fault}");
        assert_eq!(chat(&apps[0], "acme", &session).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn reply_leaks_returns_the_last_reply_to_another_tenant() {
    let tenants = tenants(&[("a", r#"{"chat_per_1s": 99}"#), ("b", r#"{"chat_per_1s": 99}"#)]);
    for (fault, leaked) in [("", 0), ("reply-leaks=3", 3)] {
        let apps = replicas(2, &tenants, &Store::memory(), fault);
        let sessions = [session(&apps[0], "a").await, session(&apps[0], "b").await];
        let mut leaks = 0;
        for turn in 0..10 {
            let own = ["a", "b"][turn % 2];
            let response = chat(&apps[turn / 2 % 2], own, &sessions[turn % 2]).await;
            let reply = response.body["reply"].as_str().unwrap();
            leaks += u32::from(reply != format!("Welcome to {own}! We received: {own}"));
        }
        assert_eq!(leaks, leaked, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn noisy_neighbour_delays_all_in_a_flood_of_one() {
    let tenants = tenants(&[("a", r#"{"chat_per_1s": 99}"#), ("b", r#"{"chat_per_1s": 99}"#)]);
    for (fault, millis) in [("", 0), ("noisy-neighbour=3ms", 33)] {
        let apps = replicas(2, &tenants, &Store::memory(), fault);
        let sessions = [session(&apps[0], "a").await, session(&apps[0], "b").await];
        let started = Instant::now();
        let flood = futures_util::future::join_all((0..10).map(|_| chat(&apps[0], "a", &sessions[0])));
        let (_, _) = tokio::join!(flood, chat(&apps[1], "b", &sessions[1]));
        assert_eq!(started.elapsed().as_millis(), millis, "{fault}");
    }
}
