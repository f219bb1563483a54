//! One decision of the limiter, and the header fields that tell it to the client. All fields come from the same atomic
//! decision: `Remaining` is never read a second time, after others have moved on.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::{Algorithm, KeyedLimit};

const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// One limit as the decision left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// How many more would be admitted at the decision's instant, after this request.
    pub(crate) remaining: u32,
    /// Until the whole quota is there again if nobody comes; for windows, until their end.
    pub(crate) resets_in: Duration,
    /// If this limit refused the request: how long until it would admit it.
    pub(crate) wait: Option<Duration>,
}

/// What the limiter decided about one request: a reading for each of the tenant's limits, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// When it was taken, since the Unix epoch.
    pub(crate) at: Duration,
    pub(crate) readings: Vec<Reading>,
}

impl Decision {
    /// Admitted only if every limit has room; a request refused by one consumes none.
    pub(crate) fn admitted(&self) -> bool {
        !self.readings.iter().any(|reading| reading.wait.is_some())
    }

    /// The limit that a client should mind most: of those that refuse the one that does so longest (waiting for less
    /// would be refused again), otherwise the one with least left.
    pub(crate) fn tightest<'a>(&self, limits: &'a [KeyedLimit]) -> Option<(&'a KeyedLimit, Reading)> {
        let pairs = limits.iter().zip(self.readings.iter().copied());
        if self.admitted() {
            pairs.min_by_key(|(_, reading)| (reading.remaining, std::cmp::Reverse(reading.resets_in)))
        } else {
            pairs.filter(|(_, reading)| reading.wait.is_some()).max_by_key(|(_, reading)| reading.wait)
        }
    }

    /// Writes `X-RateLimit-*`, `RateLimit-Policy` and `RateLimit` (and `Retry-After` if refused) into `headers`.
    pub(crate) fn write_headers(&self, limits: &[KeyedLimit], headers: &mut HeaderMap) {
        let Some((keyed, reading)) = self.tightest(limits) else { return };
        headers.insert(X_LIMIT, HeaderValue::from(keyed.limit.quota));
        headers.insert(X_REMAINING, HeaderValue::from(reading.remaining));
        // An instant on the wall clock, in seconds since the epoch; the fields below count from now.
        let reset = self.at + reading.resets_in;
        let mut text = String::with_capacity(32);
        let _ = write!(text, "{}.{:03}", reset.as_secs(), reset.subsec_millis());
        insert(headers, X_RESET, &text);
        if let Some(wait) = reading.wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait).max(1)));
        }
        self.write_ietf(limits, headers, text);
    }

    /// Structured-field lists with a member for each limit. Writing into a string cannot fail.
    fn write_ietf(&self, limits: &[KeyedLimit], headers: &mut HeaderMap, mut text: String) {
        text.clear();
        for (index, keyed) in limits.iter().enumerate() {
            write_name(&mut text, index, keyed, limits.len());
            let _ = write!(text, ";q={};w={}", keyed.limit.quota, keyed.limit.window.as_secs());
            if let Algorithm::TokenBucket { burst } = keyed.limit.algorithm
                && burst != keyed.limit.quota
            {
                let _ = write!(text, ";burst={burst}");
            }
        }
        insert(headers, POLICY, &text);
        text.clear();
        // To the IETF's draft a reset is a number of seconds to wait, hence rounded up, too.
        for (index, (keyed, reading)) in limits.iter().zip(&self.readings).enumerate() {
            write_name(&mut text, index, keyed, limits.len());
            let _ = write!(text, ";r={};t={}", reading.remaining, whole_seconds(reading.resets_in));
        }
        insert(headers, STATE, &text);
    }
}

/// A single limit is called "chat"; several need names of their own: "chat-10", "chat-3600".
fn write_name(text: &mut String, index: usize, keyed: &KeyedLimit, count: usize) {
    if index > 0 {
        text.push_str(", ");
    }
    if count == 1 {
        text.push_str("\"chat\"");
    } else {
        let _ = write!(text, "\"chat-{}\"", keyed.limit.window.as_secs());
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Rounded up: who comes back after that many seconds does not come too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Limit;
    use super::*;

    fn keyed(key: &str, quota: u32) -> KeyedLimit {
        KeyedLimit::new("acme", Limit::parse(key, &quota.into()).unwrap())
    }

    fn reading(remaining: u32, millis: u64, refuses: bool) -> Reading {
        let resets_in = Duration::from_millis(millis);
        Reading { remaining, resets_in, wait: refuses.then_some(resets_in) }
    }

    fn fields(readings: Vec<Reading>, limits: &[KeyedLimit]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        Decision { at: Duration::ZERO, readings }.write_headers(limits, &mut headers);
        let reported = headers.iter().filter(|(name, _)| **name != X_RESET);
        reported.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let limits = [keyed("chat_per_10s", 8)];
        assert_eq!(
            fields(vec![reading(0, 6001, true)], &limits),
            [
                "x-ratelimit-limit: 8",
                "x-ratelimit-remaining: 0",
                "retry-after: 7",
                r#"ratelimit-policy: "chat";q=8;w=10"#,
                r#"ratelimit: "chat";r=0;t=7"#,
            ]
        );
    }

    #[test]
    fn an_admission_says_what_is_left() {
        let limits = [keyed("chat_per_10s", 8)];
        assert_eq!(
            fields(vec![reading(7, 10_000, false)], &limits),
            [
                "x-ratelimit-limit: 8",
                "x-ratelimit-remaining: 7",
                r#"ratelimit-policy: "chat";q=8;w=10"#,
                r#"ratelimit: "chat";r=7;t=10"#,
            ]
        );
    }

    #[test]
    fn of_several_limits_the_longest_refusal_counts() {
        let limits = [keyed("chat_per_1s", 2), keyed("chat_per_1m", 9), keyed("chat_per_1h", 50)];
        let readings = vec![reading(0, 300, true), reading(0, 45_000, true), reading(41, 3_000_000, false)];
        let reported = fields(readings, &limits);
        assert!(reported.contains(&"retry-after: 45".to_owned()), "{reported:?}");
        assert!(reported.contains(
            &r#"ratelimit: "chat-1";r=0;t=1, "chat-60";r=0;t=45, "chat-3600";r=41;t=3000"#.to_owned()
        ));
    }

    #[test]
    fn a_reset_and_a_wait_may_differ() {
        let bucket = json!({"quota": 8, "algorithm": "token-bucket", "burst": 12});
        let limits = [KeyedLimit::new("acme", Limit::parse("chat_per_10s", &bucket).unwrap())];
        let wait = Some(Duration::from_micros(1));
        let decision = Decision {
            at: Duration::from_millis(1_700_000_000_250),
            readings: vec![Reading { remaining: 0, resets_in: Duration::from_millis(14_000), wait }],
        };
        let mut headers = HeaderMap::new();
        decision.write_headers(&limits, &mut headers);
        let reported: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(
            reported,
            [
                "x-ratelimit-limit: 8",
                "x-ratelimit-remaining: 0",
                "x-ratelimit-reset: 1700000014.250",
                "retry-after: 1",
                r#"ratelimit-policy: "chat";q=8;w=10;burst=12"#,
                r#"ratelimit: "chat";r=0;t=14"#,
            ]
        );
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, seconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (10_000, 10)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
