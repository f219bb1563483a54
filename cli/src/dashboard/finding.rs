//! Mistakes in dashboards, with their severity and message.

use std::fmt;

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The panel shows nothing, or something wrong.
    Error,
    /// The panel is hard to read, or may mislead.
    Warning,
}

/// A mistake in a query, its panel, or a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Prometheus rejects the query, with this message.
    Rejected(String),
    /// Prometheus does not respond, for this reason.
    NoResponse(String),
    /// A variable that the dashboard does not have.
    UnknownVariable {
        /// As written.
        name: String,
        /// A similar one that it has.
        nearest: Option<String>,
    },
    /// A variable without values; its query.
    NoValues(String),
    /// No series has this name.
    UnknownMetric {
        /// The name.
        name: String,
        /// A similar one that exists.
        nearest: Option<String>,
        /// Whether an `or` in the query provides an existing metric instead.
        has_fallback: bool,
    },
    /// No series of these metrics has this label.
    UnknownLabel {
        /// The label.
        label: String,
        /// The metrics.
        metrics: String,
        /// A similar label that they have.
        nearest: Option<String>,
    },
    /// A quantile of a histogram whose buckets were aggregated away.
    WithoutBuckets(&'static str),
    /// The query has an empty result.
    NoData(NoData),
    /// Every value is zero divided by zero.
    AlwaysNan,
    /// A panel's alert refers to a query that does not exist.
    AlertWithoutQuery(String),
    /// Values without a unit.
    NoUnit,
    /// Several series whose legends are their whole label sets.
    NoLegend(usize),
    /// Several series with the same legend.
    SameLegend {
        /// The text.
        text: String,
        /// How many have it.
        series: usize,
    },
    /// A legend refers to a label that no series of the result has.
    LegendLabel(String),
    /// A counter without a rate: it only increases.
    CounterWithoutRate(String),
    /// The rate of something that may decrease.
    RateOfGauge {
        /// The metric.
        metric: String,
        /// The function.
        function: String,
    },
    /// A range too short to always contain two samples.
    ShortRange {
        /// The metric.
        metric: String,
        /// The range in milliseconds.
        range_ms: u64,
        /// The scrape interval in milliseconds.
        interval_ms: u64,
    },
    /// A library panel, whose content is not in the file.
    Library,
}

/// Why a query has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoData {
    /// A variable in it has no values.
    Variable(String),
    /// No series matches this selector.
    Selector(String),
    /// Every selector has series, but the expression yields none.
    Expression,
    /// All values are `NaN`.
    Nan,
}

impl Finding {
    /// Its severity.
    pub fn severity(&self) -> Severity {
        match self {
            Self::UnknownMetric { has_fallback: true, .. }
            | Self::NoUnit
            | Self::NoLegend(_)
            | Self::SameLegend { .. }
            | Self::LegendLabel(_)
            | Self::CounterWithoutRate(_)
            | Self::RateOfGauge { .. }
            | Self::ShortRange { .. }
            | Self::Library => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Notes that no alternative replaced a missing metric: the result is empty.
    pub fn has_no_stand_in(&mut self) {
        if let Self::UnknownMetric { has_fallback, .. } = self {
            *has_fallback = false;
        }
    }

    /// Its kind in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "query-error",
            Self::NoResponse(_) => "no-response",
            Self::UnknownVariable { .. } => "unknown-variable",
            Self::NoValues(_) => "variable-without-values",
            Self::UnknownMetric { .. } => "unknown-metric",
            Self::UnknownLabel { .. } => "unknown-label",
            Self::WithoutBuckets(_) => "quantile-without-buckets",
            Self::NoData(_) => "no-data",
            Self::AlwaysNan => "always-nan",
            Self::AlertWithoutQuery(_) => "alert-without-query",
            Self::NoUnit => "no-unit",
            Self::NoLegend(_) => "no-legend",
            Self::SameLegend { .. } => "same-legend",
            Self::LegendLabel(_) => "legend-label",
            Self::CounterWithoutRate(_) => "counter-without-rate",
            Self::RateOfGauge { .. } => "rate-of-gauge",
            Self::ShortRange { .. } => "short-range",
            Self::Library => "library-panel",
        }
    }

    /// Whether it is about a panel, not about one of its queries.
    pub fn is_of_panel(&self) -> bool {
        matches!(self, Self::NoUnit | Self::Library | Self::AlertWithoutQuery(_) | Self::NoValues(_))
    }
}

/// Formats `; did you mean …`, if there is a similar name.
fn near(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(message) => write!(f, "Prometheus rejects the query: {message}"),
            Self::NoResponse(reason) => write!(f, "Prometheus does not respond: {reason}"),
            Self::UnknownVariable { name, nearest } => {
                write!(f, "the dashboard has no variable `{name}`{}", near(nearest.as_ref()))
            }
            Self::NoValues(query) => write!(f, "the variable has no values: nothing for `{query}`"),
            Self::UnknownMetric { name, nearest, has_fallback } => {
                let nearest = near(nearest.as_ref());
                let rest = if *has_fallback { "; another part of the query stands in for it" } else { "" };
                write!(f, "no series is called `{name}`{nearest}{rest}")
            }
            Self::UnknownLabel { label, metrics, nearest } => {
                write!(f, "no series of {metrics} has a label `{label}`{}", near(nearest.as_ref()))
            }
            Self::WithoutBuckets(function) => {
                write!(
                    f,
                    "`{function}` needs the label `le`, and what it is given has lost it: add it to `by`"
                )
            }
            Self::NoData(cause) => write!(f, "no data: {cause}"),
            Self::AlwaysNan => f.write_str("it divides zero by zero, always: every value is NaN"),
            Self::AlertWithoutQuery(query) => {
                write!(f, "the panel's alert uses query {query}, which the panel does not have")
            }
            Self::NoUnit => f.write_str("its values have no unit"),
            Self::NoLegend(series) => {
                write!(
                    f,
                    "{series} series, and no legend to distinguish them: give it one, such as `{{{{instance}}}}`"
                )
            }
            Self::SameLegend { text, series } => write!(f, "{series} series have the legend `{text}`"),
            Self::LegendLabel(label) => {
                write!(f, "its legend names the label `{label}`, which no series of the result has")
            }
            Self::CounterWithoutRate(metric) => {
                write!(f, "`{metric}` is a counter, and is shown as it is: it only rises; show its `rate`")
            }
            Self::RateOfGauge { metric, function } => {
                write!(
                    f,
                    "`{function}` of `{metric}`, which is a gauge: where it falls, a reset is assumed; use `deriv` or `delta`"
                )
            }
            Self::ShortRange { metric, range_ms, interval_ms } => write!(
                f,
                "the range of {} ms over `{metric}` is shorter than two of its scrapes, which come every {interval_ms} ms: use \
                 `$__rate_interval`, or a longer range",
                range_ms
            ),
            Self::Library => f.write_str("a library panel: the file has only its name, so it is not checked"),
        }
    }
}

impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "its variable `{name}` has no values"),
            Self::Selector(selector) => write!(f, "no series for `{selector}`"),
            Self::Expression => {
                f.write_str("there are series for every selector, but the expression makes nothing of them")
            }
            Self::Nan => f.write_str("every value is NaN"),
        }
    }
}
