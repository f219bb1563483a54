//! The rate-limit headers of the five algorithms, in memory on a paused clock. (Their decisions are compared
//! with a model in the unit tests of the stores.)

use std::time::Duration;

use tenancy::{Algorithm, App, Store};
use tokio::time::advance;

use crate::direct::{Response, chat, session};
use crate::support::tenants;

/// 3.5 s after a multiple of 10 s.
const START: Duration = Duration::from_millis(1_700_000_003_500);

fn app(limits: &str) -> App {
    App::new(tenants(&[("acme", limits)]), Store::memory_at(START))
}

/// The headers of a decision.
fn headers(response: &Response) -> String {
    let names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
    let first = names.map(|name| response.header(name)).join(" ");
    format!(
        "{} {first} | {} | {}",
        response.status,
        response.header("ratelimit-policy"),
        response.header("ratelimit")
    )
}

#[tokio::test(start_paused = true)]
async fn headers_of_each_algorithm() {
    let mut lines = Vec::new();
    for name in Algorithm::NAMES {
        let burst = if name == "token-bucket" { r#", "burst": 3"# } else { "" };
        let app = app(&format!(r#"{{"chat_per_10s": {{"quota": 2, "algorithm": "{name}"{burst}}}}}"#));
        let session = session(&app, "acme").await;
        lines.push(format!("\n{name}"));
        for (chats, pause) in [(1, 2000), (2, 2500), (2, 3000), (2, 4250), (1, 10_000), (1, 0)] {
            for _ in 0..chats {
                lines.push(headers(&chat(&app, "acme", &session).await));
            }
            lines.push(format!("{pause} ms later"));
            advance(Duration::from_millis(pause)).await;
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_enough_and_a_second_less_is_not() {
    for (turn, name) in Algorithm::NAMES.iter().enumerate() {
        for (quota, seconds) in [(1, 7), (2, 10), (3, 10), (8, 10), (5, 3)] {
            let limits = format!(
                r#"{{"chat_per_{seconds}s": {{"quota": {quota}, "algorithm": "{name}"}}, "chat_per_1d": 99}}"#
            );
            let app = app(&limits);
            let session = session(&app, "acme").await;
            let mut rejections = 0;
            for step in 0..60 {
                let response = chat(&app, "acme", &session).await;
                if response.status == 429 {
                    rejections += 1;
                    let wait: u64 = response.header("retry-after").parse().unwrap();
                    advance(Duration::from_secs(wait - 1)).await;
                    if wait > 1 {
                        assert_eq!(chat(&app, "acme", &session).await.status, 429, "{name} {wait}");
                    }
                    advance(Duration::from_secs(1)).await;
                    assert_eq!(chat(&app, "acme", &session).await.status, 200, "{name} {wait}");
                }
                advance(Duration::from_millis((step * 37 + turn as u64 * 11) % 450)).await;
            }
            assert!(rejections > 5, "{name}: {rejections}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_a_minute_a_day_and_a_month_hold_at_once() {
    let app = app(concat!(
        r#"{"chat_per_1m": 10, "chat_per_1d": {"quota": 30, "algorithm": "sliding-log"}, "#,
        r#""chat_per_30d": {"quota": 70, "algorithm": "token-bucket"}}"#
    ));
    let mut admitted = [0; 3];
    for day in &mut admitted {
        let session = session(&app, "acme").await;
        for _minute in 0..5 {
            for _ in 0..12 {
                *day += u32::from(chat(&app, "acme", &session).await.status == 200);
            }
            advance(Duration::from_secs(60)).await;
        }
        advance(Duration::from_secs(86_400 - 300)).await;
    }
    assert_eq!(admitted, [30, 30, 14], "ten a minute, thirty a day; 70 and what two days refill");
}
