//! Parses and displays faults as `NAME[=VALUE]`. The error for a value states which values are valid.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{CATALOGUE, Fault, Faults, Skew};

/// Between one replica and the next. Even the clock of the 10,000th has to be representable.
const LARGEST_SKEW: Duration = Duration::from_secs(86_400);

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no fault of this name.
    #[error("there is no fault `{name}`{}\nfaults: {}", did_you_mean(.name), names())]
    Unknown {
        /// As given.
        name: String,
    },
    /// The value of the fault is invalid.
    #[error("{name}: {problem}")]
    Value {
        /// The name of the fault.
        name: &'static str,
        /// What is wrong, or which values are valid.
        problem: String,
    },
}

fn names() -> String {
    CATALOGUE.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(name: &str) -> String {
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let nearest = CATALOGUE.iter().map(|entry| entry.name).min_by_key(|known| distance(known));
    match nearest.filter(|known| distance(known) <= 1 + known.len() / 4) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => String::new(),
    }
}

impl Fault {
    /// As in the [`CATALOGUE`].
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LimitPerReplica => "limit-per-replica",
            Self::LimitOffByOne { .. } => "limit-off-by-one",
            Self::LimitShortWindow { .. } => "limit-short-window",
            Self::LimitRace { .. } => "limit-race",
            Self::LimitFalseRejection { .. } => "limit-false-rejection",
            Self::LimitSharedKey => "limit-shared-key",
            Self::LimitNoExpiry => "limit-no-expiry",
            Self::LimitFailOpen { .. } => "limit-fail-open",
            Self::LimitSkewedClock { .. } => "limit-skewed-clock",
            Self::LimitCountsRejections => "limit-counts-rejections",
            Self::RetryAfterEarly { .. } => "retry-after-early",
            Self::RemainingTooHigh => "remaining-too-high",
            Self::SessionCrossesTenants => "session-crosses-tenants",
            Self::ReplyLeaks { .. } => "reply-leaks",
            Self::NoisyNeighbour { .. } => "noisy-neighbour",
            Self::CountLost { .. } => "count-lost",
            Self::CountDouble { .. } => "count-double",
            Self::StatusMislabelled => "status-mislabelled",
            Self::TenantMislabelled { .. } => "tenant-mislabelled",
            Self::HandlerRawPath => "handler-raw-path",
            Self::DurationInMs => "duration-in-ms",
            Self::DurationExcludesWait { .. } => "duration-excludes-wait",
            Self::BucketNotCumulative => "bucket-not-cumulative",
            Self::InfMismatch => "inf-mismatch",
            Self::SumWrong => "sum-wrong",
            Self::GaugeStuck { .. } => "gauge-stuck",
            Self::CounterReset { .. } => "counter-reset",
            Self::MetricsStale { .. } => "metrics-stale",
            Self::MetricsTruncated { .. } => "metrics-truncated",
            Self::ScrapeSlow { .. } => "scrape-slow",
            Self::RedisKeysLeak => "redis-keys-leak",
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Self::LimitPerReplica
            | Self::LimitSharedKey
            | Self::LimitNoExpiry
            | Self::LimitCountsRejections
            | Self::RemainingTooHigh
            | Self::SessionCrossesTenants
            | Self::StatusMislabelled
            | Self::HandlerRawPath
            | Self::DurationInMs
            | Self::BucketNotCumulative
            | Self::InfMismatch
            | Self::SumWrong
            | Self::RedisKeysLeak => None,
            Self::LimitOffByOne { more } => Some(more.to_string()),
            Self::LimitShortWindow { factor }
            | Self::RetryAfterEarly { factor }
            | Self::MetricsTruncated { factor } => Some(factor.to_string()),
            Self::LimitFalseRejection { every }
            | Self::ReplyLeaks { every }
            | Self::CountLost { every }
            | Self::CountDouble { every }
            | Self::TenantMislabelled { every }
            | Self::GaugeStuck { every } => Some(every.to_string()),
            Self::LimitRace { delay: time }
            | Self::NoisyNeighbour { pause: time }
            | Self::DurationExcludesWait { wait: time }
            | Self::CounterReset { after: time }
            | Self::MetricsStale { age: time }
            | Self::ScrapeSlow { delay: time } => Some(duration_text(*time)),
            Self::LimitFailOpen { from, to } => {
                Some(format!("{}..{}", duration_text(*from), duration_text(*to)))
            }
            Self::LimitSkewedClock { skew: Skew::By(duration) } => Some(duration_text(*duration)),
            Self::LimitSkewedClock { skew: Skew::OfWindow(fraction) } => Some(fraction.to_string()),
        }
    }

    /// The fault of this name; `value` is empty if it takes none.
    fn of(name: &str, value: &str) -> Result<Self, String> {
        Ok(match name {
            "limit-per-replica" => Self::LimitPerReplica,
            "limit-off-by-one" => Self::LimitOffByOne { more: difference(value)? },
            "limit-short-window" => Self::LimitShortWindow { factor: factor(value, 100.0)? },
            "limit-race" => Self::LimitRace { delay: short(value)? },
            "limit-false-rejection" => Self::LimitFalseRejection { every: every(value)? },
            "limit-shared-key" => Self::LimitSharedKey,
            "limit-no-expiry" => Self::LimitNoExpiry,
            "limit-fail-open" => span(value).map(|(from, to)| Self::LimitFailOpen { from, to })?,
            "limit-skewed-clock" => Self::LimitSkewedClock { skew: skew(value)? },
            "limit-counts-rejections" => Self::LimitCountsRejections,
            "retry-after-early" => Self::RetryAfterEarly { factor: factor(value, 1.0)? },
            "remaining-too-high" => Self::RemainingTooHigh,
            "session-crosses-tenants" => Self::SessionCrossesTenants,
            "reply-leaks" => Self::ReplyLeaks { every: every(value)? },
            "noisy-neighbour" => Self::NoisyNeighbour { pause: short(value)? },
            "count-lost" => Self::CountLost { every: every(value)? },
            "count-double" => Self::CountDouble { every: every(value)? },
            "status-mislabelled" => Self::StatusMislabelled,
            "tenant-mislabelled" => Self::TenantMislabelled { every: every(value)? },
            "handler-raw-path" => Self::HandlerRawPath,
            "duration-in-ms" => Self::DurationInMs,
            "duration-excludes-wait" => Self::DurationExcludesWait { wait: short(value)? },
            "bucket-not-cumulative" => Self::BucketNotCumulative,
            "inf-mismatch" => Self::InfMismatch,
            "sum-wrong" => Self::SumWrong,
            "gauge-stuck" => Self::GaugeStuck { every: every(value)? },
            "counter-reset" => Self::CounterReset { after: duration(value)? },
            "metrics-stale" => Self::MetricsStale { age: duration(value)? },
            "metrics-truncated" => Self::MetricsTruncated { factor: factor(value, 1.0)? },
            "scrape-slow" => Self::ScrapeSlow { delay: short(value)? },
            "redis-keys-leak" => Self::RedisKeysLeak,
            _ => return Err("is in the catalogue, but cannot be parsed".to_owned()),
        })
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let entry = CATALOGUE.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| FaultError::Unknown { name: name.to_owned() })?;
        let problem = |problem: String| FaultError::Value { name: entry.name, problem };
        let value = match (value, entry.value) {
            (Some(_), None) => return Err(problem("takes no value".to_owned())),
            (Some(given), Some(_)) => given,
            (None, Some((_, default))) => default,
            (None, None) => "",
        };
        Self::of(entry.name, value).map_err(problem)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

