//! A limit (a quota of chats in a window, counted by an algorithm), and the parser of an entry of `limits` in
//! a tenants file: the key `chat_per_<n><s|m|h|d>`, and a quota or an object as its value.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Algorithm;

/// The longest window: a leap year.
const MAX_WINDOW: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// At most `quota` admissions in a window of length `window`, counted by `algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At least 1.
    pub quota: u32,
    /// Whole seconds, at least one.
    pub window: Duration,
    /// How admissions are counted.
    pub algorithm: Algorithm,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// What is wrong with an entry of `limits`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The key is not of the form `chat_per_<duration>`.
    #[error(
        "unknown limit `{0}`, expected `chat_per_<duration>` such as `chat_per_10s`, `chat_per_1m`, `chat_per_1h`, `chat_per_1d`"
    )]
    Key(String),
    /// The window is zero or longer than a year.
    #[error("limit `{0}`: the window must be between 1 second and 366 days")]
    Window(String),
    /// The quota is zero, negative, a fraction, or too large.
    #[error("limit `{0}`: the quota must be a whole number between 1 and 4294967295")]
    Quota(String),
    /// The object has an unknown key.
    #[error("limit `{key}`: unknown field `{field}`, expected `quota`, `algorithm`, `burst`")]
    Field {
        /// The key of the limit.
        key: String,
        /// As written.
        field: String,
    },
    /// The algorithm is unknown.
    #[error("limit `{key}`: unknown algorithm {given}, expected one of `{}`", Algorithm::NAMES.join("`, `"))]
    Algorithm {
        /// The key of the limit.
        key: String,
        /// As written, in JSON.
        given: String,
    },
    /// The burst is zero, negative, a fraction, or too large.
    #[error("limit `{0}`: the burst must be a whole number between 1 and 4294967295")]
    Burst(String),
    /// Only a token bucket has a burst.
    #[error("limit `{0}`: a burst is for `token-bucket` only")]
    NoBurst(String),
}

impl Limit {
    /// The most that can be admitted at one instant.
    pub(crate) fn burst(&self) -> u32 {
        match self.algorithm {
            Algorithm::TokenBucket { burst } => burst,
            _ => self.quota,
        }
    }

    /// Parses one entry of `limits`, e.g. `"chat_per_10s": 8`, or with an object as its value:
    /// `"chat_per_10s": {"quota": 8, "algorithm": "token-bucket", "burst": 12}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the key and the value; never empty.
    pub fn parse(key: &str, value: &Value) -> Result<Self, Vec<LimitError>> {
        let mut problems = Vec::new();
        let window = window(key).map_err(|problem| problems.push(problem)).ok();
        let quota = count(match value {
            Value::Object(object) => object.get("quota").unwrap_or(&Value::Null),
            number => number,
        });
        if quota.is_none() {
            problems.push(LimitError::Quota(key.to_owned()));
        }
        let algorithm = match value {
            Value::Object(object) => algorithm(key, object, quota.unwrap_or(1), &mut problems),
            _ => Some(Algorithm::FixedWindow),
        };
        match (window, quota, algorithm) {
            (Some((window, unit)), Some(quota), Some(algorithm)) if problems.is_empty() => {
                Ok(Self { quota, window, algorithm, unit })
            }
            _ => Err(problems),
        }
    }
}

/// Parses a quota or a burst.
fn count(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0)
}

/// Parses the window of a key.
fn window(key: &str) -> Result<(Duration, Unit), LimitError> {
    let unknown = || LimitError::Key(key.to_owned());
    let duration = key.strip_prefix("chat_per_").ok_or_else(unknown)?;
    let unit = match duration.chars().last() {
        Some('s') => Unit::Second,
        Some('m') => Unit::Minute,
        Some('h') => Unit::Hour,
        Some('d') => Unit::Day,
        _ => return Err(unknown()),
    };
    let digits = &duration[..duration.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unknown());
    }
    let too_long = || LimitError::Window(key.to_owned());
    let count: u64 = digits.parse().map_err(|_| too_long())?;
    let window = Duration::from_secs(count.checked_mul(unit.seconds()).ok_or_else(too_long)?);
    if window.is_zero() || window > MAX_WINDOW {
        return Err(too_long());
    }
    Ok((window, unit))
}

