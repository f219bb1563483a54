//! The rules with their names, severities and hints.

use std::fmt;

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Unconventional: it can be parsed, but will confuse people or tools.
    Warning,
    /// Prometheus or promtool rejects it, or interprets it otherwise than intended.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A line does not match the format.
    Syntax,
    /// The response has no Content-Type that Prometheus accepts.
    ContentType,
    /// A series occurs twice.
    DuplicateSeries,
    /// A second HELP, TYPE or UNIT line.
    DuplicateMetadata,
    /// A HELP, TYPE or UNIT line after samples of its metric.
    LateMetadata,
    /// Lines of a metric are not contiguous.
    InterruptedGroup,
    /// A help text with an unknown escape.
    HelpEscape,
    /// A label value with an unknown escape (OpenMetrics).
    LabelEscape,
    /// An exemplar on something other than a counter or a bucket.
    StrayExemplar,
    /// No HELP line.
    MissingHelp,
    /// No TYPE line.
    MissingType,
    /// A sample name that does not belong to the metric's type.
    StrangeSample,
    /// A counter's name without `_total`.
    CounterTotal,
    /// `_total` on something other than a counter.
    ReservedTotal,
    /// `_bucket`, `_count` or `_sum` on a type without them.
    ReservedSuffix,
    /// `le` or `quantile` on a type without them.
    ReservedLabel,
    /// The type is part of the name.
    TypeInName,
    /// A colon in a name.
    ColonInName,
    /// `camelCase` in a name.
    CamelCase,
    /// A unit that is not a base unit.
    BaseUnit,
    /// An abbreviated unit.
    UnitAbbreviation,
    /// A bound of a bucket or a quantile is not a number, or occurs twice.
    Bound,
    /// Cumulative buckets that decrease.
    BucketsFall,
    /// A histogram without `+Inf`.
    MissingInf,
    /// `_count` differs from the `+Inf` bucket.
    CountMismatch,
    /// A histogram or summary without `_count` or `_sum`.
    Incomplete,
    /// A negative or `NaN` count.
    CounterValue,
    /// A timestamp before that of the series' previous sample.
    TimestampBack,
    /// Label values that look like ids.
    LabelOfIds,
}

impl Rule {
    /// The rule's severity.
    pub fn severity(self) -> Severity {
        match self {
            Self::InterruptedGroup
            | Self::LabelEscape
            | Self::StrayExemplar
            | Self::MissingHelp
            | Self::MissingType
            | Self::CounterTotal
            | Self::ReservedTotal
            | Self::ReservedSuffix
            | Self::ReservedLabel
            | Self::TypeInName
            | Self::ColonInName
            | Self::CamelCase
            | Self::BaseUnit
            | Self::UnitAbbreviation
            | Self::Incomplete
            | Self::LabelOfIds => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// How to fix it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Syntax => "the rest of the line is not read; Prometheus drops the whole scrape",
            Self::ContentType => {
                "answer with `text/plain; version=0.0.4; charset=utf-8` or `application/openmetrics-text; version=1.0.0; charset=utf-8`"
            }
            Self::DuplicateSeries => {
                "give each series one line: Prometheus keeps one of them, and does not say which"
            }
            Self::DuplicateMetadata => "leave one of them; promtool rejects the second",
            Self::LateMetadata => "write it before the metric's first sample",
            Self::InterruptedGroup => "write all lines of a metric one after another",
            Self::HelpEscape => {
                "a help text knows the escapes \\\\ and \\n (and \\\" in OpenMetrics); double the backslash"
            }
            Self::LabelEscape => {
                "a label value knows the escapes \\\\, \\\" and \\n: double the backslash; Prometheus keeps it, others may not"
            }
            Self::StrayExemplar => {
                "Prometheus reads it since 2.43, and drops the whole scrape before; OpenMetrics has exemplars on `_total` and `_bucket`"
            }
            Self::MissingHelp => "say in a HELP line what it measures",
            Self::MissingType => "without a TYPE line it is unknown whether `rate` may be taken of it",
            Self::StrangeSample => "name it as the type asks, or declare another type",
            Self::CounterTotal => "end the name in `_total`, so that readers see that `rate` applies",
            Self::ReservedTotal => "`_total` is for counters: declare a counter, or rename it",
            Self::ReservedSuffix => {
                "`_bucket` is for histograms, `_count` and `_sum` for histograms and summaries"
            }
            Self::ReservedLabel => "`le` is for histograms, `quantile` for summaries",
            Self::TypeInName => "the TYPE line says it: leave it out of the name",
            Self::ColonInName => "colons are for recording rules: use underscores",
            Self::CamelCase => "write it in snake_case",
            Self::BaseUnit => {
                "dashboards and rules expect base units: convert the value, and rename the metric"
            }
            Self::UnitAbbreviation => "write the unit out: `_seconds`, `_bytes`",
            Self::Bound => "a bound is a number, and each bucket has its own",
            Self::BucketsFall => {
                "a bucket counts all observations up to its bound, those of smaller buckets too"
            }
            Self::MissingInf => {
                "the bucket `le=\"+Inf\"` counts all observations: without it there are no quantiles"
            }
            Self::CountMismatch => "both count all observations: take them from one number",
            Self::Incomplete => "averages need both `_sum` and `_count`",
            Self::CounterValue => "counts begin at zero and rise",
            Self::TimestampBack => "leave timestamps out: Prometheus drops what is older than what it has",
            Self::LabelOfIds => {
                "each value stays as a series: use a bounded set, such as the route's template, and put ids into logs or exemplars"
            }
        }
    }

    /// The name that is shown: `counter-total`.
    pub fn name(self) -> String {
        // The same names as in JSON.
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
