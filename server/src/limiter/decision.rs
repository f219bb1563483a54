//! A decision of the limiter, and the header fields that state it. All fields come from the same atomic
//! decision: `Remaining` is never read separately, when other requests may have changed it.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::{Algorithm, KeyedLimit};

const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The state of one limit after a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitResult {
    /// How many more would be admitted at the instant of the decision, after this request.
    pub(crate) remaining: u32,
    /// Until the whole quota is available again without further requests; for windows, until their end.
    pub(crate) reset_after: Duration,
    /// `Some` if this limit rejected the request: how long until it would admit it.
    pub(crate) retry_after: Option<Duration>,
}

/// What the limiter decided about one request: a result for each of the tenant's limits, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// When it was made, since the Unix epoch.
    pub(crate) at: Duration,
    pub(crate) results: Vec<LimitResult>,
}

impl Decision {
    /// Whether all limits admitted the request. One that is rejected by any consumes none.
    pub(crate) fn admitted(&self) -> bool {
        !self.results.iter().any(|result| result.retry_after.is_some())
    }

    /// The limit that matters most to the client: of those that reject, the one that does so longest (a retry
    /// before that would be rejected again), otherwise the one with the least remaining.
    pub(crate) fn tightest<'a>(&self, limits: &'a [KeyedLimit]) -> Option<(&'a KeyedLimit, LimitResult)> {
        let pairs = limits.iter().zip(self.results.iter().copied());
        if self.admitted() {
            pairs.min_by_key(|(_, result)| (result.remaining, std::cmp::Reverse(result.reset_after)))
        } else {
            pairs
                .filter(|(_, result)| result.retry_after.is_some())
                .max_by_key(|(_, result)| result.retry_after)
        }
    }

    /// Writes `X-RateLimit-*`, `RateLimit-Policy` and `RateLimit` (and `Retry-After` if rejected) into
    /// `headers`.
    pub(crate) fn write_headers(&self, limits: &[KeyedLimit], headers: &mut HeaderMap) {
        let Some((keyed, result)) = self.tightest(limits) else { return };
        headers.insert(X_LIMIT, HeaderValue::from(keyed.limit.quota));
        headers.insert(X_REMAINING, HeaderValue::from(result.remaining));
        // An instant, in seconds since the epoch; the other fields are in seconds from now.
        let reset = self.at + result.reset_after;
        let mut text = String::with_capacity(32);
        let _ = write!(text, "{}.{:03}", reset.as_secs(), reset.subsec_millis());
        insert(headers, X_RESET, &text);
        if let Some(wait) = result.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait).max(1)));
        }
        self.write_ietf(limits, headers, text);
    }

    /// Writes the structured-field lists, with a member for each limit. Writing into a string cannot fail.
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
        // In the IETF draft a reset is a number of seconds to wait, so it is rounded up, too.
        for (index, (keyed, result)) in limits.iter().zip(&self.results).enumerate() {
            write_name(&mut text, index, keyed, limits.len());
            let _ = write!(text, ";r={};t={}", result.remaining, whole_seconds(result.reset_after));
        }
        insert(headers, STATE, &text);
    }
}

/// A single limit is called "chat"; several have distinct names: "chat-10", "chat-3600".
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

/// Rounds up, so that a retry after that many seconds is not too early.
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

    fn result(remaining: u32, millis: u64, rejects: bool) -> LimitResult {
        let reset_after = Duration::from_millis(millis);
        LimitResult { remaining, reset_after, retry_after: rejects.then_some(reset_after) }
    }

    fn fields(results: Vec<LimitResult>, limits: &[KeyedLimit]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        Decision { at: Duration::ZERO, results }.write_headers(limits, &mut headers);
        let others = headers.iter().filter(|(name, _)| **name != X_RESET);
        others.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn a_rejection_states_when_to_retry() {
        let limits = [keyed("chat_per_10s", 8)];
        assert_eq!(
            fields(vec![result(0, 6001, true)], &limits),
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
    fn an_admission_states_what_remains() {
        let limits = [keyed("chat_per_10s", 8)];
        assert_eq!(
            fields(vec![result(7, 10_000, false)], &limits),
            [
                "x-ratelimit-limit: 8",
                "x-ratelimit-remaining: 7",
                r#"ratelimit-policy: "chat";q=8;w=10"#,
                r#"ratelimit: "chat";r=7;t=10"#,
            ]
        );
    }

    #[test]
    fn of_several_limits_the_longest_rejection_counts() {
        let limits = [keyed("chat_per_1s", 2), keyed("chat_per_1m", 9), keyed("chat_per_1h", 50)];
        let results = vec![result(0, 300, true), result(0, 45_000, true), result(41, 3_000_000, false)];
        let fields = fields(results, &limits);
        assert!(fields.contains(&"retry-after: 45".to_owned()), "{fields:?}");
        assert!(fields.contains(
            &r#"ratelimit: "chat-1";r=0;t=1, "chat-60";r=0;t=45, "chat-3600";r=41;t=3000"#.to_owned()
        ));
    }

    #[test]
    fn reset_and_retry_after_may_differ() {
        let bucket = json!({"quota": 8, "algorithm": "token-bucket", "burst": 12});
        let limits = [KeyedLimit::new("acme", Limit::parse("chat_per_10s", &bucket).unwrap())];
        let retry_after = Some(Duration::from_micros(1));
        let decision = Decision {
            at: Duration::from_millis(1_700_000_000_250),
            results: vec![LimitResult {
                remaining: 0,
                reset_after: Duration::from_millis(14_000),
                retry_after,
            }],
        };
        let mut headers = HeaderMap::new();
        decision.write_headers(&limits, &mut headers);
        let fields: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(
            fields,
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
