//! One limit as promised: so many chats in a window that opens with the first of them. Also the grammar of the keys
//! under `limits` of a tenant's line: `chat_per_<n><s|m|h>`.

use std::fmt;
use std::time::Duration;

/// The longest window: a day. Longer ones are quotas for billing, not protection of a service.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// At most `quota` admissions in a fixed window of length `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Admissions in a window; at least 1.
    pub quota: u32,
    /// Length of the window: whole seconds, at least one.
    pub window: Duration,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }
}

/// Why a line's limit cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The key is not of the form `chat_per_<duration>`.
    #[error(
        "unknown limit `{0}`, expected `chat_per_<duration>` such as `chat_per_10s`, `chat_per_1m`, `chat_per_1h`"
    )]
    Key(String),
    /// The window is zero or longer than a day.
    #[error("limit `{0}`: the window must be between 1 second and 24 hours")]
    Window(String),
    /// The quota is zero, negative, a fraction, or too large.
    #[error("limit `{0}`: the quota must be a whole number between 1 and 4294967295")]
    Quota(String),
}

impl Limit {
    /// Reads one entry of `limits`, e.g. `"chat_per_10s": 8`; `quota` is `None` where the value is no `u32`.
    ///
    /// # Errors
    ///
    /// What is wrong with the key or with the quota.
    pub fn parse(key: &str, quota: Option<u32>) -> Result<Self, LimitError> {
        let unknown = || LimitError::Key(key.to_owned());
        let duration = key.strip_prefix("chat_per_").ok_or_else(unknown)?;
        let unit = match duration.chars().last() {
            Some('s') => Unit::Second,
            Some('m') => Unit::Minute,
            Some('h') => Unit::Hour,
            _ => return Err(unknown()),
        };
        let digits = &duration[..duration.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        let too_long = || LimitError::Window(key.to_owned());
        let count: u64 = digits.parse().map_err(|_| too_long())?;
        let seconds = count.checked_mul(unit.seconds()).ok_or_else(too_long)?;
        let window = Duration::from_secs(seconds);
        if window.is_zero() || window > LONGEST {
            return Err(too_long());
        }
        let quota = quota.filter(|&quota| quota > 0).ok_or_else(|| LimitError::Quota(key.to_owned()))?;
        Ok(Self { quota, window, unit })
    }
}

/// As a refused client reads it: `8 per 10 second` (singular, as the contract's other servers write it).
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let multiples = self.window.as_secs() / self.unit.seconds();
        write!(f, "{} per {multiples} {}", self.quota, self.unit.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_that_are_limits() {
        let table = [
            ("chat_per_1s", 1, "8 per 1 second"),
            ("chat_per_10s", 10, "8 per 10 second"),
            ("chat_per_90s", 90, "8 per 90 second"),
            ("chat_per_1m", 60, "8 per 1 minute"),
            ("chat_per_24h", 86_400, "8 per 24 hour"),
        ];
        for (key, seconds, text) in table {
            let limit = Limit::parse(key, Some(8)).unwrap();
            assert_eq!((limit.window.as_secs(), limit.to_string().as_str()), (seconds, text), "{key}");
        }
    }

    #[test]
    fn keys_that_are_not() {
        for key in [
            "",
            "chat",
            "chat_per_",
            "chat_per_s",
            "chat_per_10",
            "chat_per_10d",
            "chat_per_-1s",
            "chat_per_1.5s",
        ] {
            assert_eq!(Limit::parse(key, Some(8)), Err(LimitError::Key(key.to_owned())));
        }
        for key in
            ["chat_per_0s", "chat_per_25h", "chat_per_99999999999999999999h", "chat_per_9999999999999999h"]
        {
            assert_eq!(Limit::parse(key, Some(8)), Err(LimitError::Window(key.to_owned())));
        }
        for quota in [None, Some(0)] {
            assert_eq!(Limit::parse("chat_per_1s", quota), Err(LimitError::Quota("chat_per_1s".to_owned())));
        }
    }

    proptest! {
        #[test]
        fn any_key_is_read_or_refused_without_a_panic(key in "(chat_per_)?.{0,6}[smhé]?", quota: Option<u32>) {
            let _ = Limit::parse(&key, quota);
        }
    }
}