/// Parses the algorithm of an object, and reports everything else that is wrong with the object.
fn algorithm(
    key: &str,
    object: &Map<String, Value>,
    quota: u32,
    problems: &mut Vec<LimitError>,
) -> Option<Algorithm> {
    for field in object.keys().filter(|field| !["quota", "algorithm", "burst"].contains(&field.as_str())) {
        problems.push(LimitError::Field { key: key.to_owned(), field: field.clone() });
    }
    let burst = object.get("burst").map(count);
    if burst == Some(None) {
        problems.push(LimitError::Burst(key.to_owned()));
    }
    let algorithm = match object.get("algorithm") {
        None => Some(Algorithm::FixedWindow),
        Some(name) => {
            let named =
                name.as_str().and_then(|name| Algorithm::named(name, burst.flatten().unwrap_or(quota)));
            if named.is_none() {
                problems.push(LimitError::Algorithm { key: key.to_owned(), given: name.to_string() });
            }
            named
        }
    }?;
    if burst.is_some() && !matches!(algorithm, Algorithm::TokenBucket { .. }) {
        problems.push(LimitError::NoBurst(key.to_owned()));
    }
    Some(algorithm)
}

/// As in the body of a 429: `8 per 10 second` (singular, as in other servers with this API).
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let multiples = self.window.as_secs() / self.unit.seconds();
        write!(f, "{} per {multiples} {}", self.quota, self.unit.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn valid_keys() {
        let table = [
            ("chat_per_1s", 1, "8 per 1 second"),
            ("chat_per_10s", 10, "8 per 10 second"),
            ("chat_per_90s", 90, "8 per 90 second"),
            ("chat_per_1m", 60, "8 per 1 minute"),
            ("chat_per_24h", 86_400, "8 per 24 hour"),
            ("chat_per_366d", 31_622_400, "8 per 366 day"),
        ];
        for (key, seconds, text) in table {
            let limit = Limit::parse(key, &json!(8)).unwrap();
            assert_eq!((limit.window.as_secs(), limit.to_string().as_str()), (seconds, text), "{key}");
            assert_eq!(limit.algorithm, Algorithm::FixedWindow);
        }
    }

    #[test]
    fn invalid_keys_and_quotas() {
        for key in [
            "",
            "chat",
            "chat_per_",
            "chat_per_s",
            "chat_per_10",
            "chat_per_10w",
            "chat_per_-1s",
            "chat_per_1.5s",
        ] {
            assert_eq!(Limit::parse(key, &json!(8)), Err(vec![LimitError::Key(key.to_owned())]));
        }
        for key in
            ["chat_per_0s", "chat_per_367d", "chat_per_99999999999999999999h", "chat_per_9999999999999999h"]
        {
            assert_eq!(Limit::parse(key, &json!(8)), Err(vec![LimitError::Window(key.to_owned())]));
        }
        for quota in [json!(null), json!(0), json!("8"), json!(1.5), json!(-1), json!(4_294_967_296_u64)] {
            let problem = LimitError::Quota("chat_per_1s".to_owned());
            assert_eq!(Limit::parse("chat_per_1s", &quota), Err(vec![problem]));
        }
    }

    #[test]
    fn an_object_chooses_the_algorithm() {
        let read = |value: Value| Limit::parse("chat_per_1s", &value).unwrap().algorithm;
        assert_eq!(read(json!({"quota": 8})), Algorithm::FixedWindow);
        for name in Algorithm::NAMES {
            assert_eq!(read(json!({"quota": 8, "algorithm": name})).name(), name);
        }
        let bucket = json!({"quota": 8, "algorithm": "token-bucket"});
        assert_eq!(read(bucket), Algorithm::TokenBucket { burst: 8 });
        let bucket = json!({"quota": 8, "algorithm": "token-bucket", "burst": 12});
        assert_eq!(read(bucket), Algorithm::TokenBucket { burst: 12 });
    }

    #[test]
    fn all_errors_of_an_entry_are_reported() {
        let invalid = [
            ("chat_per_1s", json!({})),
            ("chat_per_1s", json!({"quota": 8, "burst": 9})),
            ("chat_per_1s", json!({"quota": 8, "algorithm": "sliding-log", "burst": 9})),
            ("chat_per_1s", json!({"quota": 8, "algorithm": "token-bucket", "burst": 0})),
            ("chats", json!({"quota": 0, "algorithm": "leaky", "brust": 3, "burst": "many"})),
            ("chat_per_1s", json!({"quota": 8, "algorithm": 5})),
        ];
        let shown: Vec<_> = invalid
            .iter()
            .map(|(key, value)| {
                let problems = Limit::parse(key, value).unwrap_err();
                let problems: Vec<_> = problems.iter().map(|problem| format!("  {problem}")).collect();
                format!("{key}: {value}\n{}", problems.join("\n"))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    proptest! {
        #[test]
        fn any_key_is_parsed_or_rejected_without_a_panic(key in "(chat_per_)?.{0,6}[smhdé]?", quota: u64) {
            let _ = Limit::parse(&key, &json!(quota));
        }
    }
}
