//! The mistakes of a dashboard, with their severity and message.

use std::fmt;

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It shows nothing, or something wrong.
    Error,
    /// It is hard to read, or may mislead.
    Warning,
}

/// What is wrong with a query, its panel, or a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Prometheus rejects the query; its message.
    Rejected(String),
    /// It does not respond; why.
    NoResponse(String),
    /// A variable that the dashboard does not have.
    UnknownVariable {
        /// As it is written.
        name: String,
        /// One that it has.
        nearest: Option<String>,
    },
    /// A variable has no values: what it asks for.
    NoValues(String),
    /// No series has this name.
    UnknownMetric {
        /// The name.
        name: String,
        /// One that there is.
        nearest: Option<String>,
        /// Another part of the query, behind `or`, asks for a metric that there is.
        has_stand_in: bool,
    },
    /// No series of the metrics in request has this label.
    UnknownLabel {
        /// The label.
        label: String,
        /// Of which metrics.
        metrics: String,
        /// One that they have.
        nearest: Option<String>,
    },
    /// A quantile of a histogram whose buckets have been summed up before.
    WithoutBuckets(&'static str),
    /// The query has an empty result.
    NoData(NoData),
    /// Every value is a division of zero by zero.
    AlwaysNan,
    /// A panel's alert uses a query that does not exist.
    AlertWithoutQuery(String),
    /// Values without a unit.
    NoUnit,
    /// Several series whose legends are their whole label sets.
    NoLegend(usize),
    /// Several series of one legend.
    SameLegend {
        /// The text.
        text: String,
        /// How many have it.
        series: usize,
    },
    /// A legend names a label that no series of the result has.
    LegendLabel(String),
    /// A counter as it is: it only rises.
    CounterWithoutRate(String),
    /// The rate of what may fall.
    RateOfGauge {
        /// Which.
        metric: String,
        /// By which function.
        function: String,
    },
    /// In so short a range there are not always two samples.
    ShortRange {
        /// Of which metric.
        metric: String,
        /// The range in milliseconds.
        range_ms: u64,
        /// The time between two scrapes in milliseconds.
        interval_ms: u64,
    },
    /// A library panel, which is not in the file.
    Library,
}

/// Why a query shows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoData {
    /// A variable in it has no values.
    Variable(String),
    /// No series matches this selector.
    Selector(String),
    /// There are series for every selector, but the expression makes nothing of them.
    Expression,
    /// All values are not a number.
    Nan,
}

impl Finding {
    /// Its severity.
    pub fn severity(&self) -> Severity {
        match self {
            Self::UnknownMetric { has_stand_in: true, .. }
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

    /// No alternative replaced a missing metric: the result is empty.
    pub fn has_no_stand_in(&mut self) {
        if let Self::UnknownMetric { has_stand_in, .. } = self {
            *has_stand_in = false;
        }
    }

    /// The word for its kind in JSON.
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

    /// Whether it is one panel's, and not one query's.
    pub fn is_of_panel(&self) -> bool {
        matches!(self, Self::NoUnit | Self::Library | Self::AlertWithoutQuery(_) | Self::NoValues(_))
    }
}

/// `; did you mean …`, where something is near.
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
            Self::UnknownMetric { name, nearest, has_stand_in } => {
                let nearest = near(nearest.as_ref());
                let rest = if *has_stand_in { "; another part of the query stands in for it" } else { "" };
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
