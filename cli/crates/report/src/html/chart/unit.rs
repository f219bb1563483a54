//! Units of axes, and how values are formatted: short at ticks.

use saasbench_model::units::Nanos;

/// Unit of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Events per second.
    PerSecond,
    /// A latency in nanoseconds.
    Latency,
    /// A share, from 0 to 100.
    Percent,
    /// A plain number.
    Count,
}

impl Unit {
    /// Title of the axis.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::PerSecond => "per second",
            Self::Latency => "latency",
            Self::Percent => "%",
            Self::Count => "count",
        }
    }

    /// Key of its formatter in the script.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::PerSecond => "rate",
            Self::Latency => "ns",
            Self::Percent => "share",
            Self::Count => "count",
        }
    }

    /// Text of a tick.
    pub(crate) fn tick(self, value: f64) -> String {
        match self {
            Self::Latency => Nanos(value.round() as i64).to_string(),
            Self::PerSecond | Self::Count => short(value),
            Self::Percent => format!("{} %", short(value)),
        }
    }
}

/// `950`, `1.5k`, `2M`.
fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e3.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// An instant on a time axis of `span` seconds: `25s`, `2m`, `1h30m`.
pub(crate) fn instant(seconds: f64, span: f64) -> String {
    let sign = if seconds < 0.0 { "−" } else { "" };
    let tenths = (seconds.abs() * 10.0).round() as u64;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if span <= 120.0 || (whole < 60 && whole > 0) {
        return if tenth == 0 { format!("{sign}{whole}s") } else { format!("{sign}{whole}.{tenth}s") };
    }
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, 0) => "0".to_owned(),
        (0, minutes, 0) => format!("{sign}{minutes}m"),
        (0, minutes, seconds) => format!("{sign}{minutes}m{seconds}s"),
        (hours, 0, 0) => format!("{sign}{hours}h"),
        (hours, minutes, _) => format!("{sign}{hours}h{minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_short_values() {
        let ticks = [
            Unit::PerSecond.tick(0.0),
            Unit::PerSecond.tick(2500.0),
            Unit::Count.tick(1e7),
            Unit::Percent.tick(12.5),
            Unit::Latency.tick(2e6),
            instant(0.2, 1.0),
            instant(25.0, 30.0),
            instant(120.0, 600.0),
            instant(90.0, 600.0),
            instant(5400.0, 9000.0),
            instant(-5.0, 20.0),
        ];
        insta::assert_snapshot!(ticks.join(" · "));
    }
}