/// Parses faults separated by commas; an empty text has none.
impl FromStr for Faults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Fault::from_str).collect()
    }
}

fn every(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count >= 1);
    count.ok_or_else(|| format!("expected a whole number from 1 up, not `{text}`"))
}

fn difference(text: &str) -> Result<i32, String> {
    let more = text.parse().ok().filter(|more| *more != 0);
    more.ok_or_else(|| format!("expected a whole number such as `1` or `-1`, not `{text}`"))
}

fn factor(text: &str, below: f64) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| *factor > 0.0 && *factor < below);
    factor.ok_or_else(|| format!("expected a factor between 0 and {below}, not `{text}`"))
}

fn span(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("expected a time span such as `2s..4s`, not `{text}`"))?;
    let (from, to) = (duration(from)?, duration(to)?);
    if from < to {
        Ok((from, to))
    } else {
        Err(format!("expected a span that ends after its start, not `{text}`"))
    }
}

fn skew(text: &str) -> Result<Skew, String> {
    match factor(text, 1.0) {
        Ok(fraction) => Ok(Skew::OfWindow(fraction)),
        Err(_) => duration(text).ok().filter(|by| *by <= LARGEST_SKEW).map(Skew::By).ok_or_else(|| {
            format!("expected a duration up to 1day, or a part of the window such as `0.1`, not `{text}`")
        }),
    }
}

/// At most a minute: a fault must not look like a hang.
fn short(text: &str) -> Result<Duration, String> {
    let pause = duration(text)?;
    if pause > Duration::from_secs(60) {
        return Err(format!("expected at most 1m, not `{text}`"));
    }
    Ok(pause)
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("expected a duration such as `5ms`, not `{text}`"))
}

/// Without spaces, so that it is one argument of a command line.
fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_catalogue_round_trips() {
        for entry in CATALOGUE {
            let fault: Fault = entry.name.parse().unwrap();
            assert_eq!(fault.name(), entry.name);
            let full =
                entry.value.map_or(entry.name.to_owned(), |(_, default)| format!("{}={default}", entry.name));
            assert_eq!(fault.to_string(), full);
            assert_eq!(full.parse(), Ok(fault));
            let claims = [
                "limit",
                "headers",
                "isolation",
                "noisy-neighbour",
                "counters",
                "histograms",
                "quantiles",
                "gauges",
                "scrapes",
                "cardinality",
                "redis",
            ];
            assert!(entry.caught_by.split(", ").all(|claim| claims.contains(&claim)));
        }
        let all: Faults = CATALOGUE.iter().map(|entry| entry.name.parse::<Fault>().unwrap()).collect();
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("".parse(), Ok(Faults::default()));
    }

    #[test]
    fn the_later_of_two_counts() {
        let faults: Faults = "reply-leaks=3, reply-leaks=5".parse().unwrap();
        assert_eq!(faults.to_string(), "reply-leaks=5");
    }

    #[test]
    fn errors_of_invalid_faults() {
        let invalid = [
            "reply-leak=3",
            "nonsense",
            "",
            "limit-per-replica=1",
            "limit-off-by-one=0",
            "limit-off-by-one=some",
            "limit-short-window=0",
            "limit-short-window=NaN",
            "limit-race=2m",
            "limit-fail-open=2s",
            "limit-fail-open=4s..2s",
            "limit-fail-open=2..4",
            "limit-skewed-clock=1.5",
            "limit-skewed-clock=2days",
            "retry-after-early=1",
            "reply-leaks=0",
            "noisy-neighbour=",
            "count-lost=0",
            "metrics-truncated=1",
            "metrics-stale=soon",
            "scrape-slow=2m",
            "sum-wrong=2",
        ];
        let errors: Vec<_> =
            invalid.iter().map(|text| format!("{text}\n  {}", text.parse::<Fault>().unwrap_err())).collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
