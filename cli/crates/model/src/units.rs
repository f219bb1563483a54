//! Newtypes for units and names. They depend on no other module.
//!
//! Instants of a run are [`Nanos`] since the run's zero; durations are [`Nanos`], too. They are signed,
//! because clock tolerances reach before the zero.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds: an instant on the run's clock, counted from its zero, or a duration.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// The run's zero, or an empty duration.
    pub const ZERO: Self = Self(0);
    /// Later than every instant of a run.
    pub const MAX: Self = Self(i64::MAX);

    /// Whole milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Seconds, rounded to the nearest nanosecond; saturates at the ends of the range, `NaN` is zero.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1e9).round() as i64)
    }

    /// Seconds as a float; exact to a nanosecond up to 104 days.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Milliseconds as a float.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// As a [`std::time::Duration`]; a negative value becomes zero.
    pub fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.max(0) as u64)
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl std::ops::Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Formats with three or more significant digits in the most readable unit: `870 µs`, `12.3 ms`, `1.25 s`,
/// `90 s`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, ns) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (value, unit) = match ns {
            0..1_000 => (ns as f64, "ns"),
            1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
            1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
            _ => (ns as f64 / 1e9, "s"),
        };
        let digits = if value >= 100.0 {
            0
        } else if value >= 10.0 {
            1
        } else {
            2
        };
        let text = format!("{value:.digits$}");
        let text =
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
        write!(f, "{sign}{text} {unit}")
    }
}

/// Bound on the disagreement of two clocks over a span: `offset + drift · span`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// ε₀.
    pub offset: Nanos,
    /// δ, dimensionless: `1e-4` is 100 ppm.
    pub drift: f64,
}

impl Tolerance {
    /// How much longer or shorter a span that measures `span` on one clock may be on the other: at most by
    /// the drift over its length there, so by `offset + span · δ/(1−δ)`, rounded up.
    pub fn over(self, span: Nanos) -> Nanos {
        let drift = self.drift.clamp(0.0, 0.5);
        Nanos((span.0.max(0) as f64 * (drift / (1.0 - drift))).ceil() as i64) + self.offset.max(Nanos::ZERO)
    }
}

/// Events per second; finite and above zero where it comes from a scenario.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// At most `limit` admissions in every `window`: `8/10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Admissions; at least 1.
    pub limit: u64,
    /// Length of the window; above zero.
    pub window: Nanos,
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = humantime::format_duration(self.window.to_duration()).to_string();
        write!(f, "{}/{}", self.limit, window.replace(' ', ""))
    }
}

/// A tenant's id as the service knows it; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub Arc<str>);

impl TenantId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TenantId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanos_read_well() {
        let table = [
            (0, "0 ns"),
            (999, "999 ns"),
            (870_000, "870 µs"),
            (1_500, "1.5 µs"),
            (12_340_000, "12.3 ms"),
            (1_250_000_000, "1.25 s"),
            (90_000_000_000, "90 s"),
            (-2_000_000, "-2 ms"),
        ];
        for (ns, text) in table {
            assert_eq!(Nanos(ns).to_string(), text);
        }
    }

    #[test]
    fn quota_reads_as_it_is_written() {
        assert_eq!(Quota { limit: 8, window: Nanos::from_secs(10) }.to_string(), "8/10s");
        assert_eq!(Quota { limit: 5, window: Nanos::from_millis(1200) }.to_string(), "5/1s200ms");
    }
}
